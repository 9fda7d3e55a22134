"""Two files with one version, or numbers of different width."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runner.lint.context import Chain

_VERSION = re.compile(r"^[VU]?(\d[\d.]*)(?:_|\.|-)")


def _check(chain: Chain) -> Iterator[Hit]:
    seen: dict[str, str] = {}
    greatest: dict[Path, tuple[int, str, str]] = {}
    for pair in chain.pairs:
        script = pair.up
        match = _VERSION.match(script.path.name)
        if match is None or script.layout in ("sqitch", "plain", "liquibase", "alembic"):
            continue
        version = match[1].rstrip(".")
        if version in seen and script.layout != "yoyo":
            yield Hit(
                f"version {version} is taken by {seen[version]}: the tool refuses one of them",
                path=script.path,
            )
        seen.setdefault(version, script.path.name)
        if script.layout == "yoyo" and version.isdigit():
            number, before = int(version), greatest.get(script.path.parent)
            if before and _is_date(version) and _is_date(before[1]):
                continue  # dates sort as texts do
            if before and (before[0] > number) != (before[1] > version):
                yield Hit(
                    f"{before[2]} and {script.path.name} have numbers of different width: yoyo"
                    " sorts by text, 10 before 2",
                    path=script.path,
                )
            this = (number, version, script.path.name)
            greatest[script.path.parent] = max(before or this, this)


def _is_date(version: str) -> bool:
    return re.match(r"(?:19|20)\d{2}(?:0[1-9]|1[0-2])", version) is not None


RULE = Rule(
    name="duplicate-version",
    level="error",
    title="Two files with one version, or numbers of different width",
    why="The order in which the files run is then not the order that their authors meant.",
    instead="""-- give the file the next free number, as wide as the others""",
    flagged=(
        "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 1;\n-- file: 0001_other.sql\n"
        "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 1;",
    ),
    passed=(
        "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 1;\n-- file: 0002_other.sql\n"
        "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 1;",
    ),
    chain=_check,
)
