"""Migration files are read as yoyo reads them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yoyo
from hypothesis import given, settings
from hypothesis import strategies as st
from support.migration_files import write_migration
from yoyo.migrations import topological_sort

from runner.errors import MigrationFileError
from runner.ledger.files import chain_checksums, read_migration, read_migrations
from runner.ledger.rules import check_files

SQL = Path(__file__).parents[2] / "sql"


def shipped_sources() -> list[Path]:
    return sorted({path.parent for path in SQL.rglob("*.sql")})


def same_as_yoyo(*sources: Path) -> None:
    ours = read_migrations(sources)
    theirs = list(topological_sort(yoyo.read_migrations(*(str(source) for source in sources))))
    assert [m.id for m in ours] == [m.id for m in theirs]
    for our, their in zip(ours, theirs, strict=True):
        their.load()
        assert our.depends == {parent.id for parent in their.depends}
        assert our.transactional == their.use_transactions
        assert our.yoyo_hash == their.hash
        forward = [step.step._apply for step in their.steps if step.step._apply]
        undo = [step.step._rollback for step in reversed(their.steps) if step.step._rollback]
        assert [s.text for s in our.statements] == [bare(text) for text in forward]
        assert [s.text for s in our.rollback_statements] == [bare(text) for text in undo]


def bare(statement: str) -> str:
    """A statement as yoyo sends it, without the comments before it."""
    lines = statement.splitlines(keepends=True)
    while lines and (not lines[0].strip() or lines[0].lstrip().startswith("--")):
        del lines[0]
    return "".join(lines).strip()


@pytest.mark.skipif(not shipped_sources(), reason="no SQL is shipped yet")
def test_the_shipped_files_mean_the_same_to_yoyo_and_to_trueup() -> None:
    for service in {source.relative_to(SQL).parts[0] for source in shipped_sources()}:
        folder = SQL / service
        first, online, window = (
            (folder / "legacy", folder / "common"),
            folder / "online",
            folder / "window",
        )
        if any(online.glob("*.sql")):
            same_as_yoyo(*first, online)
        if any((online / "switch").glob("*.sql")):
            same_as_yoyo(*first, online, online / "switch")
        if any((online / "contract").glob("*.sql")):
            same_as_yoyo(*first, online, online / "switch", online / "contract")
        if any(window.glob("*.sql")):
            same_as_yoyo(*first, window)


@settings(max_examples=50, deadline=None)
@given(data=st.data(), count=st.integers(1, 8))
def test_the_order_is_yoyos_whatever_depends_on_what(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, count: int
) -> None:
    folder = tmp_path_factory.mktemp("sources")
    order = data.draw(st.permutations([f"{n:04}_expand_x" for n in range(count)]))
    sources = [folder / "one", folder / "two"]
    used = set()
    for index, name in enumerate(order):
        parents = data.draw(st.sets(st.sampled_from(order[:index]))) if index else set()
        source = data.draw(st.sampled_from(sources))
        used.add(source)
        write_migration(source, name, "SELECT 1;", depends=" ".join(sorted(parents)))
    same_as_yoyo(*(source for source in sources if source in used))


def test_a_header_holds_title_directives_and_metadata(tmp_path: Path) -> None:
    (tmp_path / "0100_expand_model.sql").write_text(
        "-- Give models its new contract\n-- beside the old one.\n--\n"
        "-- does:    renames models to model;\n--          keeps the old name\n"
        "-- undo:    instant\n-- transactional: FALSE\n-- depends: 0001_baseline_b\n"
        "-- depends: 0001_baseline_a\nSELECT 1;\n"
    )
    (tmp_path / "0100_expand_model.rollback.sql").write_text("SELECT 2;")
    for name in ("0001_baseline_a", "0001_baseline_b"):
        write_migration(tmp_path, name, "SELECT 1;")
    migration = read_migrations([tmp_path])[2]
    assert migration.title == "Give models its new contract beside the old one."
    assert migration.metadata == {
        "does": "renames models to model; keeps the old name",
        "undo": "instant",
    }
    assert not migration.transactional
    assert migration.depends == {"0001_baseline_a", "0001_baseline_b"}
    assert (migration.number, migration.phase) == ("0100", "expand")
    assert [s.text for s in migration.rollback_statements] == ["SELECT 2;"]


def test_the_service_is_the_folder_that_holds_the_sources(tmp_path: Path) -> None:
    service = tmp_path / "orders"
    write_migration(service / "legacy", "0001_baseline_a", "SELECT 1;")
    write_migration(service / "online" / "contract", "0900_contract_a", "SELECT 1;")
    found = read_migrations([service / "legacy"], on_request=[service / "online" / "contract"])
    assert [(m.service, m.on_request) for m in found] == [("orders", False), ("orders", True)]


def test_a_checksum_covers_both_files_and_all_ancestors(tmp_path: Path) -> None:
    write_migration(tmp_path, "0001_expand_a", "SELECT 1;")
    write_migration(tmp_path, "0002_expand_b", "SELECT 1;", depends="0001_expand_a")
    before = chain_checksums(read_migrations([tmp_path]))
    (tmp_path / "0001_expand_a.rollback.sql").write_text("SELECT 2;\n")
    after = chain_checksums(read_migrations([tmp_path]))
    assert before["0001_expand_a"] != after["0001_expand_a"]
    assert before["0002_expand_b"] != after["0002_expand_b"]


def test_line_breaks_of_another_system_are_no_change(tmp_path: Path) -> None:
    path = write_migration(tmp_path, "0001_expand_a", "SELECT\n1;")
    before = read_migrations([tmp_path])[0].checksum
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_migrations([tmp_path])[0].checksum == before


def test_a_missing_or_empty_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MigrationFileError, match="does not exist"):
        read_migrations([tmp_path / "no"])
    with pytest.raises(MigrationFileError, match="holds no migration"):
        read_migrations([tmp_path])
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(MigrationFileError, match="is a file"):
        read_migrations([file])


def test_a_migration_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "0001_expand_a.sql").mkdir()
    with pytest.raises(MigrationFileError, match=r"0001_expand_a\.sql is a folder"):
        read_migrations([tmp_path])


def test_an_id_that_two_sources_have_is_refused(tmp_path: Path) -> None:
    for source in ("one", "two"):
        write_migration(tmp_path / source, "0001_expand_a", "SELECT 1;")
    with pytest.raises(MigrationFileError, match=r"its id is taken by .*one"):
        read_migrations([tmp_path / "one", tmp_path / "two"])


def test_depends_must_name_a_file(tmp_path: Path) -> None:
    write_migration(tmp_path, "0001_expand_a", "SELECT 1;", depends="0000_expand_gone")
    with pytest.raises(MigrationFileError, match="depends names '0000_expand_gone'"):
        read_migrations([tmp_path])


def test_a_loop_in_depends_is_shown(tmp_path: Path) -> None:
    write_migration(tmp_path, "0001_expand_a", "SELECT 1;", depends="0003_expand_c")
    write_migration(tmp_path, "0002_expand_b", "SELECT 1;", depends="0001_expand_a")
    write_migration(tmp_path, "0003_expand_c", "SELECT 1;", depends="0002_expand_b")
    write_migration(tmp_path, "0004_expand_d", "SELECT 1;", depends="0003_expand_c")
    with pytest.raises(
        MigrationFileError,
        match="loop: 0001_expand_a -> 0003_expand_c -> 0002_expand_b -> 0001_expand_a",
    ):
        read_migrations([tmp_path])


def test_bytes_that_are_no_utf8_are_shown_with_their_line(tmp_path: Path) -> None:
    path = write_migration(tmp_path, "0001_expand_a", "SELECT 1;")
    path.write_bytes(b"-- a\nSELECT '\xe4';\n")
    with pytest.raises(MigrationFileError, match=r"0001_expand_a\.sql:2: byte 0xe4 is not UTF-8"):
        read_migrations([tmp_path])


@pytest.mark.parametrize(
    ("present", "hint"),
    [
        ([], "name the folder that holds the .sql files"),
        (["standard.toml"], "write them by `trueup generate --service planning`"),
        (["standard.toml", "window/0501_window_plan.sql"], "--strategy window"),
    ],
)
@pytest.mark.parametrize("is_there", [False, True])
def test_a_service_without_files_is_told_the_way_to_them(
    tmp_path: Path, present: list[str], hint: str, is_there: bool
) -> None:
    service = tmp_path / "planning"
    for name in present:
        (service / name).parent.mkdir(parents=True, exist_ok=True)
        (service / name).touch()
    if is_there:
        (service / "online").mkdir(parents=True)
    with pytest.raises(MigrationFileError) as raised:
        read_migrations([service / "online"])
    if is_there and not present:
        assert raised.value.hint == ""
    else:
        assert hint in raised.value.hint


@pytest.mark.parametrize("text", ["\n" * 300_000, " " * 300_000, "-" * 300_000, "--\n" * 100_000])
def test_a_long_file_of_nothing_is_refused_in_no_time(tmp_path: Path, text: str) -> None:
    path = tmp_path / "0001_expand_a.sql"
    path.write_text(text)
    with pytest.raises(MigrationFileError, match="holds no statement"):
        check_files([read_migration(path)])


def test_what_has_no_end_and_a_link_to_no_migration_is_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "environ"
    secret.write_text("s3cret")
    (tmp_path / "0001_a.sql").symlink_to(secret)
    with pytest.raises(MigrationFileError, match=r"which is not a \.sql file") as refused:
        read_migration(tmp_path / "0001_a.sql")
    assert "s3cret" not in str(refused.value)
    (tmp_path / "0002_a.sql").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "0003_a.sql")
    for name in ("0002_a.sql", "0003_a.sql"):
        with pytest.raises(MigrationFileError, match="is a device or a pipe"):
            read_migration(tmp_path / name)
    # As Kubernetes mounts a ConfigMap.
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "0004_a.sql").write_text("SELECT 1;")
    (tmp_path / "0004_a.sql").symlink_to("data/0004_a.sql")
    assert read_migration(tmp_path / "0004_a.sql").text == "SELECT 1;"
