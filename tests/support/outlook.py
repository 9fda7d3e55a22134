"""Says before a run how many tests there are and about how long they take, under xdist, too."""

from __future__ import annotations

import time
from typing import Any

import pytest

_KEY = "trueup/seconds a test"
_GUESS = 0.25  # for two workers on two quiet cores, until a run here has told better


class Outlook:
    """A plugin of the process that the user started; workers have no terminal."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._cache = getattr(config, "cache", None)  # its plugin may be off
        self._count = 0
        self._begun = 0.0

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        """A worker has all tests; each finds the same ones."""
        self._tell(len(ids))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """All tests are known, without workers."""
        if session.items and not self._config.option.collectonly:
            self._tell(len(session.items))

    def pytest_sessionfinish(self) -> None:
        """Keep how long it took, when it was long enough to tell something."""
        if self._count >= 100 and self._cache is not None:
            self._cache.set(_KEY, (time.monotonic() - self._begun) / self._count)

    def _tell(self, count: int) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if self._count or count < 100 or reporter is None:
            return
        self._count, self._begun = count, time.monotonic()
        known = self._cache.get(_KEY, None) if self._cache is not None else None
        minutes = max(1, round(count * (known or _GUESS) / 60))
        source = "as the last run here went" if known else "on 2 quiet cores"
        unit = "minute" if minutes == 1 else "minutes"
        reporter.write_line(f"{count:,} tests, about {minutes} {unit} {source}")
