"""Generated files: the committed ones come out again, byte for byte."""

from __future__ import annotations

from pathlib import Path

from support.variants import BASELINE, SHIPPED, TEXT, MakeService, write_generated


def read_all(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*.sql"))
        if "legacy" not in path.parts
    }


def test_generating_again_changes_nothing(make_service: MakeService, tmp_path: Path) -> None:
    service = make_service(TEXT, filled=False)
    write_generated(SHIPPED / "standard.toml", service.dsn, tmp_path, BASELINE)
    assert read_all(tmp_path) == read_all(SHIPPED)


def test_rows_change_nothing_in_the_files(make_service: MakeService, tmp_path: Path) -> None:
    service = make_service(TEXT)
    write_generated(SHIPPED / "standard.toml", service.dsn, tmp_path, BASELINE)
    assert read_all(tmp_path) == read_all(SHIPPED)
