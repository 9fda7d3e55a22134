"""Two files with one version, or numbers of different width."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Chain

_VERSION = re.compile(r"^[VU]?(\d[\d.]*)(?:_|\.|-)")


def _check(chain: Chain) -> Iterator[Hit]:
    seen: dict[str, str] = {}
    greatest: tuple[int, str, str] | None = None
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
            number = int(version)
            if greatest and (greatest[0] > number) != (greatest[1] > version):
                yield Hit(
                    f"{greatest[2]} and {script.path.name} have numbers of different width: yoyo"
                    " sorts by text, 10 before 2",
                    path=script.path,
                )
            greatest = max(greatest or (0, "", ""), (number, version, script.path.name))


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
