"""A preflight's report for a terminal and for machines."""

from __future__ import annotations

import textwrap
from typing import Any

from rich.console import Console
from rich.text import Text

from runner.preflight.access import show_size
from runner.preflight.report import Finding, Report, Sample, Severity


def as_json(report: Report) -> dict[str, Any]:
    """The report as JSON has it."""
    return {
        "service": report.service,
        "ready": report.ready,
        "only_window": report.only_window or None,
        "findings": [
            {
                "severity": f.severity.value,
                "object": f.object,
                "problem": f.problem,
                "rows": f.rows,
                "samples": [{"value": s.value, "rows": s.rows} for s in f.samples],
                "sql": f.sql,
                "hint": f.hint,
            }
            for f in report.findings
        ],
        "tables": [
            {
                "name": str(t.name),
                "new_name": str(t.new_name),
                "rows": t.rows,
                "bytes": t.size,
                "seconds": round(t.seconds, 3),
            }
            for t in report.tables
        ],
    }


def print_report(report: Report, console: Console) -> None:
    """Print the report: what stops the conversion, what to know, what was read, and the verdict.

    Args:
        report: what the preflight found.
        console: where to.
    """
    know = [f for f in report.findings if f.severity is Severity.KNOW]
    for title, style, findings in (
        ("Stops the conversion", "bold red", report.stops),
        ("Loses nothing, but know it", "bold yellow", know),
    ):
        if findings:
            print_line(console, title, style=style)
            for finding in findings:
                _print_finding(finding, console)
            console.print()
    for table in report.tables:
        rows, size = _rows(table.rows), show_size(table.size)
        print_line(
            console, f"read {table.name}: {rows}, {size}, in {table.seconds:.1f} s", style="dim"
        )
    if not report.tables:
        print_line(console, "no table was read", style="dim")
    if report.ready and not report.tables:
        verdict, style = "ready: nothing is left to read before", "bold green"
    elif report.ready:
        verdict, style = "ready: nothing stops", "bold green"
    else:
        count = len(report.stops)
        verdict = f"not ready: {'1 finding stops' if count == 1 else f'{count} findings stop'}"
        style = "bold red"
    print_line(console, f"{verdict} the conversion of {report.service}", style=style)
    if report.only_window:
        print_line(console, report.only_window, style="bold yellow")


def print_line(
    console: Console, text: str, *, style: str = "", indent: int = 0, bold: int = 0
) -> None:
    """Print one text, wrapped between words and indented, with nothing at the ends of its lines.

    Args:
        console: where to.
        text: what.
        style: of all of it.
        indent: of every line, in columns.
        bold: how many of its first characters are bold.
    """
    lines = textwrap.wrap(
        text,
        console.width,
        initial_indent=" " * indent,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    for number, line in enumerate(lines):
        shown = Text(line, style)
        if number == 0 and bold:
            shown.stylize("bold", indent, indent + bold)
        console.print(shown, soft_wrap=True, highlight=False)


def _print_finding(finding: Finding, console: Console) -> None:
    rows = "" if finding.rows is None else f": {_rows(finding.rows)}"
    name, problem = finding.object, finding.problem
    if name in problem:
        bold, text = len(name) if problem.startswith(name) else 0, problem
    else:
        bold, text = len(name), f"{name} {problem}"
    print_line(console, f"{text}{rows}", indent=2, bold=bold)
    if finding.samples:
        samples = ", ".join(map(_sample, finding.samples))
        print_line(console, samples, style="cyan", indent=4)
    if finding.sql:
        # One line, which the terminal wraps: so it can be copied whole.
        console.print(Text(f"    {finding.sql}", "dim"), soft_wrap=True, highlight=False)
    if finding.hint:
        print_line(console, finding.hint, style="italic", indent=4)


def _rows(rows: int) -> str:
    return f"{rows:,} {'row' if rows == 1 else 'rows'}"


def _sample(sample: Sample) -> str:
    value = "null" if sample.value is None else repr(sample.value)
    return value if sample.rows is None else f"{value} ({sample.rows:,})"
