"""A preflight's report for a terminal and for machines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.text import Text

from runner import screen
from runner.preflight.access import show_size
from runner.preflight.report import Finding, Report, Sample, Severity
from runner.workload.show import as_json as workload_as_json
from runner.workload.show import lines as workload_lines

_STOPS_SHOWN, _KNOW_SHOWN, _TABLES_SHOWN = 5, 3, 3


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
        "statements": workload_as_json(report.workload),
    }


def print_report(report: Report, console: Console, *, everything: bool = False) -> None:
    """Print the report: what stops the conversion, what to know, what was read, and the verdict.

    Args:
        report: what the preflight found.
        console: where to.
        everything: all of it, also where it does not fit a screen.
    """
    full = _lines(report, console.width, everything=True)
    short = _lines(report, screen.cut_at(console), everything=False)
    screen.show(console, screen.choose(full, short, everything=everything))


def _lines(report: Report, width: int, *, everything: bool) -> list[Text]:
    know = [f for f in report.findings if f.severity is Severity.KNOW]
    know.sort(key=lambda f: f.hint is None)  # what asks for something comes first
    found: list[Text] = []
    for title, style, findings, most in (
        ("Stops the conversion", "bold red", report.stops, _STOPS_SHOWN),
        ("Does not stop it, but worth knowing", "bold yellow", know, _KNOW_SHOWN),
    ):
        if not findings:
            continue
        if everything:
            found += screen.wrapped(title, width, style=style)
            for finding in findings:
                found += _finding(finding, width)
            found.append(Text())
        else:
            found.append(screen.one_line(f"{title}: {len(findings)}", width, style=style))
            found += [screen.one_line(_sentence(f)[0], width, indent=2) for f in findings[:most]]
            if left := screen.rest(most, len(findings)):
                found.append(screen.one_line(left, width, indent=2))
    for line in workload_lines(report.workload, everything=everything):
        if everything:
            indent = len(line) - len(line.lstrip())
            found += screen.wrapped(line.lstrip(), width, indent=indent)
        else:
            found.append(screen.one_line(line, width))
    found += [screen.one_line(line, width, style="dim") for line in _read(report, everything)]
    verdict, style = _verdict(report)
    if report.stops and not everything:
        verdict += " (--all: what to do)"
    found += screen.wrapped(verdict, width, style=style)
    if report.left:
        found += screen.wrapped(report.left, width, style="bold yellow")
    return found


def _read(report: Report, everything: bool) -> list[str]:
    tables = report.tables
    if not tables:
        return ["no table was read"]
    if not everything and len(tables) > _TABLES_SHOWN:
        rows, size = sum(t.rows for t in tables), show_size(sum(t.size for t in tables))
        taken = sum(t.seconds for t in tables)
        return [f"read {len(tables)} tables: {_rows(rows)}, {size}, in {taken:.1f} s"]
    return [
        f"read {t.name}: {_rows(t.rows)}, {show_size(t.size)}, in {t.seconds:.1f} s" for t in tables
    ]


def _verdict(report: Report) -> tuple[str, str]:
    if report.ready and not report.tables:
        verdict, style = "ready: no table is left to read before", "bold green"
    elif report.ready and report.left:
        verdict, style = "ready, but not all of it online: nothing stops", "bold yellow"
    elif report.ready:
        verdict, style = "ready: nothing stops", "bold green"
    else:
        count = len(report.stops)
        verdict = f"not ready: {'1 finding stops' if count == 1 else f'{count} findings stop'}"
        style = "bold red"
    return f"{verdict} the conversion of {report.service}", style


def _sentence(finding: Finding) -> tuple[str, int]:
    """A finding as a sentence, and how many of its first characters name the object."""
    rows = "" if finding.rows is None else f": {_rows(finding.rows)}"
    name, problem = finding.object, finding.problem
    if name in problem:
        return f"{problem}{rows}", len(name) if problem.startswith(name) else 0
    return f"{name} {problem}{rows}", len(name)


def _finding(finding: Finding, width: int) -> Iterator[Text]:
    text, bold = _sentence(finding)
    yield from screen.wrapped(text, width, indent=2, bold=bold)
    if finding.samples:
        samples = ", ".join(map(_sample, finding.samples))
        yield from screen.wrapped(samples, width, style="cyan", indent=4)
    if finding.sql:
        # One line, which the terminal wraps: so it can be copied whole.
        yield Text(f"    {finding.sql}", "dim")
    if finding.hint:
        yield from screen.wrapped(finding.hint, width, style="italic", indent=4)


def _rows(rows: int) -> str:
    return f"{rows:,} {'row' if rows == 1 else 'rows'}"


def _sample(sample: Sample) -> str:
    value = "null" if sample.value is None else repr(sample.value)
    return value if sample.rows is None else f"{value} ({sample.rows:,})"
