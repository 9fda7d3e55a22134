"""The review of a pull request in one go: lint, rehearsal, plan and report, as one Markdown."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from runner.errors import UsageError
from runner.ledger.files import Migration
from runner.review import certificate as certificates
from runner.review import signing
from runner.review.certificate import Certificate
from runner.review.commit import Commit
from runner.review.figures import plural, seconds, version
from runner.review.plan import make_plan
from runner.review.plan_show import COMMENT, as_markdown, cell, code, fitting
from runner.review.rehearse import Options, rehearse
from runner.review.report.command import read_remarks, write_report
from runner.review.report.listing import Remark
from runner.standard import load_standard

CERTIFICATE = certificates.FILENAME
MARKDOWN = "trueup-review.md"
REPORT = "trueup-report.html"
_MOST_SHOWN = 50
_ROOM = 24_000  # bytes of a comment for findings, half of it each for problems and notes


def review(
    dsn: str | None,
    migrations: Sequence[Migration],
    standard: Path | None,
    *,
    folder: Path,
    options: Options,
    listener: Callable[[str], None],
    key: bytes | None = None,
) -> bool:
    """Lint, rehearse and plan, and write the certificate, the Markdown and the report.

    Args:
        dsn: a database to take schema and sizes from, None for the files alone.
        migrations: all that the sources hold.
        standard: the standard.toml beside them, if there is one.
        folder: where the three files go.
        options: how the rehearsal is done.
        listener: told what is done now.
        key: signs the certificate; None for an unsigned one.

    Returns:
        Whether the rehearsal passed and lint found no error.

    Raises:
        TrueupError: the review could not be done, or a file cannot be written.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", hint="make it, or name another one")
    # What stands there is of an earlier review, or a link that a pull request brings.
    for path in (folder / MARKDOWN, folder / REPORT, folder / CERTIFICATE):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise UsageError(f"{path} cannot be replaced: {error.strerror}") from None
    certificates.require_writable(path)
    listener("linting")
    notes: list[str] = []
    remarks = read_remarks(migrations, notes)
    certificate = rehearse(
        dsn,
        migrations,
        options=options,
        standard=load_standard(standard) if standard else None,
        listener=listener,
    )
    # What was applied before is not under review.
    reviewed = {
        p for m in migrations if m.id in certificate.files for p in (m.path, m.rollback_path)
    }
    remarks = {path: found for path, found in remarks.items() if path in reviewed}
    if key is not None:
        certificate = signing.sign(certificate, key)
    certificates.write_file(certificate, path)
    listener("writing")
    plan = make_plan(dsn, migrations, to=list(certificate.files)[-1], rehearsal=path)
    # The verdict stands above it.
    above = verdict(certificate, remarks, notes) + "\n"
    room = COMMENT - len(above.encode())
    text = above + as_markdown(replace(plan, notes=()), room)
    try:
        (folder / MARKDOWN).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{folder / MARKDOWN} cannot be written: {error.strerror}") from None
    write_report(dsn, migrations, standard, rehearsal=path, with_check=True, output=folder / REPORT)
    return certificate.passed and not _errors(remarks)


def verdict(
    certificate: Certificate, remarks: dict[Path, list[Remark]], notes: Sequence[str] = ()
) -> str:
    """The outcome of lint and rehearsal as Markdown, with a link to the report.

    Args:
        certificate: of the rehearsal.
        remarks: what lint says, by the paths of the migrations.
        notes: what lint did not look at.
    """
    errors = _errors(remarks)
    lesser = sum(map(len, remarks.values())) - errors
    sign = "✅" if certificate.passed and not errors else "❌"
    lines = [
        f"# {sign} Migration review: {cell(certificate.service)}",
        "",
        f"- **Lint**: {plural(errors, 'error')}, {plural(lesser, 'lesser finding')}",
        f"- **Rehearsal**: {'passed' if certificate.passed else 'failed'}, on"
        f" {cell(certificate.schema_from)}, PostgreSQL {version(certificate.server)}",
        f"- **Commit**: {_told(certificate.commit)}",
        f"- **Report**: {_link()}",
    ]
    if certificate.signature is not None:
        signature = certificate.signature
        lines.append(f"- **Signed** by {cell(signature.by)} with key `{signature.key}`")
    if certificate.load is not None:
        load = certificate.load
        slowest = max((b.slowest for b in load.buckets), default=0.0)
        lines.append(
            f"- **Clients**: {load.failed:,} of {plural(load.queries, 'query')} failed, the slowest"
            f" took {seconds(slowest)}"
        )
    lines += _some([f"- **Problem**: {cell(problem)}" for problem in certificate.problems])
    lines += _some([f"- Note: {cell(note)}" for note in (*notes, *certificate.notes)])
    if remarks:
        lines += ["", "| | file | line | finding |", "| --- | --- | --- | --- |"]
        found = [(path, remark) for path, each in remarks.items() for remark in each]
        found.sort(key=lambda pair: (pair[1].level != "error", pair[0].name, pair[1].line))
        rows = [
            f"| {r.level} | {code(_short(path))} | {r.line} | {cell(r.message)} (`{r.rule}`) |"
            for path, r in found
        ]
        shown = fitting([[row] for row in rows[:_MOST_SHOWN]], _ROOM)
        lines += [line for block in shown for line in block]
        if len(found) > len(shown):
            lines.append(f"\n{len(found) - len(shown)} more: `trueup lint` lists all.")
    return "\n".join(lines) + "\n"


def _told(commit: Commit) -> str:
    """The commit, its hash as code: sites link it to whatever commit of a fork begins so."""
    short = commit.id[:12]
    if not short:
        return cell(str(commit))
    return f"{code(short)} {cell(str(commit).removeprefix(short).lstrip(', '))}"


def _short(path: Path) -> str:
    """A file's name, with its folder where the tool names that and not the file."""
    tells = path.stem not in ("migration", "up", "down")
    return path.name if tells else f"{path.parent.name}/{path.name}"


def _some(lines: list[str]) -> list[str]:
    """The first lines that a comment has room for, and how many more there are."""
    shown = [line for block in fitting([[line] for line in lines], _ROOM // 2) for line in block]
    more = len(lines) - len(shown)
    return [*shown, f"- and {more} more: see the report"] if more else shown


def _link() -> str:
    """Where the report is: with the artifacts of the CI's run, or beside the comment's file."""
    known = os.environ.get
    if known("GITHUB_RUN_ID"):
        run = f"{known('GITHUB_SERVER_URL')}/{known('GITHUB_REPOSITORY')}/actions/runs"
        return f"`{REPORT}`, an artifact of [this run]({run}/{known('GITHUB_RUN_ID')}#artifacts)"
    if known("CI_JOB_URL"):
        return f"[`{REPORT}`]({known('CI_JOB_URL')}/artifacts/browse)"
    return f"[`{REPORT}`]({REPORT})"


def _errors(remarks: dict[Path, list[Remark]]) -> int:
    return sum(remark.level == "error" for each in remarks.values() for remark in each)


def written(folder: Path) -> list[str]:
    """The files that a review has left in a folder."""
    names = (MARKDOWN, REPORT, CERTIFICATE)
    return [str(folder / name) for name in names if (folder / name).is_file()]
