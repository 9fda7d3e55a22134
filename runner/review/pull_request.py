"""The review of a pull request in one go: lint, rehearsal, plan and report, as one Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from runner.errors import UsageError
from runner.ledger.files import Migration
from runner.review import certificate as certificates
from runner.review import signing
from runner.review.certificate import Certificate
from runner.review.figures import plural, seconds
from runner.review.plan import make_plan
from runner.review.plan_show import as_markdown, cell
from runner.review.rehearse import Options, rehearse
from runner.review.report.command import read_remarks, write_report
from runner.review.report.listing import Remark
from runner.standard import load_standard

CERTIFICATE = certificates.FILENAME
MARKDOWN = "trueup-review.md"
REPORT = "trueup-report.html"
_MOST_SHOWN = 50


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
        raise UsageError(f"{folder} is no folder", hint="make it, or name another one")
    path = folder / CERTIFICATE
    certificates.require_writable(path)
    listener("linting")
    remarks = read_remarks(migrations)
    certificate = rehearse(
        dsn,
        migrations,
        options=options,
        standard=load_standard(standard) if standard else None,
        listener=listener,
    )
    if key is not None:
        certificate = signing.sign(certificate, key)
    certificates.write_file(certificate, path)
    listener("writing")
    plan = make_plan(dsn, migrations, to=list(certificate.files)[-1], rehearsal=path)
    # The verdict stands above it.
    text = verdict(certificate, remarks) + "\n" + as_markdown(replace(plan, notes=()))
    try:
        (folder / MARKDOWN).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{folder / MARKDOWN} cannot be written: {error.strerror}") from None
    write_report(dsn, migrations, standard, rehearsal=path, with_check=True, output=folder / REPORT)
    return certificate.passed and not _errors(remarks)


def verdict(certificate: Certificate, remarks: dict[Path, list[Remark]]) -> str:
    """The outcome of lint and rehearsal as Markdown."""
    errors = _errors(remarks)
    lesser = sum(map(len, remarks.values())) - errors
    sign = "✅" if certificate.passed and not errors else "❌"
    lines = [
        f"# {sign} Migration review: {cell(certificate.service)}",
        "",
        f"- **Lint**: {plural(errors, 'error')}, {plural(lesser, 'lesser finding')}",
        f"- **Rehearsal**: {'passed' if certificate.passed else 'failed'}, on"
        f" {cell(certificate.schema_from)}",
    ]
    if certificate.load is not None:
        load = certificate.load
        slowest = max((b.slowest for b in load.buckets), default=0.0)
        lines.append(
            f"- **Clients**: {load.failed:,} of {plural(load.queries, 'query')} failed, the slowest"
            f" took {seconds(slowest)}"
        )
    lines += [f"- **Problem**: {cell(problem)}" for problem in certificate.problems]
    lines += [f"- Note: {cell(note)}" for note in certificate.notes]
    if remarks:
        lines += ["", "| | file | line | finding |", "| --- | --- | --- | --- |"]
        found = [(path, remark) for path, each in remarks.items() for remark in each]
        found.sort(key=lambda pair: (pair[1].level != "error", pair[0].name, pair[1].line))
        lines += [
            f"| {r.level} | `{path.name}` | {r.line} | {cell(r.message)} (`{r.rule}`) |"
            for path, r in found[:_MOST_SHOWN]
        ]
        if len(found) > _MOST_SHOWN:
            lines.append(f"\n{len(found) - _MOST_SHOWN} more: `trueup lint` lists all.")
    return "\n".join(lines) + "\n"


def _errors(remarks: dict[Path, list[Remark]]) -> int:
    return sum(remark.level == "error" for each in remarks.values() for remark in each)
