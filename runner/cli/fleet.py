"""A verb on each database of a fleet."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from runner.cli.root import print_json
from runner.errors import UsageError


def on_fleet(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb --fleet, to run with its other options on each database that a file names."""

    @click.option(
        "--fleet",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Do so on every database that a TOML file names, canaries first.",
    )
    @click.option(
        "-j",
        "parallel",
        type=click.IntRange(1, 64),
        default=8,
        show_default=True,
        help="How many databases of a fleet at a time.",
    )
    @wraps(verb)
    def either(fleet: Path | None, parallel: int, **values: Any) -> None:
        if fleet is None:
            verb(**values)
        else:
            _on_each(fleet, parallel, as_json=values["as_json"])

    return either


def _on_each(path: Path, parallel: int, *, as_json: bool) -> None:
    """Give the command's own options to one run for each database of a fleet."""
    from dataclasses import asdict

    from runner.fleet import Result, read_fleet, run_fleet

    members = read_fleet(path)
    width = max(len(member.name) for member in members)

    def show(result: Result) -> None:
        if not as_json:
            standing = {None: "left", 0: "done"}.get(result.exit_code, "failed")
            line = f"{result.name:<{width}}  {standing:<6}  {result.seconds:6.1f} s"
            click.echo(f"{line}  {result.message}")

    results = run_fleet(members, _arguments(), parallel=parallel, report=show)
    done = sum(result.exit_code == 0 for result in results)
    if as_json:
        print_json([asdict(result) for result in results])
    else:
        click.echo(f"fleet: {done} of {len(results)} databases done")
    if done < len(results):
        sys.exit(1)


def _arguments() -> list[str]:
    """The verb and its options, as they were given, without those of the fleet."""
    context = click.get_current_context()
    arguments = [context.command.name or ""]
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if option.name in ("fleet", "parallel", "as_json", "log_format"):
            continue
        if source is not click.core.ParameterSource.COMMANDLINE:
            continue
        if option.name == "dsn":
            raise UsageError("--dsn and --fleet exclude each other")
        value = context.params[option.name or ""]
        name = option.opts[-1]
        if isinstance(value, bool):
            arguments.append(name)
        else:
            for one in value if isinstance(value, tuple) else (value,):
                arguments += [name, str(one)]
    return arguments
