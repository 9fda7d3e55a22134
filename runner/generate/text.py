"""The bodies of procedures and triggers, which stay text with holes in `sql/`."""

from __future__ import annotations

from functools import cache
from itertools import chain, count
from typing import Any

import jinja2


def text(name: str, part: str, **holes: Any) -> str:
    """A text of `sql/` with its holes filled.

    Args:
        name: the file, without its ending.
        part: the macro in it; its hole `dollar` quotes a body so that no other hole can end it.
        holes: SQL for each hole, quoted already.
    """
    macro = getattr(_environment().get_template(f"{name}.sql").module, part)
    if "dollar" in macro.arguments:
        tags = chain(["$$"], (f"$q{n}$" for n in count(1)))
        holes["dollar"] = next(tag for tag in tags if tag not in str(holes))
    return str(macro(**holes)).strip("\n")


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
