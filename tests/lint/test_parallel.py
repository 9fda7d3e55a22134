"""Many files are looked at by as many processes as there are processors."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from runner.lint.layouts import Pair, chains
from runner.lint.model import Finding
from runner.lint.parallel import over_chains

FIRST = os.getpid()
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="one process looks at all files")


@pytest.fixture
def large(tmp_path: Path) -> list[list[Pair]]:
    """Eight chains that are worth a second process."""
    for number in range(8):
        text = f"SELECT {number}; -- {'long ' * 20_000}\n"
        (tmp_path / f"{number}").mkdir()
        (tmp_path / f"{number}" / "0001_a.sql").write_text(text, encoding="utf-8")
    return chains(sorted(tmp_path.rglob("*.sql")))


def told(pairs: Sequence[Pair]) -> Iterator[Finding]:
    process = "first" if os.getpid() == FIRST else "other"
    yield Finding("a-rule", "error", pairs[0].up.path, 1, 1, 1, process, "", "")


def children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text("utf-8").split()


def test_each_process_has_its_share_and_all_findings_come_back(large: list[list[Pair]]) -> None:
    found = over_chains(told, large, jobs=2)
    assert [finding.path for (finding,) in found] == [pairs[0].up.path for pairs in large]
    assert {finding.message for (finding,) in found} == {"first", "other"}


def test_what_a_process_that_ends_leaves_is_done_by_the_first(large: list[list[Pair]]) -> None:
    def killed(pairs: Sequence[Pair]) -> Iterator[Finding]:
        if os.getpid() != FIRST:
            os.kill(os.getpid(), signal.SIGKILL)
        return told(pairs)

    found = over_chains(killed, large, jobs=2)
    assert [finding.message for (finding,) in found] == ["first"] * 8


def test_an_error_comes_out_and_no_process_stays(large: list[list[Pair]]) -> None:
    def fails(pairs: Sequence[Pair]) -> Iterator[Finding]:
        raise ValueError(pairs[0].up.id)

    before = children()
    with pytest.raises(ValueError, match="0001_a"):
        over_chains(fails, large, jobs=2)
    assert children() == before
