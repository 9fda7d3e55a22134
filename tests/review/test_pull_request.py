"""The review of a pull request in one command."""

from __future__ import annotations

import html
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from support import terminal
from support.migration_files import write_migration
from support.runs import run_trueup

from runner.ledger.files import Migration, read_migrations
from runner.review.certificate import Certificate, read_file
from runner.review.plan import make_plan
from runner.review.plan_show import COMMENT, as_markdown, cell
from runner.review.pull_request import verdict
from runner.review.report.command import read_remarks
from runner.review.report.listing import Remark

HAZARDS = Path(__file__).parent / "hazards" / "migrations"


@pytest.fixture
def safe(tmp_path: Path) -> Path:
    """A project whose second file is safe."""
    folder = tmp_path / "migrations"
    write_migration(
        folder,
        "0001_baseline_item",
        "CREATE TABLE public.item (id integer PRIMARY KEY, name text);",
        "DROP TABLE public.item;",
    )
    write_migration(
        folder,
        "0002_expand_note",
        "SET LOCAL lock_timeout = '200ms';\nALTER TABLE public.item ADD COLUMN note text;",
        "SET LOCAL lock_timeout = '200ms';\nALTER TABLE public.item DROP COLUMN note;",
        depends="0001_baseline_item",
    )
    return folder


def test_one_command_writes_all_that_a_pull_request_needs(
    safe: Path, tmp_path: Path, server_dsn: str
) -> None:
    done = terminal.run(
        [
            *(sys.executable, "-m", "runner", "review", "--sources", str(safe)),
            *("--rows", "400", "--scratch", server_dsn),
        ],
        columns=80,
        lines=24,
        cwd=tmp_path,
        environment={"NO_COLOR": "1"},
    )
    assert done.exit_code == 0, done.text
    review = (tmp_path / "trueup-review.md").read_text()
    assert review.startswith("# ✅ Migration review: migrations")
    assert "- **Rehearsal**: passed" in review
    assert "| `0002_expand_note`" in review
    # What was shown meanwhile is gone, and the cursor is back.
    seen = "\n".join(done.seen(columns=2000))
    assert seen.strip() == "\n".join(map(str.rstrip, review.splitlines())).strip()
    assert done.text.rindex("\x1b[?25h") > done.text.rindex("\x1b[?25l")
    assert not terminal.COLOR.search(done.text)
    assert "<!doctype html>" in (tmp_path / "trueup-report.html").read_text()
    assert read_file(tmp_path / "trueup-rehearsal.json").passed


def test_hazards_fail_it_and_stand_first(
    hazards: tuple[Migration, ...], hazardous: Certificate
) -> None:
    remarks = {
        hazards[1].path: [
            Remark("style-rule", "style", 1, "a | b", ""),
            Remark("big-rule", "error", 5, "<b>", ""),
            Remark("odd-rule", "style", 7, r"\[all is well](https://evil.example) @ann", ""),
        ],
        hazards[1].path.with_name("0009_`x`|y.sql"): [Remark("name-rule", "style", 1, "z", "")],
        Path("prisma/20240101_change/migration.sql"): [Remark("folder-rule", "style", 1, "z", "")],
    }
    text = verdict(hazardous, remarks, ["not read: 0002_b.mysql.up.sql"])
    assert "- Note: not read: 0002_b.mysql.up.sql" in text
    assert text.startswith("# ❌ Migration review")
    assert "- **Lint**: 1 error, 4 lesser findings" in text
    assert "- **Problem**: " in text
    assert text.index("big-rule") < text.index("style-rule")
    assert "a \\| b" in text
    assert "&lt;b>" in text
    # What a pull request is called is no link, no mention and no other cell.
    assert r"\\\[all is well\](https&#58;&#8203;//evil.example) &#64;&#8203;ann" in text
    assert r"| `0009_'x'\|y.sql` |" in text
    assert "| `20240101_change/migration.sql` |" in text


@pytest.mark.parametrize(
    "written",
    [
        "ann/shop@3f0a9c1d2b4e5f60718293a4b5c6d7e8f9012345",
        "3F0A9C1D2B4E5F60718293A4B5C6D7E8F9012345",
        "see 3f0a9c1.",
        "3f0a9c1d2b4e/3f0a9c1d2b4e (3f0a9c1d2b4e)",
        "shop/orders#12 GH-12 gh-12 GHSA-abcd-ef01-2345 CVE-2024-0001",
        "@ann @shop/team ann@evil.example mailto:ann@evil.example",
        "https://evil.example ftp://evil.example/a www.evil.example WWW.evil.example",
        "shop/orders!12 %12 ~bug $12 &12 [vulnerability:12] *iteration:12",
        r"$\href{https://evil.example}{passed}$",
        "[passed](//evil.example) ![](//evil.example/p.png) <b> `x` &#64;ann &commat;ann",
    ],
)
def test_what_a_file_says_is_no_link_and_calls_nobody(written: str) -> None:
    # As a site reads it: backslashes and entities of Markdown are gone, and then it links.
    text = html.unescape(re.sub(r"\\([^\w\s])", r"\1", cell(written)))
    assert text.replace("\u200b", "") == written
    linked = (
        *(
            r"@\w",
            r"\w#\d",
            r"#\d",
            r"\w!\d",
            r"(?<![\w&])[%~$]\w",
            r"&\d",
            r"\[\w+:",
            r"gh-\d",
            r"://",
        ),
        *(r"www\.\w", r"ghsa-\w", r"cve-\d", r"(?<![0-9a-z])[0-9a-f]{7,40}(?![0-9a-z])"),
    )
    assert [p for p in linked if re.search(p, text, re.IGNORECASE)] == []
    assert not re.search(r"(?<!\\)[\[\]`*$]|<", cell(written))


def test_a_comment_is_no_longer_than_a_site_takes(
    hazards: tuple[Migration, ...], hazardous: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.example")
    monkeypatch.setenv("GITHUB_REPOSITORY", "shop/orders")
    monkeypatch.setenv("GITHUB_RUN_ID", "7")
    remarks = {hazards[0].path: [Remark("rule", "error", n, "é" * 900, "") for n in range(99)]}
    many = tuple(f"{n} {'é' * 900}" for n in range(99))
    text = verdict(replace(hazardous, problems=many, notes=many), remarks)
    plan = make_plan(None, [replace(hazards[0], id=f"{n:04}_{'x' * 60}") for n in range(2000)])
    text += as_markdown(plan, COMMENT - len(text.encode()))
    assert len(text.encode()) < 65_536
    assert "more: `trueup lint` lists all" in text
    assert len(re.findall(r"^- and \d+ more: see the report", text, re.M)) == 2
    assert "files more: see the report" in text
    assert "[this run](https://github.example/shop/orders/actions/runs/7#artifacts)" in text
    alone = as_markdown(plan)
    assert 60_000 < len(alone.encode()) <= COMMENT
    assert alone.endswith("</details>\n")


def test_a_folder_that_is_missing_is_one_clear_error(tmp_path: Path) -> None:
    done = run_trueup(
        "review", "--sources", str(HAZARDS), "--output", str(tmp_path / "none"), cwd=tmp_path
    )
    assert done.returncode == 2
    assert "is not a folder" in done.stderr


def test_the_settings_of_lint_count_in_a_review(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "0001_a.sql").write_text("SET lock_timeout = '1s';\nDROP TABLE users;\n")
    migrations = read_migrations([tmp_path])
    monkeypatch.chdir(tmp_path)
    assert "drop-table" in {r.rule for each in read_remarks(migrations).values() for r in each}
    (tmp_path / "0001_a.down.psql").write_text("SELECT 1;")
    notes: list[str] = []
    read_remarks(migrations, notes)
    assert ["0001_a.down.psql" in note for note in notes] == [True]
    (tmp_path / "trueup.toml").write_text('[rules]\ndrop-table = "off"\n')
    assert "drop-table" not in {r.rule for each in read_remarks(migrations).values() for r in each}
