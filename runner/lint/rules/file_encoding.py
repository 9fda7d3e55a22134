"""The file is not plain UTF-8 text with usual line breaks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context

# psql, with which Sqitch and dumps run, and the tools in Java skip it; yoyo-format tells yoyo's.
_SKIP_MARK = frozenset({"dump", "flyway", "liquibase", "sqitch", "yoyo"})
_CARRIAGE_RETURN = re.compile(r"\r(?!\n)")


def _check(context: Context) -> Iterator[Hit]:
    script = context.script
    if not script.up and context.pair.up.path == script.path:
        return
    text = script.content
    if text.startswith("\ufeff") and script.layout not in _SKIP_MARK:
        yield Hit(
            "a byte-order mark comes before the text: the tool sends it on, and PostgreSQL refuses"
            " the first statement, or the tool does not see its mark on the first line",
            offset=0,
        )
    if "\r" in text and "\n" not in text and (match := _CARRIAGE_RETURN.search(text)):
        yield Hit(
            "lines end in CR alone: to a tool that looks for LF all of the file is one line, and"
            " behind a -- comment nothing more comes",
            offset=match.start(),
        )


RULE = Rule(
    name="file-encoding",
    level="error",
    title="The file is not plain UTF-8 text",
    why="Migration tools send the bytes of a file as UTF-8. A byte-order mark, UTF-16 or CR line"
    " breaks, which some editors on Windows and exports write, reach PostgreSQL or hide lines.",
    instead="-- save the file as UTF-8 without a byte-order mark, lines ending in LF",
    flagged=("\ufeffSELECT 1;",),
    passed=("SELECT 1;",),
    script=_check,
    rollback=True,
)
