"""What the verb `lint` does."""

from __future__ import annotations

import gc
import os
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from runner.errors import UsageError
from runner.layouts import layout_named
from runner.lint.counted import counted
from runner.lint.engine import Report, lint
from runner.lint.output import WIDTH, render
from runner.lint.parallel import processes
from runner.lint.registry import all_rules
from runner.lint.settings import Settings, find_settings, read_settings
from runner.lint.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.lint.fix import Fixes

_BASELINE = "trueup-baseline.json"


@dataclass(frozen=True)
class Options:
    """How a run differs from the settings.

    Args:
        form: one of output.FORMS.
        layout: a layout or a tool that uses it; None: as the settings say.
        strict: a warning fails, too.
        squawk: whether to ask Squawk; None: as the settings say.
        trace: whether to run the files on an embedded server.
        schema: SQL that runs before them there.
        settings: the file of the settings; None: the closest one.
        exclude: patterns of files that are not reported, beside those of the settings.
        baseline: the file of known findings; None: as the settings say.
        write_baseline: write all findings down as known.
        since: report only what was changed after a commit.
        changed: report only what was changed after the last commit.
        cache: take findings of earlier runs for files that are the same.
    """

    form: str = "text"
    layout: str | None = None
    strict: bool = False
    squawk: bool | None = None
    trace: bool = False
    schema: Path | None = None
    settings: Path | None = None
    exclude: tuple[str, ...] = ()
    baseline: Path | None = None
    write_baseline: bool = False
    since: str | None = None
    changed: bool = False
    cache: bool = True


def run_lint(
    paths: Sequence[Path], usual_paths: Callable[[], Sequence[Path]], options: Options
) -> tuple[str, bool]:
    """Lint files and write the report out.

    Args:
        paths: files and folders.
        usual_paths: those to read when neither the command line nor the settings name any.
        options: of the command line.

    Returns:
        The report, and whether it failed.

    Raises:
        UsageError: for options that do not go together, and settings that say what cannot be.
    """
    if options.schema is not None and not options.trace:
        raise UsageError("--schema is for --trace", hint="add --trace")
    settings = _settings(options)
    paths, only = _chosen(paths, usual_paths, options, settings)
    collects = gc.isenabled()
    gc.disable()  # the trees stay to the end: walking through them takes a third of the time
    try:
        report = lint(
            paths,
            layout=options.layout and layout_named(options.layout),
            with_squawk=settings.squawk,
            traced=options.trace,
            schema=options.schema,
            jobs=processes(),
            settings=settings,
            only=only,
            cache=_cache_folder() if options.cache else None,
        )
        return _told(report, only, options, settings)
    finally:
        if collects:
            gc.enable()


def _told(
    report: Report, only: set[Path] | None, options: Options, settings: Settings
) -> tuple[str, bool]:
    """What is printed of a report, and whether it failed."""
    if only is not None:
        after = f"after {options.since}" if options.since else "after the last commit"
        report = replace(
            report, notes=(*report.notes, f"only files changed {after} were looked at")
        )
    if options.write_baseline:
        return _known_from_now(report, settings), False
    if settings.baseline is not None:
        from runner.lint.baseline import unknown

        report = unknown(report, settings)
    shown = Shown.of(report, settings)
    width = min(WIDTH, get_terminal_size((WIDTH, 0)).columns)
    return render(shown, options.form, width), shown.failed(strict=settings.strict)


def _chosen(
    paths: Sequence[Path],
    usual_paths: Callable[[], Sequence[Path]],
    options: Options,
    settings: Settings,
) -> tuple[Sequence[Path], set[Path] | None]:
    """What to read, and which files to report alone; None for all."""
    paths = paths or [_from_here(path) for path in settings.paths] or usual_paths()
    if options.since is None and not options.changed:
        return paths, None
    from runner.lint.changed import changed_files

    folders = {p if p.is_dir() else p.parent for p in paths if p.exists()}
    return paths, changed_files(folders, options.since)


def _from_here(path: Path) -> Path:
    """A path as one would type it in this folder."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _cache_folder() -> Path | None:
    """The user's folder for findings; None where there is none."""
    named = os.environ.get("XDG_CACHE_HOME")
    try:
        home = Path(named) if named else Path.home() / ".cache"
    except RuntimeError:
        return None
    return home / "trueup" / "lint"


def _settings(options: Options) -> Settings:
    named = options.settings
    settings = read_settings(named) if named is not None else find_settings(Path.cwd())
    baseline = options.baseline or settings.baseline
    if options.write_baseline and options.baseline is None:
        baseline = baseline or settings.folder / _BASELINE
        # The settings may be somebody else's, and name any file of whoever runs this.
        if not baseline.resolve().is_relative_to(settings.folder.resolve()):
            raise UsageError(
                f"{settings.file or baseline}: the baseline {baseline} is not in this project",
                hint="name it on the command line: --baseline FILE",
            )
    return replace(
        settings,
        strict=options.strict or settings.strict,
        squawk=settings.squawk if options.squawk is None else options.squawk,
        exclude=(*settings.exclude, *options.exclude),
        baseline=baseline,
    )


def _known_from_now(report: Report, settings: Settings) -> str:
    from runner.lint.baseline import fingerprints, write_baseline

    assert settings.baseline is not None
    marks = fingerprints(report.findings, report.texts, settings)
    write_baseline(settings.baseline, report.findings, marks, settings)
    findings, files = counted(len(marks), "finding"), counted(report.files, "file")
    told = f"wrote {findings} of {files} to {settings.baseline}"
    if settings.file is None or "baseline" not in settings.file.read_text("utf-8"):
        told += f'\nname it in trueup.toml: baseline = "{settings.baseline.name}"'
    return told


def run_fix(
    paths: Sequence[Path],
    usual_paths: Callable[[], Sequence[Path]],
    options: Options,
    *,
    write: bool,
    dsn: str | None,
    also_applied: bool,
) -> tuple[Fixes, str]:
    """Rewrite files where the safe way changes nothing else, or tell what that would change.

    Args:
        paths, usual_paths, options: as for run_lint.
        write: whether to change the files.
        dsn: a database whose ledger tells what has been applied; None to ask none.
        also_applied: whether to change files that may have been applied.

    Returns:
        The changes, and what to print.

    Raises:
        MigrationFileError: for a file that cannot be read or written.
        LedgerError: when the ledger cannot be read.
    """
    from runner.lint.fix import fix, show

    settings = _settings(options)
    found, only = _chosen(paths, usual_paths, options, settings)
    applied: set[str] = set()
    asked = False
    if dsn is not None:
        from runner.config import ledger_schema
        from runner.ledger.records import read_ledger
        from runner.postgres.connect import OURS, connect

        with connect(dsn, application_name="trueup lint", settings=OURS) as connection:
            ledger = read_ledger(connection, schema=ledger_schema(dsn))
        applied, asked = set(ledger.applied), ledger.exists
    fixes = fix(
        found,
        layout=options.layout and layout_named(options.layout),
        write=write,
        applied=applied,
        also_applied=also_applied,
        settings=settings,
        only=only,
    )
    return fixes, show(fixes, written=write, asked=asked)


def list_rules() -> str:
    """Every rule in a line."""
    width = max(len(rule.name) for rule in all_rules())
    return "\n".join(f"{rule.name:<{width}}  {rule.level:<7}  {rule.title}" for rule in all_rules())
