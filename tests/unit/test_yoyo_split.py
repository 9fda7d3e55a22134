"""Most files are plain enough to be known to yoyo's splitter without asking it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.ledger import yoyo_split
from runner.ledger.scanner import ScanError
from runner.ledger.yoyo_split import misread_by_yoyo

WORDS = """
    ALTER TABLE t ADD c int CREATE OR REPLACE FUNCTION f PROCEDURE TRIGGER AS SELECT UPDATE SET IF
    NOT EXISTS FOR EACH ROW WHILE LOOP CASE WHEN THEN ELSE END BEGIN DECLARE GO go GRANT ON TO x
    RETURNS VALUES ( ) ( ) , . ; ; ; = 1 'text' 'a;b' 'it''s' 'open( ' E'c:\\\\' e'd\\'' "name"
    "a;b" 'a\\' $$ $a$ -- /* */ # # @ :=
""".split()
PIECES = ["-- said; so\n", "\n", "--( open\n", "/* ; */", "$$a;b$$", "`", "[a;b]", "é"]


@given(st.lists(st.sampled_from([*WORDS, *PIECES]), max_size=25))
def test_a_file_that_is_called_plain_is_split_by_yoyo_as_by_postgresql(words: list[str]) -> None:
    text = " ".join(words)
    try:
        quickly = misread_by_yoyo(text)
    except ScanError:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yoyo_split, "_is_plain", lambda *_: False)
        assert misread_by_yoyo(text) == quickly


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 'C:\\'; SELECT 'x'; SELECT 'a;b';",
        "SELECT /* a /* b */ ; */ 1;",
    ],
)
def test_what_yoyo_reads_otherwise_is_found(text: str) -> None:
    assert misread_by_yoyo(text) is not None


def test_a_plain_file_needs_no_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sqlparse", None)
    assert misread_by_yoyo("CREATE TABLE t (a int DEFAULT 1);\nDROP TABLE u; -- gone\n") is None
