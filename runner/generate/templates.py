"""Templates that are not statements yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import jinja2

from runner.generate.files import OWN_ID
from runner.generate.statement import Lock, Paragraph, Statement
from runner.quoting import quote_ident, quote_literal, quote_name


def template(
    name: str, locks: Sequence[Lock] = (), /, *, alone: bool = False, **context: Any
) -> list[Paragraph]:
    """A file's body from a template."""
    text = _environment().get_template(name).render(**context, own_id=OWN_ID).strip("\n")
    return [[Statement(text, locks=tuple(locks), alone=alone)]] if text else []


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("runner.generate"),
        autoescape=False,  # SQL, quoted by the filters below
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        auto_reload=False,
    )
    environment.filters.update(
        q=quote_ident, n=quote_name, lit=quote_literal, qs=_quoted_list, in_literal=_in_literal
    )
    return environment


def _quoted_list(names: Iterable[str]) -> str:
    return ", ".join(map(quote_ident, names))


def _in_literal(text: str) -> str:
    """A text inside a RAISE format string."""
    return text.replace("'", "''").replace("%", "%%")
