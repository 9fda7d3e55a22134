"""The toolkit of a service's files: what they call is there, and what is there is called."""

from __future__ import annotations

import re
from collections.abc import Iterable

from runner.generate.files import MigrationText

_CALLED = re.compile(r"(?:FROM|JOIN|INTO|UPDATE|CALL|PERFORM)\s+trueup\.(\w+)|\btrueup\.(\w+)\(")
_MADE = re.compile(
    r"^CREATE (?:OR REPLACE )?(?:UNLOGGED )?(?:MATERIALIZED )?(?:FUNCTION|PROCEDURE|TABLE|VIEW)"
    r" (?:IF NOT EXISTS )?trueup\.(\w+)",
    re.MULTILINE,
)


def made(sql: str) -> set[str]:
    """The routines and relations of the schema `trueup` that a text makes."""
    return set(_MADE.findall(sql))


def called(sql: str) -> set[str]:
    """Those that it calls, reads or writes."""
    return {one or other for one, other in _CALLED.findall(_MADE.sub("", sql))}


def assert_complete(files: Iterable[MigrationText]) -> None:
    """Hold the files of both strategies to it, each with what they have in common."""
    __tracebackhide__ = True
    files = list(files)
    for strategy in ("online", "window"):
        own = [f for f in files if f.folder.partition("/")[0] in ("common", strategy)]
        sql = "\n".join(f"{f.sql}\n{f.rollback}" for f in own)
        if any(f.folder != "common" for f in own):
            missing = called(sql) - made(sql)
            assert not missing, f"{strategy}: called, and nowhere made: {sorted(missing)}"
    used = called("\n".join(f"{f.sql}\n{f.rollback}" for f in files))
    unused = {n for f in files if "_toolkit_" in f.id for n in made(f.sql)} - used
    assert not unused, f"made, and nowhere called: {sorted(unused)}"
