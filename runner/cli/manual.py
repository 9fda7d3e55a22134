"""Help: a screen for each verb, and all that there is to say on request."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from inspect import cleandoc
from textwrap import indent

import click

LINES, WIDTH = 23, 80  # of a usual terminal; its last line is the prompt's
# What the help of a verb only names.
SHARED_BY_ALL = (
    *("dsn", "service", "sources", "config_path", "strategy", "fleet", "parallel", "shard"),
    *("accept", "deadline", "as_json", "log_format", "quiet", "metrics"),
)
DATABASE = (
    "The database is the first of: --dsn, TRUEUP_DSN, DATABASE_URL, `database` in yoyo.ini,"
    " PGHOST / PGDATABASE / PGSERVICE."
)
EXIT_CODES = """\
Exit codes:
  0    done, or nothing to do
  1    refused: the database or the files are not ready for it
  2    the command line, a file or the configuration is wrong
  3    the database cannot be reached or written
  4    a lock was not available within the deadline
  5    PostgreSQL refused a statement of a migration
  6    verify: under way; a later phase will do all that is left
  130  stopped by ^C or SIGTERM
"""
ENVIRONMENT = """\
Environment:
  TRUEUP_DSN       the database, if --dsn names none
  TRUEUP_SIGN_KEY  the key for certificates, if --sign-key names no file
  TRUEUP_PG_BIN    the folder of PostgreSQL's programs for the embedded server
  DATABASE_URL, PGHOST, PGDATABASE, PGSERVICE
                   the database, if neither --dsn nor TRUEUP_DSN names it
  NO_COLOR         any value: no colors
  COLUMNS          how wide the terminal is
"""
# The verbs by what a person wants to do.
TASKS = {
    "Set up": {
        "propose": "Write a standard.toml from a live database or a dump",
        "generate": "Write the SQL files of a service from its standard.toml",
        "baseline": "Record that a database has the old tables",
        "grants": "Print the SQL that gives a role the privileges it needs",
        "schema": "Print the JSON schema of a configuration file",
    },
    "Run": {
        "apply": "Apply the migrations that are not applied yet",
        "rollback": "Roll migrations back",
        "repair": "Record files that were changed on purpose",
    },
    "Look": {
        "check": "Find everything that would stop the conversion",
        "status": "Show what is applied, and who uses the old names",
        "verify": "List what still differs from the standard",
        "demo": "Watch a sample service being converted, and back",
    },
    "Review": {
        "lint": "Find statements that could hurt a live database",
        "lsp": "Show what lint finds in an editor",
        "plan": "Show what apply will do: locks, times, the way back",
        "rehearse": "Try all files on a scratch copy, with clients running",
        "report": "Write one HTML page for whoever approves",
        "review": "Lint, rehearse, plan and report, for a pull request",
    },
    "Help": {"help": "All about a VERB, or: options, environment, exit-codes"},
}
TOPICS = {"environment": ENVIRONMENT, "exit-codes": EXIT_CODES}
# The verbs by the module that holds them, which is imported when one of them is asked for.
HOMES = {
    "look": ("check", "verify", "demo", "help"),
    "review": ("lint", "lsp", "plan", "rehearse", "report", "review"),
    "run": ("apply", "rollback", "baseline", "status", "repair", "grants"),
    "write": ("propose", "generate", "schema"),
}
_EXAMPLES = 3  # of a verb, on its screen
_EXAMPLE = "\b\nExample:\n"


class Verb(click.Command):
    """A verb whose help fits a screen: examples first, and what does not fit by name alone."""

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What fits a screen of 80 columns."""
        own, shared = self._options(ctx)
        for shown in range(len(own), -1, -1):
            screen = click.HelpFormatter(width=formatter.width)
            self._write(ctx, screen, own[:shown], [*own[shown:], *shared], whole=False)
            if len(screen.getvalue().splitlines()) <= LINES:
                break
        formatter.write(screen.getvalue())

    def write_whole(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """All that there is to say of it."""
        own, shared = self._options(ctx)
        self._write(ctx, formatter, own, shared, whole=True)

    def _options(self, ctx: click.Context) -> tuple[list[click.Option], list[click.Option]]:
        options = [p for p in self.get_params(ctx) if isinstance(p, click.Option)]
        options = [p for p in options if "--help" not in p.opts]
        shared = [p for p in options if p.name in SHARED_BY_ALL]
        return [p for p in options if p not in shared], shared

    def _write(
        self,
        ctx: click.Context,
        formatter: click.HelpFormatter,
        own: list[click.Option],
        by_name: list[click.Option],
        *,
        whole: bool,
    ) -> None:
        text, _, example = cleandoc(self.help or "").partition(_EXAMPLE)
        self.format_usage(ctx, formatter)
        examples = cleandoc(example).splitlines()
        shown = "\n".join(examples if whole else examples[:_EXAMPLES])
        formatter.write(f"\nExample:\n{indent(shown, '  ')}\n\n")
        with formatter.indentation():
            formatter.write_text(text.strip() if whole else text.partition("\n\n")[0])
        rows = [r for p in own if (r := p.get_help_record(ctx))]
        if rows:
            with formatter.section("Options"):
                formatter.write_dl(rows if whole else [*map(_short, own, rows)], col_max=26)
        names = " ".join(p.opts[0] for p in by_name)
        where = "`trueup help options`" if whole else f"`trueup help {ctx.info_name}`"
        told = f"{names}: {where}" if names else "" if whole else f"More: {where}"
        if told:
            formatter.write_paragraph()
            formatter.write_text(f"And {told}." if names else f"{told}.")


def _short(option: click.Option, record: tuple[str, str]) -> tuple[str, str]:
    """An option in one line: its help up to the first semicolon, colon or parenthesis."""
    help_ = option.help or ""
    for mark in ("; ", ": ", " ("):
        help_ = help_.partition(mark)[0]
    default = f" [{option.default}]" if option.show_default and not option.multiple else ""
    return record[0], f"{help_.rstrip('.')}{default}"


class Verbs(click.Group):
    """The command, whose help lists its verbs by task."""

    command_class = Verb

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs, those of modules too that nobody has imported."""
        return sorted(verb for verbs in HOMES.values() for verb in verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A verb, of a module that is imported for it."""
        for home, verbs in HOMES.items():
            if cmd_name in verbs:
                import_module(f"runner.cli.{home}")
        return super().get_command(ctx, cmd_name)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One screen."""
        lines = [
            "Usage: trueup [--version] VERB [OPTIONS]; trueup VERB --help explains a verb",
            "Example: trueup check --service model_orchestration --dsn postgresql:///orders",
            "",
        ]
        for task, verbs in TASKS.items():
            for place, (name, does) in enumerate(verbs.items()):
                lines.append(f"{'' if place else task:<8}{name:<10}{does}")
        formatter.write("\n".join(lines) + "\n")


def whole(ctx: click.Context, topic: str, shared: click.Command) -> str:
    """All that there is to say of a topic.

    Args:
        ctx: of the command.
        topic: a verb, or one of TOPICS; empty for the list of verbs.
        shared: has all options that verbs share.

    Raises:
        UsageError: of click, there is no such topic.
    """
    formatter = click.HelpFormatter(width=WIDTH)
    group = ctx.command
    assert isinstance(group, click.Group)
    if topic in TOPICS:
        return TOPICS[topic].rstrip()
    if topic == "options":
        formatter.write_text(DATABASE)
        with formatter.section("Options of most verbs"):
            formatter.write_dl([*_shared_records(ctx, shared)], col_max=26)
    elif not topic:
        group.format_help(ctx, formatter)
    else:
        verb = group.get_command(ctx, topic)
        if not isinstance(verb, Verb):
            known = ", ".join(["options", *TOPICS])
            raise click.UsageError(f"there is no help on {topic}: name a verb, or one of: {known}")
        verb.write_whole(click.Context(verb, info_name=topic, parent=ctx), formatter)
    return formatter.getvalue().rstrip()


def _shared_records(ctx: click.Context, shared: click.Command) -> Iterator[tuple[str, str]]:
    known = {option.name: option for option in shared.params}
    for name in SHARED_BY_ALL:
        record = known[name].get_help_record(ctx)
        if record is not None:
            yield record
