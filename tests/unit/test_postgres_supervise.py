"""The homes of embedded servers: made by one supervisor while another sweeps."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from runner.postgres.supervise import Account, make_home, sweep


def test_a_home_that_is_swept_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = tempfile.mkdtemp
    made = []

    def mkdtemp(prefix: str, dir: Path) -> str:  # noqa: A002 - tempfile's name for it
        made.append(make(prefix=prefix, dir=dir))
        if len(made) == 1:
            sweep(tmp_path, Account(None))
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", mkdtemp)
    home, lock = make_home(tmp_path)
    assert len(made) == 2
    assert list(tmp_path.iterdir()) == [home] == [Path(made[1])]
    os.close(lock)


def test_a_home_that_is_locked_is_not_swept(tmp_path: Path) -> None:
    home, lock = make_home(tmp_path)
    sweep(tmp_path, Account(None))
    assert home.exists()
    os.close(lock)
    sweep(tmp_path, Account(None))
    assert not home.exists()
