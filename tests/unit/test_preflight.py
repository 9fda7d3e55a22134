"""A preflight's and a verification's report, without a server."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from runner.preflight import Finding, Report, Sample, Severity, TableRead
from runner.preflight.access import show_size
from runner.preflight.objects import mentions
from runner.preflight.render import print_report
from runner.quoting import Name
from runner.verify import Distance, State, Verification
from runner.verify.render import print_verification

MODEL = Name("public", "model")
STOPPED = Finding(
    Severity.STOPS,
    "public.models.status",
    "holds values that are not one of ACTIVE, INACTIVE, DEPRECATED",
    1200,
    (Sample("archived", 1199), Sample(None), Sample("it's")),
    "SELECT * FROM public.models WHERE upper(status) NOT IN ('ACTIVE', 'INACTIVE', 'DEPRECATED');",
    "Map them, or correct them.",
)


def printed(report: Report, width: int = 80) -> str:
    output = io.StringIO()
    print_report(report, Console(file=output, width=width))
    return output.getvalue()


def test_an_object_that_the_problem_names_is_not_named_twice() -> None:
    problem = "the standard names the table public.model, which the database does not have"
    finding = Finding(Severity.STOPS, "public.model", problem)
    assert "\n  the standard names the table" in printed(Report("models", (finding,), ()))


def test_a_report_fits_80_columns_and_keeps_each_query_in_one_line() -> None:
    read = TableRead(Name("public", "models"), MODEL, 1, 49_152, 0.02)

    assert printed(Report("models", (STOPPED,), (read,))) == (
        "Stops the conversion\n"
        "  public.models.status holds values that are not one of ACTIVE, INACTIVE,\n"
        "  DEPRECATED: 1,200 rows\n"
        "    'archived' (1,199), null, \"it's\"\n"
        "    SELECT * FROM public.models WHERE upper(status) NOT IN"
        " ('ACTIVE', 'INACTIVE', 'DEPRECATED');\n"
        "    Map them, or correct them.\n"
        "\n"
        "read public.models: 1 row, 49 kB, in 0.0 s\n"
        "not ready: 1 finding stops the conversion of models\n"
    )


def test_values_are_not_read_as_markup() -> None:
    finding = Finding(Severity.KNOW, "a[bold]b", "holds", 1, (Sample("[red]x[/red]", 1),))

    assert "a[bold]b holds: 1 row\n    '[red]x[/red]' (1)" in printed(Report("m", (finding,), ()))


def test_a_report_is_ready_when_nothing_stops() -> None:
    know = Finding(Severity.KNOW, "view v", "follows")

    assert Report("m", (know,), ()).ready
    assert not Report("m", (know, STOPPED), ()).ready


def test_a_verification_tells_which_phase_is_left() -> None:
    verification = Verification(
        "m",
        ((MODEL, State.BOTH),),
        (
            Distance(MODEL, "view public.models", "gone", "keeps the old name alive", "contract"),
            Distance(MODEL, "table public.models", "a new name", "its old name", "switch"),
            Distance(MODEL, "column public.model.id", "NOT NULL", "nullable", "enforce"),
            Distance(None, "table public.extra", "gone", "a table"),
        ),
    )
    output = io.StringIO()

    print_verification(verification, Console(file=output, width=80))

    assert output.getvalue() == (
        "public.model: both contracts live\n"
        "  column public.model.id: expected NOT NULL, found nullable\n"
        "  table public.models: expected a new name, found its old name\n"
        "  view public.models: expected gone, found keeps the old name alive\n"
        "elsewhere\n"
        "  table public.extra: expected gone, found a table\n"
        "\n"
        "tables: 1 both contracts live\n"
        "both contracts live; left: 1 for enforce, 1 for switch, 1 for contract, 1 that\n"
        "no phase will fix\n"
        "distance to the standard: 4\n"
    )


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("SELECT * FROM models", "models", True),
        ("SELECT * FROM public.models m", "models", True),
        ('SELECT * FROM "models"', "models", True),
        ("SELECT * FROM my_models", "models", False),
        ("SELECT * FROM models_old", "models", False),
        ("SELECT 'models'", "models", False),
        ("SELECT 1 -- models", "models", False),
        ('UPDATE "Order\'s" SET x = 1', "Order's", True),
        ("UPDATE orders SET x = 1", "Order's", False),
    ],
)
def test_what_a_text_mentions(text: str, name: str, expected: bool) -> None:
    assert mentions(text, name) is expected


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (49_152, "49 kB"), (5.2e9, "5.2 GB")],
)
def test_sizes(size: float, shown: str) -> None:
    assert show_size(size) == shown
