"""Random schemas for properties: all that a real schema holds, with odd names and rows.

EXAMPLES=300 draws that many for each property; a default run draws a few, always the same.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

drawn = settings(
    max_examples=int(os.environ.get("EXAMPLES", "5")),
    deadline=None,
    # A schema is too large to be made smaller in bearable time.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
