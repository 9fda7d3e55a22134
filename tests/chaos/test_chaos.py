"""A short run of `make chaos`, always with the same choices."""

from __future__ import annotations

import pytest
from support.variants import SHIPPED

from chaos.__main__ import describe
from chaos.book import Book, Found, Write, entry
from chaos.nemesis import FAULTS
from chaos.servers import Seat, Servers, make_database
from chaos.story import Story
from runner.postgres.embedded import start_server


def test_nothing_is_lost_while_everything_goes_on_and_much_fails() -> None:
    with start_server() as server:
        alone = Seat(server)
        make_database(alone)
        story = Story(Servers(alone), SHIPPED, seed=7, connections=8, faults=tuple(FAULTS))
        figures = story.run(8)
    assert not figures.wrong, describe(figures)
    assert figures.writes["done"] > 100
    assert figures.compared > 2
    assert sum(figures.faults.values()) > 0


def found(text: str, value: str = "OPENAI", counted: int = 1) -> Found:
    return Found([("row", text, value)], {"quota 0": counted})


@pytest.mark.parametrize(
    ("there", "what"),
    [
        (found(""), "0 times"),
        (found("1.1=OPENAI;1.1=OPENAI;"), "2 times"),
        (found("1.1=OPENAI;1.2=OPENAI;"), "failed, is there 1 times"),
        (found("1.1=OPENAI;", "OLLAMA"), "written last"),
        (found("9.9=OPENAI;1.1=OPENAI;"), "was seen in"),
        (found("1.1=OPENAI;9.9=OPENAI;"), "nobody wrote it"),
        (found("1.1=OPENAI;", counted=2), "1 increments"),
        (found("1.1=OPENAI;", counted=0), "1 increments"),
    ],
)
def test_the_book_finds_what_is_lost_doubled_or_out_of_order(there: Found, what: str) -> None:
    book = Book({"quota 0": 0})
    seen = entry("1.1", "openai")
    book.add([Write("append", "row", "1.1", seen), Write("count", "quota 0")], "done")
    book.add([Write("append", "row", "1.2", seen + entry("1.2", "openai"))], "failed")
    assert any(what in line for line in book.compare(there)), book.compare(there)
    assert book.compare(found(seen)) == []


def test_the_book_takes_a_write_in_doubt_either_way_and_knows_what_was_deleted() -> None:
    seen = entry("1.1", "openai")
    book = Book({"quota 0": 0})
    book.add([Write("append", "row", "1.1"), Write("count", "quota 0")], "unknown")
    assert book.compare(found(seen)) == []
    assert book.compare(found("", counted=0)) == []
    book.add([Write("append", "row", "1.2", entry("1.2", "openai"))], "done")
    assert book.compare(found("")) != []
    book.add([Write("delete", "row", seen=entry("1.2", "openai"))], "done")
    assert book.compare(found("")) == []
