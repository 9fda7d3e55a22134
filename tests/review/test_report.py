"""The report, as a browser shows it: one file, no network, no error."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
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
from runner.review.commit import Commit
from runner.review.measures import ContractColumn, ContractTable
from runner.review.report import contract
from runner.review.report.build import Facts, Odometer, render
from runner.review.report.listing import Remark, listing
from runner.review.signing import sign

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


def test_a_column_under_another_name_is_a_rename() -> None:
    def column(name: str, number: int, kind: str = "text", references: int = 0) -> ContractColumn:
        return ContractColumn(name, kind, False, False, "", references, number)

    old = (
        ContractTable(7, "author", (column("id", 1),)),
        ContractTable(
            8,
            "book",
            (column("title", 1), column("pages", 2), column("gone", 3), column("by", 4, "int", 7)),
        ),
    )
    new = (
        ContractTable(7, "writer", (column("id", 1),)),
        ContractTable(
            8,
            "book",
            (column("name", 1), column("length", 2, "int"), column("by", 4, "int", 7)),
        ),
    )
    found = contract.pairs(old, new)
    rows = [(r.kind, r.old and r.old.name, r.new and r.new.name) for r in found[1].marked]
    assert rows == [
        ("renamed", "title", "name"),
        ("changed", "pages", "length"),
        ("removed", "gone", None),
    ]
    # A key to a table under a new name is the same key.
    assert found[1].unchanged == ["by"]
    assert contract.summary(found) == (
        "1 of 2 tables gets a new name, 1 column changes, 1 column gets a new name, 1 is removed"
    )
    drawn = str(contract.draw(found))
    assert drawn.count(">renamed</text>") == 3
    assert "<title>book.by references author</title>" in drawn
    assert "<title>book.by references writer</title>" in drawn


def test_long_names_are_cut_before_they_run_into_their_neighbours() -> None:
    name = "a_name_of_sixty_three_letters_" + "x" * 33
    column = ContractColumn(name, "numeric(1000,100)[]", True, True, name, 8, 1)
    tables = (ContractTable(8, name, (column,)),)
    drawn = str(contract.draw(contract.pairs(tables, ())))
    places = re.findall(r'<text class="([\w ]+)" x="([\d.]+)" y="([\d.]+)">([^<]*)</text>', drawn)
    lines: dict[str, list[tuple[float, int]]] = {}
    for _, x, y, text in places[2:]:
        lines.setdefault(y, []).append((float(x), len(text)))
    ends = [(x, x + 7.2 * letters) for found in lines.values() for x, letters in sorted(found)]
    for (_, end), (begin, _) in pairwise(ends):
        assert end <= begin or begin < 100
    assert f"<title>{name}</title>" in drawn


def _luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(2 * c for c in digits) if len(digits) == 3 else digits
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


TEXTS = ("ink", "soft", "accent", "all", "writes", "none", "good", "bad", "change")
GROUNDS = {
    **dict.fromkeys(TEXTS, ("paper", "card", "tint")),
    "ink": ("paper", "card", "tint", "add-tint", "change-tint", "bad-tint", "good-tint"),
    "soft": ("paper", "card", "tint", "add-tint", "change-tint", "bad-tint"),
    "change": ("paper", "card", "change-tint", "add-tint", "bad-tint"),
    "good": ("card", "good-tint"),
    "bad": ("card", "bad-tint"),
    **dict.fromkeys(("keyword", "string", "comment", "number"), ("tint",)),
}


@pytest.mark.parametrize("medium", ["light", "dark", "print"])
def test_every_text_has_the_contrast_that_wcag_wants(medium: str) -> None:
    style = Path(contract.__file__).with_name("report.css").read_text(encoding="utf-8")
    light, dark, printed = (
        dict(re.findall(r"--([\w-]+): (#\w+)", block))
        for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    )
    colours = light | {"light": {}, "dark": dark, "print": printed}[medium]
    for text, grounds in GROUNDS.items():
        for ground in grounds:
            low, high = sorted((_luminance(colours[text]), _luminance(colours[ground])))
            ratio = (high + 0.05) / (low + 0.05)
            assert ratio >= 4.5, f"{text} on {ground}: {ratio:.2f}"
    assert "opacity" not in style


@pytest.fixture
def passed(hazardous: Certificate) -> Certificate:
    return replace(hazardous, problems=())


def test_it_says_what_to_do_next(
    hazards: tuple[Migration, ...], hazardous: Certificate, passed: Certificate
) -> None:
    files = hazards[1:]

    def steps(facts: Facts) -> str:
        found = re.search(r'<ol class="steps">(.*?)</ol>', render(facts), re.DOTALL)
        assert found is not None
        return re.sub(r"<[^>]+>", "", found[1])

    assert "Rehearse the files: nothing was measured trueup rehearse" in steps(Facts(files))
    failed = steps(Facts(files, hazardous))
    assert f"Fix {len(hazardous.problems)} problem" in failed
    assert "Approve" not in failed
    wrong = {files[0].path: [Remark("rule", "error", 1, "wrong", "")]}
    assert "Fix 1 lint error" in steps(Facts(files, passed, remarks=wrong))
    assert "Rehearse again" in steps(Facts(files, passed, stale=[files[0].id]))
    other = replace(passed, live_server=(passed.server // 10000 - 1) * 10000)
    assert f"Rehearse on PostgreSQL {passed.server // 10000 - 1}" in steps(Facts(files, other))
    ready = steps(Facts(files, passed))
    assert "Have the certificate signed" in ready
    assert "trueup apply --require-rehearsal trueup-rehearsal.json" in ready
    signed = sign(passed, b"k" * 32)
    assert "Have the certificate signed" not in steps(Facts(files, signed))


def test_it_names_commit_and_signer_and_what_was_not_measured(
    hazards: tuple[Migration, ...], passed: Certificate
) -> None:
    signed = sign(replace(passed, commit=Commit("ab" * 20, "Ada <ada@example.org>")), b"k" * 32)
    text = render(Facts(hazards, signed))
    assert "Commit abababababab, by Ada &lt;ada@example.org&gt;." in text
    assert f"Signed by {signed.signature.by if signed.signature else ''}" in text
    # The base is not of the rehearsal.
    assert text.count(">not measured</span>") == 1


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
    assert "There is no compat view" in text


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
