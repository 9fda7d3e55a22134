"""The bodies of procedures and triggers, which stay text with holes in `sql/`."""

from __future__ import annotations

from functools import cache
from typing import Any

import jinja2


def text(name: str, **holes: Any) -> str:
    """A text of `sql/` with its holes filled.

    Args:
        name: the file.
        holes: SQL for each hole, quoted already.
    """
    return _environment().get_template(name).render(**holes).strip("\n")


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("runner.generate", "sql"),
        autoescape=False,  # SQL
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        auto_reload=False,
    )
