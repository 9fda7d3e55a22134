"""Findings of chains that were looked at before, so that a run looks at what was changed alone."""

from __future__ import annotations

import hashlib
import json
import os
import time
from contextlib import suppress
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.lint.model import Edit, Finding

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from runner.layouts import Pair, ScriptText

_KEPT = 30 * 24 * 3600.0  # seconds after which what nobody asked for is thrown away
_DISTRIBUTIONS = ("trueup", "postgast", "sqlparse")
_FIELDS = ("rule", "level", "line", "column", "end_line", "message", "why", "instead", "source")


class Cache:
    """The findings of chains, each under a hash of all that they depend on.

    Args:
        folder: where they are kept. A folder that cannot be written keeps none, without a word.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def _rules(self) -> str:
        """What the rules are: the versions, and the files of this installation."""
        here = Path(__file__).parents[1]
        rooms = ("lint", "layouts", "ledger")
        files = sorted(path for room in rooms for path in here.glob(f"{room}/**/*.py"))
        stats = [(str(path), (of := path.stat()).st_mtime_ns, of.st_size) for path in files]
        return f"{[_version(name) for name in _DISTRIBUTIONS]} {stats}"

    def key(self, pairs: Sequence[Pair[Any]], wanted: Collection[Path], postgresql: int) -> str:
        """A hash of a chain, of what is reported of it, and of the rules."""
        digest = hashlib.sha256(self._rules.encode())
        for pair in pairs:
            for script in (pair.up, pair.down):
                if script is not None:
                    digest.update(_told(script, script.path in wanted, postgresql))
        return digest.hexdigest()

    def get(self, key: str) -> list[Finding] | None:
        """The findings under a key; None when they are not known."""
        path = self._folder / f"{key}.json"
        try:
            text = path.read_text("utf-8")
            os.utime(path)  # it was asked for
            return [_finding(value) for value in json.loads(text)]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def put(self, key: str, findings: Sequence[Finding]) -> None:
        """Keep the findings of a chain."""
        text = json.dumps([_value(finding) for finding in findings], ensure_ascii=False)
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            written = self._folder / f"{key}.{os.getpid()}"
            written.write_text(text, encoding="utf-8")
            written.replace(self._folder / f"{key}.json")

    def clean(self) -> None:
        """Throw away what nobody asked for in a month."""
        with suppress(OSError):
            for path in self._folder.iterdir():
                if path.stat().st_mtime < time.time() - _KEPT:
                    path.unlink()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _told(script: ScriptText, wanted: bool, postgresql: int) -> bytes:
    parts = (
        str(script.path),
        script.id,
        script.layout,
        script.up,
        script.transactional,
        script.phase,
        sorted(script.depends),
        wanted,
        postgresql,
        len(script.text),
    )
    return f"{parts}\0{script.text}\0{script.content}".encode("utf-8", "surrogateescape")


def _value(finding: Finding) -> dict[str, Any]:
    value = {name: getattr(finding, name) for name in _FIELDS}
    edits = [(edit.start, edit.end, edit.text) for edit in finding.edits]
    return {**value, "path": str(finding.path), "edits": edits}


def _finding(value: dict[str, Any]) -> Finding:
    edits = tuple(Edit(*edit) for edit in value["edits"])
    return Finding(path=Path(value["path"]), edits=edits, **{name: value[name] for name in _FIELDS})
