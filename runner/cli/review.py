"""The verbs for who reviews before it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from runner import config, places, screen
from runner.cli.root import cli, options, print_json
from runner.errors import UsageError


@cli.command()
@click.option("--to", metavar="PHASE|ID", help="The last phase or migration to plan.")
@options("unit", "all", "rehearsal")
@options("dsn", "config", "service", "sources", "strategy", "layout", "json")
@click.option(
    "--format",
    "form",
    type=click.Choice(["terminal", "markdown", "json"]),
    metavar="FORM",
    default="terminal",
    show_default=True,
    help="terminal, markdown for a pull request, or json.",
)
def plan(
    to: str | None,
    unit: str | None,
    everything: bool,
    rehearsal: Path | None,
    as_json: bool,
    form: str,
    **where: Any,
) -> None:
    """Show what apply will do, in order: files, locks, times, the way back.

    It also names sessions that are in the way now. Locks and times come from the rehearsal of these
    very files, or else from their headers. It only reads. Without a database, it plans every file
    after the baseline.

    \b
    Example:
      trueup plan --service model_orchestration
      trueup plan --service model_orchestration --format markdown > plan.md
    """
    from rich.console import Console

    from runner.review import plan_show
    from runner.review.plan import make_plan

    dsn, migrations, _ = places.locate_for_review(**where)
    found = make_plan(dsn, migrations, to=to, unit=unit, rehearsal=rehearsal)
    if as_json or form == "json":
        print_json(plan_show.as_json(found))
    elif form == "markdown":
        screen.echo(plan_show.as_markdown(found), nl=False)
    else:
        plan_show.print_plan(found, Console(), everything=everything)


@cli.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("trueup-report.html"),
    show_default=True,
    help="The file to write.",
)
@click.option("--no-check", is_flag=True, help="Do not read the data as `trueup check` does.")
@options("unit", "rehearsal")
@options("dsn", "config", "service", "sources", "strategy", "layout", "json")
def report(
    output: Path,
    no_check: bool,
    unit: str | None,
    rehearsal: Path | None,
    as_json: bool,
    **where: Any,
) -> None:
    """Write one HTML page that shows the whole migration to whoever approves it.

    It shows the old and the new contract, the locks and client latencies of the rehearsal, the
    state of the data, every file next to its rollback with costs and lint findings, and the
    certificate. The page needs no network. It only reads the database.

    \b
    Example:
      trueup report --service model_orchestration --output review.html
    """
    from runner.review.report.command import write_report

    dsn, migrations, standard = places.locate_for_review(**where)
    write_report(
        dsn,
        migrations,
        standard,
        unit=unit,
        rehearsal=rehearsal,
        with_check=not no_check,
        output=output,
    )
    if as_json:
        print_json({"wrote": str(output)})
    else:
        screen.echo(f"wrote {output}")


@cli.command()
@click.option("--rows", default=20_000, show_default=True, help="Rows of each table to sample.")
@click.option("--made-up-rows", is_flag=True, help="Make rows up from statistics; read none.")
@click.option(
    "--scratch", metavar="DSN", help="A server for the copies; by default the embedded one."
)
@click.option(
    "--time-limit",
    type=config.parse_seconds,
    metavar="TIME",
    default="1h",
    show_default=True,
    help="Stop when it takes longer: 30m, 4h.",
)
@click.option(
    "--base",
    default="baseline",
    show_default=True,
    metavar="PHASE|ID",
    help="The last migration that creates the schema; without a database.",
)
@click.option("--since", metavar="REF", help="Review what was changed since; instead of --base.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The folder for the files; by default this one.",
)
@options("sign_key", "dsn", "config", "service", "sources", "strategy", "layout", "json")
def review(
    rows: int,
    made_up_rows: bool,
    scratch: str | None,
    time_limit: float,
    base: str,
    since: str | None,
    output: Path,
    sign_key: Path | None,
    as_json: bool,
    **where: Any,
) -> None:
    """Lint, rehearse, plan and report in one go, for a pull request.

    It writes trueup-review.md to post, trueup-report.html to keep, and the certificate
    trueup-rehearsal.json for `apply --require-rehearsal`. It needs no database. It exits with 1 if
    lint finds an error or the rehearsal fails.

    \b
    Example:
      trueup review --service model_orchestration
      trueup review --sources db/migrations --since origin/main
    """

    from runner.review import pull_request, signing
    from runner.review.rehearse import Options
    from runner.review.since import base_before

    dsn, migrations, standard = places.locate_for_review(**where, of_others=True)
    if since is not None:
        before = base_before(migrations, since)
        if before is None:
            if as_json:
                print_json({"passed": True, "wrote": []})
            else:
                screen.echo(f"nothing to review: no migration was changed after {since}")
            return
        base = before
    options = Options(
        rows=rows, made_up=made_up_rows, scratch=scratch, base=base, seconds=time_limit
    )
    key = signing.read_key(sign_key)
    with screen.progress("reviewing") as tell:
        passed = pull_request.review(
            dsn,
            migrations,
            standard,
            folder=output,
            options=options,
            listener=tell,
            key=key,
        )
    if as_json:
        print_json({"passed": passed, "wrote": pull_request.written(output)})
    else:
        screen.echo((output / pull_request.MARKDOWN).read_text(encoding="utf-8"), nl=False)
    if not passed:
        sys.exit(1)


@cli.command()
@click.option("--to", metavar="PHASE|ID", help="The last phase or migration; by default all.")
@click.option("--rows", default=20_000, show_default=True, help="Rows of each table to sample.")
@click.option("--made-up-rows", is_flag=True, help="Make rows up from statistics; read none.")
@click.option(
    "--scratch", metavar="DSN", help="A server for the copies; by default the embedded one."
)
@click.option(
    "--time-limit",
    type=config.parse_seconds,
    metavar="TIME",
    default="1h",
    show_default=True,
    help="Stop when it takes longer: 30m, 4h.",
)
@click.option("--backup", metavar="DSN", help="A restored backup to rehearse on.")
@click.option("--no-clients", is_flag=True, help="Run no clients; the service will be stopped.")
@click.option(
    "--base",
    default="baseline",
    show_default=True,
    metavar="PHASE|ID",
    help="The last migration that creates the schema; without a database.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("trueup-rehearsal.json"),
    show_default=True,
    help="The certificate's file.",
)
@click.option("--record", is_flag=True, help="Keep the certificate in the live database too.")
@options(
    "statements",
    "unit",
    "sign_key",
    "dsn",
    "config",
    "service",
    "sources",
    "strategy",
    "layout",
    "json",
)
def rehearse(
    dsn: str | None,
    config_path: Path | None,
    service: str | None,
    sources: tuple[str, ...],
    strategy: str,
    layout: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Run all pending files on a scratch copy: up, down, up, down, with clients.

    It takes the schema and a sample of rows from the live database, which it only reads; without a
    database, it takes the schema of the baseline files and makes up rows. It measures each
    statement (locks, rewrites, scans, rows, WAL, time) and estimates it for the live size. It exits
    with 1 if a file fails, a rollback does not lead back, or a client's query fails.

    \b
    Example:
      trueup rehearse --service model_orchestration
      trueup rehearse --service model_orchestration --rows 2000 --record
    """
    from runner.review.certificate import to_json
    from runner.review.rehearse.command import run

    found, migrations, standard = places.locate_for_review(
        dsn=dsn,
        config_path=config_path,
        service=service,
        sources=sources,
        strategy=strategy,
        layout=layout,
    )
    certificate = run(found, migrations, standard, quiet=as_json, **options)
    if as_json:
        print_json(to_json(certificate))
    if not certificate.passed:
        sys.exit(1)


@cli.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github", "sarif", "gitlab", "junit"]),
    metavar="FORM",
    default="text",
    help="text, json, github, sarif, gitlab or junit.",
)
@click.option("--fix", "fixes", is_flag=True, help="First rewrite what can be replaced safely.")
@click.option("--diff", is_flag=True, help="Only show what --fix would change.")
@click.option("--strict", is_flag=True, help="Also exit with 1 for a warning.")
@click.option("--since", metavar="REF", help="Report only files changed since this commit.")
@click.option("--changed", is_flag=True, help="Report only files changed since the last commit.")
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Do not report these files.")
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    help="A file of findings that are already known.",
)
@click.option("--write-baseline", is_flag=True, help="Record all findings as known.")
@click.option(
    "--settings",
    type=click.Path(path_type=Path),
    help="The trueup.toml to use; by default the closest one.",
)
@click.option("--trace", is_flag=True, help="Also run the files on the embedded server.")
@click.option("--schema", type=click.Path(path_type=Path), help="SQL that --trace runs first.")
@click.option(
    "--squawk/--no-squawk", default=None, help="Also run Squawk; by default if it is installed."
)
@click.option("--cache/--no-cache", default=True, help="Check again only what has changed.")
@click.option("--rules", is_flag=True, help="Only list the rules.")
@click.option(
    "--also-applied", is_flag=True, help="Let --fix change files that may already be applied."
)
@options("layout", "dsn", "config", "service", "sources", "json")
def lint(
    paths: tuple[Path, ...],
    rules: bool,
    fixes: bool,
    diff: bool,
    also_applied: bool,
    dsn: str | None,
    as_json: bool,
    config_path: Path | None,
    service: str | None,
    sources: tuple[str, ...],
    **options: Any,
) -> None:
    """Find statements in migration files that could hurt a live database.

    PATH is a file or a folder, of trueup or any other tool. Without one, it reads the paths in
    trueup.toml, or the folders of --service or yoyo.ini. It needs no database. It exits with 1 if
    there is an error.

    \b
    Example:
      trueup lint migrations/
      trueup lint --since origin/main --format github migrations/
      trueup lint --diff migrations/
    """
    from runner.lint.command import Options, list_rules, run_fix, run_lint

    if rules:
        screen.echo(list_rules())
        return
    if as_json:
        options["form"] = "json"
    chosen = Options(**options)

    def usual() -> list[Path]:
        return places.folders_to_lint(config_path=config_path, service=service, sources=sources)

    if fixes or diff:
        done, shown = run_fix(
            paths, usual, chosen, write=not diff, dsn=dsn, also_applied=also_applied
        )
        screen.echo(shown, err=not diff)
        if diff:
            sys.exit(1 if done.files else 0)
    text, failed = run_lint(paths, usual, chosen)
    screen.echo(text)
    if failed:
        sys.exit(1)


@cli.command()
def lsp() -> None:
    """Show what lint finds in an editor, while you type, and offer its fixes.

    It speaks the Language Server Protocol on standard input and output; an editor starts it. It
    needs the extra `lsp`.

    \b
    Example:
      trueup lsp
    """
    try:
        from runner.lint.language_server import make_server
    except ImportError:
        raise UsageError(
            "trueup lsp needs the Python package pygls", hint="pip install 'trueup[lsp]'"
        ) from None
    make_server().start_io()
