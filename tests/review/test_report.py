"""The report, as a browser shows it: one file, no network, no error."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import psycopg
import pytest
from support.runs import run_trueup

from runner.execute.engine import apply
from runner.ledger.files import Migration, read_migrations
from runner.preflight.report import Finding, Report, Severity, TableRead
from runner.quoting import Name
from runner.review import certificate as certificates
from runner.review.certificate import Certificate
from runner.review.measures import ContractColumn, ContractTable
from runner.review.report import contract
from runner.review.report.build import Facts, Odometer, render
from runner.review.report.listing import Remark, listing

CHROMIUM = next(
    (p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None
)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")


def browse(page: Path, profile: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Open a page in a headless Chromium; its console goes to stderr."""
    assert CHROMIUM is not None
    return subprocess.run(
        [
            *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
            *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
            *("--disable-sync", "--enable-logging=stderr", f"--user-data-dir={profile}"),
            *(*flags, page.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )


@pytest.fixture
def page(tmp_path: Path, hazards: tuple[Migration, ...], hazardous: Certificate) -> Path:
    """The report of the hand-made project."""
    path = tmp_path / "report.html"
    path.write_text(render(Facts(hazards[1:], hazardous)), encoding="utf-8")
    return path


@needs_chromium
def test_it_renders_without_an_error(page: Path, tmp_path: Path) -> None:
    shown = browse(page, tmp_path / "profile", "--dump-dom")
    assert "CONSOLE" not in shown.stderr, shown.stderr
    # The script ran: it shows the button that it gives its meaning.
    assert re.search(r'<p class="tools">\s*<button', shown.stdout)


@needs_chromium
def test_the_check_for_errors_can_fail(page: Path, tmp_path: Path) -> None:
    broken = page.read_text(encoding="utf-8").replace("<script>", "<script>missing();")
    page.write_text(broken, encoding="utf-8")
    assert "CONSOLE" in browse(page, tmp_path / "profile", "--dump-dom").stderr


@needs_chromium
def test_nothing_is_wider_than_a_phone(page: Path, tmp_path: Path) -> None:
    # The page tells in its title how wide it came out.
    told = page.read_text(encoding="utf-8").replace(
        "</body>",
        "<script>document.title = document.documentElement.scrollWidth</script></body>",
    )
    page.write_text(told, encoding="utf-8")
    shown = browse(page, tmp_path / "profile", "--window-size=500,900", "--dump-dom")
    found = re.search(r"<title>(\d+)</title>", shown.stdout)
    assert found is not None
    assert int(found[1]) <= 500


@needs_chromium
def test_it_prints(page: Path, tmp_path: Path) -> None:
    pdf = tmp_path / "report.pdf"
    browse(page, tmp_path / "profile", f"--print-to-pdf={pdf}")
    assert pdf.read_bytes().startswith(b"%PDF")


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.targets: set[str] = set()
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if identifier := values.get("id"):
            self.anchors.add(identifier)
        for name in ("src", "href"):
            value = values.get(name) or ""
            if value.startswith("#"):
                self.targets.add(value[1:])
            elif value and not value.startswith("data:"):
                self.loads.append(f"{tag} {value}")


def test_it_needs_nothing_beside_itself_and_every_link_leads_somewhere(page: Path) -> None:
    links = _Links()
    links.feed(page.read_text(encoding="utf-8"))
    assert links.loads == []
    assert "url(" not in page.read_text(encoding="utf-8")
    assert links.targets <= links.anchors


def test_it_shows_what_failed_and_what_it_cost(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "The rehearsal failed" in text
    assert "relation &#34;public.customers&#34; does not exist" in text
    assert "rewrites public.orders" in text
    assert "ACCESS EXCLUSIVE on public.orders" in text
    assert '<span class="k">ALTER</span>' in text
    for title in re.findall(r"<title>(.*?)</title>", text, re.DOTALL):
        assert "{" not in title


def test_what_files_and_databases_say_is_never_markup(
    hazards: tuple[Migration, ...], hazardous: Certificate
) -> None:
    evil = "<script>alert(1)</script>"
    preflight = Report(
        evil,
        (Finding(Severity.STOPS, evil, evil, 3, hint=evil),),
        (TableRead(Name("public", evil), Name("public", evil), 1, 1, 0.1),),
    )
    text = render(
        Facts(
            [replace(hazards[1], title=evil, text=f"SELECT '{evil}';\n", metadata={"does": evil})],
            replace(
                hazardous,
                problems=(evil,),
                before=(ContractTable(1, evil, (ContractColumn(evil, evil, True, True, evil),)),),
            ),
            remarks={hazards[1].path: [Remark(evil, "error", 1, evil, evil)]},
            preflight=preflight,
            odometers=[Odometer(evil, 3, "")],
            database=evil,
        )
    )
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;alert") > 8


def test_without_a_rehearsal_it_says_so(hazards: tuple[Migration, ...]) -> None:
    text = render(Facts(hazards))
    assert "Not rehearsed" in text
    assert "<svg" not in text


def test_costs_of_a_file_that_changed_since_are_not_shown(
    hazards: tuple[Migration, ...], hazardous: Certificate
) -> None:
    text = render(Facts(hazards[1:], hazardous, stale=[hazards[3].id]))
    assert "The rehearsal was of other files" in text
    assert "1 file changed since, or came after it, from 0004_shorten_note on" in text
    assert "rewrites public.orders" not in text


def test_a_table_is_followed_through_its_new_name() -> None:
    def column(name: str, kind: str) -> ContractColumn:
        return ContractColumn(name, kind, True, name == "id", "")

    old = (ContractTable(7, "models", (column("id", "text"), column("note", "text"))),)
    new = (
        ContractTable(7, "model", (column("note", "text"), column("id", "uuid"))),
        ContractTable(8, "extra", (column("id", "uuid"),)),
    )
    kept, added = contract.pairs(old, new)
    assert kept.new is not None
    assert kept.new.name == "model"
    assert [(row.kind, row.old and row.old.name) for row in kept.marked] == [("changed", "id")]
    assert kept.unchanged == ["note"]
    assert added.old is None
    assert contract.summary([kept, added]) == (
        "1 of 1 table gets a new name, 1 column changes, 1 is added"
    )


def test_a_statement_of_many_lines_keeps_its_numbers_and_its_figures_below_it(
    hazards: tuple[Migration, ...], hazardous: Certificate
) -> None:
    migration = hazards[1]
    cost = hazardous.cost(migration.id)
    lines = listing(migration.text, migration.statements, cost)
    assert [line.number for line in lines] == list(range(1, len(migration.text.splitlines()) + 1))
    (update,) = [line for line in lines if "UPDATE" in line.html]
    assert "2,000 dead rows" in [chip.text for chip in update.chips]
    text = re.sub(r"<[^>]+>", "", "\n".join(line.html for line in lines))
    assert text.replace("&#39;", "'") == migration.text.rstrip("\n")


def test_the_command_writes_it_with_the_live_data_beside(
    database: str, hazardous: Certificate, tmp_path: Path
) -> None:
    service = Path(__file__).parents[2] / "sql" / "model_orchestration"
    apply(database, read_migrations([service / "legacy"]))
    with psycopg.connect(database) as connection:
        connection.execute(
            "INSERT INTO models (id, model_id, provider, capabilities, status)"
            " VALUES ('no uuid', 'gpt-4', 'openai', '{chat}', 'active')"
        )
    certificate = tmp_path / "certificate.json"
    certificates.write_file(hazardous, certificate)
    output = tmp_path / "report.html"
    done = run_trueup(
        *("report", "--service", str(service), "--rehearsal", str(certificate)),
        *("--output", str(output)),
        dsn=database,
    )
    assert done.returncode == 0, done.stderr
    text = output.read_text(encoding="utf-8")
    assert "The data is not ready." in text
    assert "public.models.id" in text
    assert "There is no compat view yet" in text


def test_a_file_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    folder = Path(__file__).parent / "hazards" / "migrations"
    done = run_trueup(
        "report",
        "--sources",
        str(folder),
        "--output",
        str(tmp_path / "none" / "x.html"),
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
