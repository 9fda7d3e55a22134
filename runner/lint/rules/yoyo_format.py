"""yoyo reads the file otherwise than it is meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.ledger.yoyo_split import INSTEAD, MISREAD, misread_by_yoyo
from runner.lint import tree
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.layouts import Script

_DIRECTIVE = re.compile(
    r"^[ \t]*(?:--+|/\*+|\*+)?[ \t]*(transactional|depends)[ \t]*:[ \t]*(.*)$", re.M | re.I
)
_STREAM = re.compile(r"\bFROM\s+STDIN\b|\bTO\s+STDOUT\b", re.IGNORECASE)
_MANY = 10_000


# What sqlparse, with which yoyo splits, is known to read otherwise.
_MISLEADING = re.compile(r"/\*(?:(?!\*/).)*/\*|\\'|BEGIN\s+ATOMIC", re.DOTALL | re.IGNORECASE)


def _split_elsewhere(script: Script) -> Iterator[Hit]:
    if statement := misread_by_yoyo(script.content):
        yield Hit(MISREAD, offset=statement.offset, instead=f"-- {INSTEAD}")


def _check(context: Context) -> Iterator[Hit]:
    script = context.script
    if script.layout != "yoyo":
        return
    text = script.content
    if text.startswith("\ufeff"):
        yield Hit("a byte-order mark comes before the text: yoyo ignores the header", offset=0)
    seen: set[str] = set()
    for match in _DIRECTIVE.finditer(text):
        if any(statement.is_text(match.start(1)) for statement in script.statements):
            continue
        name, value = match[1], match[2].strip()
        in_header = match.start() < script.header
        if not script.up and name.lower() == "depends":
            pass  # `yoyo new` writes it there, and it changes nothing
        elif not script.up:
            yield Hit(f"yoyo ignores {name} in a rollback file", offset=match.start(1))
        elif not in_header:
            yield Hit(
                f"yoyo ignores {name} here: it belongs in the leading -- lines",
                offset=match.start(1),
            )
        elif name != name.lower():
            yield Hit(f"yoyo ignores {name}: it must be lowercase", offset=match.start(1))
        elif name == "transactional" and (value.lower() not in ("true", "false") or name in seen):
            yield Hit(
                f"yoyo stops at `transactional: {value}`; true or false, once",
                offset=match.start(1),
            )
        seen.add(name)
    for statement in script.statements:
        is_copy = statement.node is not None and tree.kind(statement.node) == "CopyStmt"
        if is_copy and _STREAM.search(statement.text):
            yield Hit("yoyo sends no data stream: COPY FROM STDIN fails", offset=statement.offset)
    if not script.transactional and len(script.statements) > 1:
        yield Hit(
            "a second statement in a file outside a transaction: when it fails, yoyo runs the"
            " rollback statements paired from the end, which may be the wrong ones",
            offset=script.statements[1].offset,
        )
    if _MISLEADING.search(text) and not script.problem[0]:
        yield from _split_elsewhere(script)
    if script.transactional and len(script.statements) > _MANY:
        yield Hit(
            f"{len(script.statements):,} statements: yoyo makes a savepoint for each and never"
            " releases it, until shared memory is exhausted",
            offset=script.statements[_MANY].offset,
        )


RULE = Rule(
    name="yoyo-format",
    level="error",
    title="yoyo reads the file otherwise than it is meant",
    why="yoyo ignores directives in the wrong place without a word, pairs the rollback"
    " statements of a failed file by position, and cannot feed COPY.",
    instead="""-- the first lines: `-- depends: ID`, and `-- transactional: false` where it must be,
-- with one statement in such a file""",
    flagged=(
        "-- depends: 0000_base\nSELECT 1;\n-- transactional: false\nSELECT 2;",
        "-- depends: 0000_base\nSELECT 1;\n/* a /* b */ ; c */ SELECT 2;",
        "-- transactional: false\nDROP INDEX CONCURRENTLY IF EXISTS i;\n"
        "CREATE INDEX CONCURRENTLY i ON t (a);",
    ),
    passed=(
        "-- depends: 0000_base\nINSERT INTO t VALUES ('C:\\');\nINSERT INTO t VALUES ('b');",
        "-- transactional: false\n-- depends: 0000_base\nDROP INDEX CONCURRENTLY IF EXISTS i;",
        "-- depends: 0000_base\nINSERT INTO t VALUES ('\n-- transactional: false');",
    ),
    script=_check,
    rollback=True,
)
