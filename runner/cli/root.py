"""The command itself, and what its verbs share: options, the fleet, JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner import config, screen
from runner.cli.manual import Verbs
from runner.errors import UsageError

if TYPE_CHECKING:
    from runner.fleet import Result


JSON_VERSION = 1  # of what --json prints; a field that is added does not change it


@click.group(
    cls=Verbs,
    context_settings={"max_content_width": 100, "help_option_names": ["--help", "-h"]},
)
@click.version_option(package_name="trueup", prog_name="trueup")
def cli() -> None:
    """Bring a live PostgreSQL service to a house standard with plain SQL migrations."""


def options(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate a verb with shared options."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        for name in reversed(names):
            function = _SHARED[name](function)
        return function

    return decorate


_SHARED: dict[str, Callable[[Callable[..., None]], Callable[..., None]]] = {
    "dsn": click.option("--dsn", help="The database: a libpq URI, key=value pairs or a yoyo URL."),
    "config": click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path, dir_okay=False),
        help="The yoyo.ini to use; by default the closest one in this folder or above.",
    ),
    "service": click.option("--service", help="A service in sql/, or the path of its folder."),
    "sources": click.option(
        "--sources", multiple=True, help="A folder with migrations; repeat it for several."
    ),
    "strategy": click.option(
        "--strategy",
        type=click.Choice(config.STRATEGIES),
        default="online",
        show_default=True,
        help="online: no failed query, both contracts live; window: one rewrite under a lock.",
    ),
    "layout": click.option(
        "--layout", help="The tool that the files belong to, such as goose; by default detected."
    ),
    "all": click.option(
        "--all", "everything", is_flag=True, help="Print everything, not only what fits a screen."
    ),
    "json": click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
    "log": click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="The format of progress on standard error.",
    ),
    "quiet": click.option(
        "--quiet", "-q", is_flag=True, help="Print only errors to standard error."
    ),
    "metrics": click.option(
        "--metrics",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Write metrics to FILE as OpenMetrics text, for Prometheus.",
    ),
    "accept": click.option(
        "--accept",
        multiple=True,
        type=click.Choice(["edited", "deleted", "out-of-order"]),
        metavar="WHAT",
        help="Run although files were `edited`, `deleted` or put `out-of-order`.",
    ),
    "standard": click.option(
        "--standard",
        "standard_path",
        type=click.Path(path_type=Path),
        help="The standard; by default standard.toml next to the migrations.",
    ),
    "rehearsal": click.option(
        "--rehearsal",
        type=click.Path(path_type=Path, dir_okay=False),
        help="A certificate; by default trueup-rehearsal.json, or the one in the database.",
    ),
    "sign_key": click.option(
        "--sign-key",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="The key for certificates; by default the text of TRUEUP_SIGN_KEY.",
    ),
    "statements": click.option(
        "--statements",
        multiple=True,
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="What clients send: SQL or a PostgreSQL log; by default pg_stat_statements.",
    ),
    "unit": click.option(
        "--unit",
        metavar="TABLE",
        help="Only TABLE, and what is converted with it; by its old or new name.",
    ),
    "standby": click.option(
        "--standby",
        "standbys",
        multiple=True,
        metavar="DSN",
        help="The same database on a standby; its clients are asked too. Repeat it for several.",
    ),
    "deadline": click.option(
        "--deadline",
        type=config.parse_seconds,
        metavar="TIME",
        default="10m",
        show_default=True,
        help="How long to keep trying to get a lock: 30s, 10m, 2h.",
    ),
}


def on_fleet(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb --fleet, to run with its other options on each database that a file names."""

    @click.option(
        "--fleet",
        metavar="FILE",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Run on every database that a TOML file names, canaries first.",
    )
    @click.option(
        "-j",
        "parallel",
        type=click.IntRange(1, 64),
        metavar="N",
        default=8,
        show_default=True,
        help="How many databases of a fleet at once.",
    )
    @click.option(
        "--shard",
        metavar="N/OF",
        help="Run only on this share of a fleet: 3/16 is the third of sixteen runners.",
    )
    @wraps(verb)
    def either(fleet: Path | None, parallel: int, shard: str | None, **values: Any) -> None:
        if fleet is None and shard is not None:
            raise UsageError("--shard is a share of a fleet", hint="add --fleet FILE")
        if fleet is None:
            verb(**values)
            return
        for one in ("watch", "metrics"):
            if values.get(one):
                raise UsageError(f"--{one} and --fleet exclude each other")
        _on_each(fleet, parallel, shard, as_json=values["as_json"])

    return either


@click.command()
@on_fleet
@options("dsn", "service", "sources", "config", "strategy", "accept", "deadline")
@options("json", "log", "quiet", "metrics")
def all_shared() -> None:
    """No verb: what has each option that most verbs share, for help on them."""


def _on_each(path: Path, parallel: int, shard: str | None, *, as_json: bool) -> None:
    """Give the command's own options to one run for each database of a fleet."""
    from dataclasses import asdict

    from runner.fleet import describe, read_fleet, run_fleet, share_of, sum_up

    members = read_fleet(path)
    if shard is not None:
        members = share_of(members, shard)
    width = max((len(member.name) for member in members), default=0)

    def show(result: Result) -> None:
        if not as_json:
            screen.echo(describe(result, width))

    results = run_fleet(members, _arguments(), parallel=parallel, report=show)
    line, code = sum_up(results)
    if as_json:
        print_json({"databases": [asdict(result) for result in results]})
    else:
        screen.echo(line)
    if code:
        sys.exit(code)


def _arguments() -> list[str]:
    """The verb and its options, as they were given, without those of the fleet."""
    context = click.get_current_context()
    arguments = [context.command.name or ""]
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if option.name in ("fleet", "parallel", "shard", "as_json", "log_format"):
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


def print_json(value: Mapping[str, object]) -> None:
    """Print a result as JSON, with the version of its form."""
    import json

    told = {"version": JSON_VERSION, **value}
    click.echo(json.dumps(told, indent=2, ensure_ascii=False, default=str))
