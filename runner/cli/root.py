"""The command itself, and what its verbs share: options, the fleet, JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any

import click

from runner import config
from runner.errors import UsageError

if TYPE_CHECKING:
    from runner.fleet import Result


# What the help of a verb only names.
SHARED_BY_ALL = (
    *("dsn", "service", "sources", "config_path", "strategy", "fleet", "parallel", "shard"),
    *("accept", "deadline", "as_json", "log_format", "quiet", "metrics"),
)
JSON_VERSION = 1  # of what --json prints; a field that is added does not change it

EXIT_CODES = """\b
Exit codes:
  0    done, or nothing to do
  1    refused: the database or the files are not ready for it
  2    the command line, a file or the configuration is wrong
  3    the database cannot be reached or written
  4    a lock was not to be had within the deadline
  5    PostgreSQL refused a statement of a migration
  6    verify: under way; all that is left is left for a phase
  130  stopped by ^C or SIGTERM
"""


# The verbs by what a person wants to do.
TASKS = {
    "Set up": ("propose", "generate", "baseline", "grants", "schema"),
    "Run": ("apply", "rollback", "repair"),
    "Look": ("check", "status", "verify", "demo"),
    "Review": ("lint", "lsp", "plan", "rehearse", "report", "review"),
}
_EXAMPLE = "\b\nExample:\n"


class _Verb(click.Command):
    """A verb whose help fits a screen: examples first, and what all verbs have by name alone."""

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        text, _, example = cleandoc(self.help or "").partition(_EXAMPLE)
        self.format_usage(ctx, formatter)
        if example:
            formatter.write_paragraph()
            formatter.write(f"Example:\n{indent(cleandoc(example), '  ')}\n")
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(text.strip())
        options = [p for p in self.get_params(ctx) if isinstance(p, click.Option)]
        shared = [p for p in options if p.name in SHARED_BY_ALL]
        rows = [r for p in options if p not in shared if (r := p.get_help_record(ctx))]
        if rows:
            with formatter.section("Options"):
                formatter.write_dl(rows, col_max=26)
        if shared:
            formatter.write_paragraph()
            names = " ".join(p.opts[0] for p in shared)
            formatter.write_text(f"And {names}: `trueup --help` explains them.")


# The verbs by the module that holds them, which is imported when one of them is asked for.
HOMES = {
    "look": ("check", "verify", "demo"),
    "review": ("lint", "lsp", "plan", "rehearse", "report", "review"),
    "run": ("apply", "rollback", "baseline", "status", "repair", "grants"),
    "write": ("propose", "generate", "schema"),
}


class _Group(click.Group):
    command_class = _Verb

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs, those of modules too that nobody has imported."""
        return sorted(verb for verbs in HOMES.values() for verb in verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A verb, of a module that is imported for it."""
        for home, verbs in HOMES.items():
            if cmd_name in verbs:
                import_module(f"runner.cli.{home}")
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs by task, and the options that most of them have."""
        for task, names in TASKS.items():
            with formatter.section(task):
                verbs = [(name, self.get_command(ctx, name)) for name in names]
                formatter.write_dl(
                    [(name, verb.get_short_help_str(limit=300)) for name, verb in verbs if verb],
                    col_max=12,
                )
        with formatter.section("Options of most verbs"):
            formatter.write_dl([*_shared_options(ctx)], col_max=26)


def _shared_options(ctx: click.Context) -> Iterator[tuple[str, str]]:
    """The options that SHARED_BY_ALL names, with their help, as any verb has them."""

    @on_fleet
    @options("dsn", "service", "sources", "config", "strategy", "accept", "deadline")
    @options("json", "log", "quiet", "metrics")
    def verb() -> None:
        """Nothing."""

    known = {option.name: option for option in click.command()(verb).params}
    for name in SHARED_BY_ALL:
        record = known[name].get_help_record(ctx)
        if record is not None:
            yield record


@click.group(
    cls=_Group,
    epilog=EXIT_CODES,
    context_settings={"max_content_width": 100, "help_option_names": ["--help", "-h"]},
)
@click.version_option(package_name="trueup", prog_name="trueup")
def cli() -> None:
    """Bring a live PostgreSQL service to a house standard with plain SQL migrations.

    The database is the first that is named by: --dsn, TRUEUP_DSN, DATABASE_URL, `database` in
    yoyo.ini, PGHOST / PGDATABASE / PGSERVICE.

    \b
    Example:
      export TRUEUP_DSN=postgresql://deploy@db.example/orders
      trueup status --service model_orchestration
      trueup apply  --service model_orchestration --to enforce
    """


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
        help="yoyo.ini to use; else the closest one in this folder or above.",
    ),
    "service": click.option("--service", help="A service in sql/, or the path of its folder."),
    "sources": click.option(
        "--sources", multiple=True, help="A folder with migrations; may be given several times."
    ),
    "strategy": click.option(
        "--strategy",
        type=click.Choice(config.STRATEGIES),
        default="online",
        show_default=True,
        help="online: no failed query, both contracts live; window: one rewrite under a lock.",
    ),
    "layout": click.option(
        "--layout", help="The tool whose files they are, such as goose or prisma; else found out."
    ),
    "all": click.option(
        "--all", "everything", is_flag=True, help="Tell all of it, not what fits a screen."
    ),
    "json": click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
    "log": click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="How the run is reported on standard error.",
    ),
    "quiet": click.option(
        "--quiet", "-q", is_flag=True, help="Report nothing on standard error but an error."
    ),
    "metrics": click.option(
        "--metrics",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Keep a file of OpenMetrics text, for Prometheus: how it stands, how the run goes.",
    ),
    "accept": click.option(
        "--accept",
        multiple=True,
        type=click.Choice(["edited", "deleted", "out-of-order"]),
        metavar="WHAT",
        help="Go on although files are `edited`, `deleted` or `out-of-order` since.",
    ),
    "standard": click.option(
        "--standard",
        "standard_path",
        type=click.Path(path_type=Path),
        help="The standard; else standard.toml beside the migrations.",
    ),
    "rehearsal": click.option(
        "--rehearsal",
        type=click.Path(path_type=Path, dir_okay=False),
        help="A certificate; else trueup-rehearsal.json here, else the one in the database.",
    ),
    "sign_key": click.option(
        "--sign-key",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="The key that certificates are signed with; else the text of TRUEUP_SIGN_KEY.",
    ),
    "statements": click.option(
        "--statements",
        multiple=True,
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="What clients send: SQL or a log of PostgreSQL; else what pg_stat_statements holds.",
    ),
    "unit": click.option(
        "--unit",
        metavar="TABLE",
        help="Only the tables that are converted together with this one, by its old or new name.",
    ),
    "standby": click.option(
        "--standby",
        "standbys",
        multiple=True,
        metavar="DSN",
        help="The same database on a standby: contract waits for its clients, too; several times"
        " for several.",
    ),
    "deadline": click.option(
        "--deadline",
        type=config.parse_seconds,
        metavar="TIME",
        default="10m",
        show_default=True,
        help="How long to go on trying for a lock: 30s, 10m, 2h.",
    ),
}


def on_fleet(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb --fleet, to run with its other options on each database that a file names."""

    @click.option(
        "--fleet",
        metavar="FILE",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Do so on every database that a TOML file names, canaries first.",
    )
    @click.option(
        "-j",
        "parallel",
        type=click.IntRange(1, 64),
        metavar="N",
        default=8,
        show_default=True,
        help="How many databases of a fleet at a time.",
    )
    @click.option(
        "--shard",
        metavar="N/OF",
        help="Only the databases of this share: 3/16 for the third of sixteen runners.",
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
            click.echo(describe(result, width))

    results = run_fleet(members, _arguments(), parallel=parallel, report=show)
    line, code = sum_up(results)
    if as_json:
        print_json({"databases": [asdict(result) for result in results]})
    else:
        click.echo(line)
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
