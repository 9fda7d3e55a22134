"""What still breaks a rule, by name.

An entry that is no longer true fails a test, too: a list can only shrink.
"""

from __future__ import annotations

CYCLES: set[frozenset[str]] = set()
IMPORTS_ACROSS: set[tuple[str, str]] = set()

# What tests do to a server of their own.
OF_TESTS = {
    "runner.postgres.embedded.EmbeddedServer.crash",
    "runner.postgres.embedded.EmbeddedServer.restart",
}
# Called by templates alone, where neither mypy nor a reader's search sees it.
UNCALLED: set[str] = {
    "runner.review.report.build.File.strongest",
}
