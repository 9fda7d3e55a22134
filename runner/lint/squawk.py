"""Generic rules of Squawk, for what no rule of ours looks at."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from runner.lint.model import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.lint.layouts import Script

_SECONDS = 60
_FILES_AT_ONCE = 500
# The rest is looked at by rules of ours, which know the other files, or contradicts the safe
# idioms: IF NOT EXISTS hides an invalid index, and the end of an expand and contract is a DROP.
_TAKEN = frozenset(
    """
    ban-add-composite-attribute ban-create-domain-with-constraint ban-replica-identity
    """.split()
)
_WHY = "Found by Squawk: https://squawkhq.com/docs/{rule}"


def find_program() -> str | None:
    """The squawk program beside this Python or on PATH; None when it is not installed."""
    beside = Path(sys.executable).with_name("squawk")
    if beside.is_file():
        return str(beside)
    from shutil import which

    return which("squawk")


def squawk(
    program: str, scripts: Iterable[Script], postgresql: int = 0
) -> tuple[list[Finding], str]:
    """Run Squawk on forward scripts, and keep what no rule of ours looks at.

    Args:
        program: of find_program.
        scripts: rollbacks are left out.
        postgresql: the major version of the servers; 0 when it is not known.

    Returns:
        The findings, and why there are none when Squawk did not run.
    """
    import json
    import subprocess  # both are for who has it

    by_path = {str(script.path): script for script in scripts if script.up}
    paths = sorted(by_path)
    found: list[Finding] = []
    for start in range(0, len(paths), _FILES_AT_ONCE):
        # Most of them are asked for by name alone.
        command = [program, "--reporter", "json", *(f"--include={rule}" for rule in sorted(_TAKEN))]
        command += ["--pg-version", f"{postgresql}.0"] if postgresql else []
        try:
            done = subprocess.run(
                [*command, *paths[start : start + _FILES_AT_ONCE]],
                capture_output=True,
                timeout=_SECONDS,
                check=False,
                text=True,
            )
            items = json.loads(done.stdout)
        except (OSError, subprocess.TimeoutExpired, json.JSONDecodeError) as error:
            return [], f"squawk did not run: {error}"
        for item in items:
            script = by_path.get(item["file"])
            if script is not None and item["rule_name"] in _TAKEN and _is_forward(script, item):
                found.append(_finding(script, item))
    return found, ""


def _is_forward(script: Script, item: dict[str, int]) -> bool:
    lines = script.text.split("\n")
    last = item.get("line_end", item["line"])
    return any(line.strip() for line in lines[item["line"] : last + 1])


def _finding(script: Script, item: dict[str, str | int]) -> Finding:
    rule = str(item["rule_name"])
    return Finding(
        rule=f"squawk-{rule}",
        level="error" if str(item["level"]).lower() == "error" else "warning",
        path=script.path,
        line=int(item["line"]) + 1,
        column=int(item["column"]) + 1,
        end_line=int(item.get("line_end", item["line"])) + 1,
        message=str(item["message"]),
        why=_WHY.format(rule=rule),
        instead=f"-- {item['help']}" if item.get("help") else "",
        source="squawk",
    )
