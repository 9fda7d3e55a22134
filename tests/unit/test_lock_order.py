"""Files lock in the order of clients: a view before its table, a child before its parent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.variants import SHIPPED

from runner.standard import load_standard

_NAME = r'((?:"(?:[^"]|"")+"|[\w$]+)\.(?:"(?:[^"]|"")+"|[\w$]+))'
# What waits for clients: each with the relation that it locks. CONCURRENTLY and VALIDATE do not.
_TAKES = re.compile(
    rf"^(?:LOCK TABLE (?P<listed>{_NAME}(?:, {_NAME})*)(?:\n| IN)"
    r"|CALL trueup\.lock_tables\('[A-Z ]+', (?P<called>[^;]*)\);"
    rf"|(?:DROP VIEW|DROP TABLE|ALTER TABLE|ALTER VIEW) (?P<altered>{_NAME})"
    rf"|(?:CREATE|DROP) TRIGGER [^;]*? ON (?P<fired>{_NAME}))",
    re.MULTILINE,
)
_MADE = re.compile(rf"^CREATE (?:OR REPLACE )?VIEW {_NAME}", re.MULTILINE)


def locked(sql: str) -> list[str]:
    """The relations that were there before, in the order in which a file locks them first."""
    found: list[str] = []
    for taken in _TAKES.finditer(sql):
        made = _MADE.findall(sql[: taken.start()])
        names = taken["listed"] or taken["called"] or taken["altered"] or taken["fired"]
        found += [n for n in re.findall(_NAME, names) if n not in made and n not in found]
    return found


NAMES = {
    f"public.{t.old}": f"public.{t.name}" for t in load_standard(SHIPPED / "standard.toml").tables
}
# A row that refers to another: its own table comes first.
REFERRING = [("public.requests", "public.models"), ("public.request", "public.model")]
FILES = sorted((SHIPPED / "online").rglob("*.sql"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_locks_in_the_order_of_clients(path: Path) -> None:
    sql = path.read_text(encoding="utf-8")
    order = locked(sql)
    # Which of a table's two names is a view depends on the phase: the one that goes.
    views = set(re.findall(rf"^DROP VIEW {_NAME}", sql, re.MULTILINE))
    found = [
        p for p in (*NAMES.items(), *((new, old) for old, new in NAMES.items())) if p[0] in views
    ]
    for first, then in [*found, *REFERRING]:
        if first in order and then in order:
            assert order.index(first) < order.index(then), order


def test_the_order_is_read_from_real_files() -> None:
    (switch,) = (SHIPPED / "online" / "switch").glob("*_switch_model.sql")
    assert locked(switch.read_text(encoding="utf-8")) == ["public.model", "public.models"]
    (close,) = (SHIPPED / "online" / "contract").glob("*_contract_model_close.sql")
    assert locked(close.read_text(encoding="utf-8")) == ["public.models", "public.model"]
