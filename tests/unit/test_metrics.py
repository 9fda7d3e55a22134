"""OpenMetrics text of where a database stands and of a run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runner.errors import UsageError
from runner.execute import metrics
from runner.execute.events import (
    AttemptFailed,
    FileDone,
    FileStarted,
    Progress,
    RunDone,
    RunStarted,
)
from runner.execute.metrics import metrics_listener, write_status
from runner.execute.underway import BackfillStatus, Underway
from runner.ledger.status import MigrationStatus, Standing

LINE = re.compile(r"# (?:TYPE|HELP) \w+ .+|\w+(?:\{.*\})? [-+.\de]+|# EOF")


def samples(path: Path) -> dict[str, float]:
    """The samples of a file, each of whose lines OpenMetrics allows."""
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    assert lines[-1] == "# EOF"
    found = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in found}


def test_where_a_database_stands(tmp_path: Path) -> None:
    path = tmp_path / "trueup.prom"
    standings: tuple[Standing, ...] = ("applied", "applied", "pending")
    files = tuple(
        MigrationStatus(f"{n}", "expand", standing, "", "", None, ())
        for n, standing in enumerate(standings)
    )
    backfill = BackfillStatus("0201_b", 'public."a\\b"', 50, 0.5, 10.0, None, None, None)

    write_status(path, Underway(files, (), (backfill,), ()))

    where = '{file="0201_b",table="public.\\"a\\\\b\\""}'
    assert samples(path) == {
        'trueup_files{standing="applied"}': 2,
        'trueup_files{standing="pending"}': 1,
        f"trueup_backfill_ratio{where}": 0.5,
        f"trueup_backfill_rows{where}": 50,
    }
    assert [p.name for p in tmp_path.iterdir()] == ["trueup.prom"]


def test_how_a_run_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_SECONDS", 0.0)
    path = tmp_path / "trueup.prom"
    listener = metrics_listener(path)
    assert samples(path) == {}

    listener(RunStarted("r", "APPLY", "d", "u", ("a", "b")))
    listener(FileStarted("a", "backfill", "", 1, 2, resumed=False))
    listener(AttemptFailed("a", 1, "held", (), 0.1, 1.0))
    listener(Progress("a", "public.t", 10, 0.25, 5.0, 30.0))
    told = samples(path)
    assert told["trueup_run_files"] == 2
    assert told['trueup_run_file{file="a",phase="backfill"}'] == 1
    assert told['trueup_run_ratio{file="a",table="public.t"}'] == 0.25
    assert told['trueup_run_left_seconds{file="a",table="public.t"}'] == 30
    assert told["trueup_run_lock_attempts_failed_total"] == 1
    assert told["trueup_run_done"] == 0

    listener(FileDone("a", "backfill", 1.0, 1))
    listener(RunDone("r", "APPLY", ("a", "b"), 2.0))
    told = samples(path)
    assert (told["trueup_run_files_done"], told["trueup_run_done"]) == (1, 1)
    assert not any(name.startswith("trueup_run_ratio") for name in told)


def test_a_file_that_cannot_be_written_is_refused_before_a_run_and_stops_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "_SECONDS", 0.0)
    with pytest.raises(UsageError, match=r"--metrics .* cannot be written"):
        metrics_listener(tmp_path / "none" / "trueup.prom")
    folder = tmp_path / "there"
    folder.mkdir()
    listener = metrics_listener(folder / "trueup.prom")
    (folder / "trueup.prom").unlink()
    folder.rmdir()
    listener(RunDone("r", "APPLY", (), 1.0))
