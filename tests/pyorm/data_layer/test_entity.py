"""Declaring an entity, and what is refused at the declaration rather than later."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any, Unpack
from uuid import UUID, uuid4

import pytest

from pyorm import Fields, Model, Repository, column, entity
from pyorm.ddl import create_table
from pyorm.entity import declaration
from pyorm.errors import DeclarationError, InvalidValue

from .entities import Author, Book, a_model


def test_an_entity_is_a_plain_dataclass_with_slots() -> None:
    model = a_model()
    assert dataclasses.is_dataclass(model)
    assert not hasattr(model, "__dict__")
    assert dataclasses.replace(model, description="x").description == "x"
    with pytest.raises(dataclasses.FrozenInstanceError):
        Author(name="Ada").name = "Eve"  # type: ignore[misc]


def test_a_declaration_says_what_the_table_is() -> None:
    declared = declaration(Model)
    assert (declared.schema, declared.table, declared.old) == ("public", "model", "models")
    assert declared.key == ("id",)
    capabilities = declared.column("capabilities")
    assert (capabilities.array, capabilities.nullable) == (True, False)
    assert declaration(Author).column("name").name == "Name"


def test_a_class_that_is_no_entity_is_refused() -> None:
    class NoEntity:
        id: UUID

    with pytest.raises(DeclarationError, match="is not an entity"):
        Repository(NoEntity, None)  # type: ignore[arg-type]


def test_a_field_that_no_column_can_hold_is_refused() -> None:
    with pytest.raises(DeclarationError, match="is not the type of a column"):

        @entity("thing")
        class Thing:
            id: UUID
            other: set[int]


def test_a_field_named_as_an_argument_of_find_is_refused() -> None:
    with pytest.raises(DeclarationError, match=r"call the field limit_ = column\(name='limit'\)"):

        @entity("thing")
        class Thing:
            id: UUID
            limit: int


def test_a_key_that_is_no_field_is_refused() -> None:
    with pytest.raises(InvalidValue, match="Thing has no field 'id'"):

        @entity("thing")
        class Thing:
            name: str


class ThingFields(Fields, total=False):
    id: UUID | str
    nam: str


def test_field_types_that_differ_from_the_entity_are_refused() -> None:
    with pytest.raises(DeclarationError, match="those of __fields__ differ: nam, name"):

        @entity("thing")
        class Thing:
            id: UUID
            name: str

            def __fields__(self, **fields: Unpack[ThingFields]) -> None: ...


class WrongTypes(Fields, total=False):
    id: str
    size: list[bytes]


def test_field_types_of_another_type_are_refused() -> None:
    with pytest.raises(DeclarationError, match="those of __fields__ differ: id, size"):

        @entity("job")
        class Job:
            id: int
            size: int | None = None

            def __fields__(self, **fields: Unpack[WrongTypes]) -> None: ...


def run_fields(*arguments: str, where: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pyorm.fields", *arguments]
    paths = {"PYTHONPATH": str(Path.cwd())}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=where, env=os.environ | paths
    )


def test_the_field_types_of_the_shipped_and_the_tests_entities_are_current() -> None:
    modules = ("pyorm.model_orchestration", "tests.pyorm.data_layer.entities")
    done = run_fields("--check", *modules)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


SERVICE = """
from typing import Unpack
from uuid import UUID

from pyorm import Fields, column, entity


class JobFields(Fields, total=False):
    id: UUID | str
    gone: int


@entity("job")
class Job:
    id: UUID
    size: int | None = None
    tags: list[str] = column(default_factory=list)
    about: dict[str, list[int]] | None = column(sql_type="jsonb", default=None)

    def __fields__(self, **fields: Unpack[JobFields]) -> None: ...


@entity("bare")
class Bare:
    id: int
"""


def test_field_types_are_kept_current_by_a_command(tmp_path: Path) -> None:
    source = tmp_path / "service.py"
    source.write_text(SERVICE)
    checked = run_fields("--check", "service", where=tmp_path)
    assert checked.returncode == 1
    assert "service.py:8: the field types of Job are not current" in checked.stdout
    assert "the field types of Bare are missing" in checked.stdout
    assert source.read_text() == SERVICE
    assert run_fields("--write", "service:Job", where=tmp_path).returncode == 0
    written = (
        "class JobFields(Fields, total=False):\n"
        "    id: UUID | str\n"
        "    size: int | None\n"
        "    tags: list[str]\n"
        "    about: dict[str, list[int]] | None\n\n\n"
    )
    before, after = SERVICE.split("class JobFields")[0], SERVICE[SERVICE.index("@entity") :]
    assert source.read_text() == before + written + after
    assert run_fields("--check", "service:Job", where=tmp_path).returncode == 0
    told = run_fields("--write", "service", where=tmp_path).stdout
    assert "give Bare its __fields__" in told
    assert "def __fields__(self, **fields: Unpack[BareFields]) -> None: ..." in told
    assert run_fields("--check", "service", where=tmp_path).returncode == 0
    assert "class BareFields(Fields, total=False):" in source.read_text()


def test_what_field_types_need_is_imported(tmp_path: Path) -> None:
    source = tmp_path / "service.py"
    source.write_text('from pyorm import entity\n\n\n@entity("bare")\nclass Bare:\n    id: int\n')
    assert run_fields("--write", "service", where=tmp_path).returncode == 0
    assert source.read_text().startswith("from pyorm import entity\nfrom pyorm import Fields\n")
    assert run_fields("--check", "service", where=tmp_path).returncode == 0
    source.write_text("wrong")
    refused = run_fields("--check", "service", where=tmp_path)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "service: NameError: name 'wrong' is not defined\n"


@pytest.mark.parametrize(
    ("above", "below"),
    [
        ("from pyorm import entity\n", "\n\nimport os\n"),
        ('"""Said."""\n', ""),
        ('"""Said."""\nfrom __future__ import annotations\n', "\n\nimport os\n"),
    ],
)
def test_the_import_stands_above_what_needs_it(tmp_path: Path, above: str, below: str) -> None:
    source = tmp_path / "service.py"
    rest = "try:\n    from pyorm import entity\nexcept ImportError:\n    raise\n\n\n"
    bare = f'@entity("bare")\nclass Bare:\n    id: int\n{below}'
    source.write_text(f"{above}{rest}{bare}")
    assert run_fields("--write", "service", where=tmp_path).returncode == 0
    assert source.read_text().startswith(f"{above}from pyorm import Fields\n{rest}class BareFields")
    assert run_fields("--check", "service", where=tmp_path).returncode == 0


def test_field_types_are_printed_by_a_command() -> None:
    command = [sys.executable, "-m", "pyorm.fields"]
    done = subprocess.run(
        [*command, "pyorm.model_orchestration:Model"], capture_output=True, text=True, check=True
    )
    assert "    status: ModelStatus\n" in done.stdout
    for wrong in ("pyorm:Nothing", "nothing:Model", "pyorm.enums:ModelStatus"):
        refused = subprocess.run([*command, wrong], capture_output=True, text=True, check=False)
        assert refused.returncode == 1
        assert wrong in refused.stderr
        assert "Traceback" not in refused.stderr


def test_a_constructor_that_does_more_is_called(database: str) -> None:
    import psycopg

    @entity("stamp")
    class Stamp:
        id: UUID = column(default_factory=uuid4)
        at: datetime | None = None
        note: str = ""

        def __post_init__(self) -> None:
            self.note = self.note.strip()

        def __fields__(self, **fields: Any) -> None: ...

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(create_table(Stamp).encode())
        stamps = Repository(Stamp, connection)
        stamp = stamps.add(Stamp(note="a"))
        connection.execute("UPDATE stamp SET note = ' b '")
        assert stamps.get(stamp.id).note == "b"


@pytest.mark.parametrize(
    ("references", "said"),
    [
        ("user (id)", '"user" ("id")'),
        ("user", '"user"'),
        ("Order(A, b) ON DELETE CASCADE", '"order"("a", "b") ON DELETE CASCADE'),
        ('"Or""der" ("Id")', '"Or""der" ("Id")'),
        ("shop.user (id)", '"shop"."user" ("id")'),
        ("GRÖSSE(übung, _2)", '"grÖsse"("übung", "_2")'),
        ("a$B(id$1)", '"a$b"("id$1")'),
        ('users("a)b", C)', '"users"("a)b", "c")'),
    ],
)
def test_a_reference_is_to_a_table_of_any_name(references: str, said: str) -> None:
    @entity("line")
    class Line:
        id: int
        of: int = column(references=references)

    assert f'FOREIGN KEY ("of") REFERENCES {said}\n' in create_table(Line)


def test_the_create_table_of_an_entity() -> None:
    assert create_table(Book) == (
        'CREATE TABLE "book" (\n'
        '    "shelf" varchar(20) NOT NULL,\n'
        '    "number" integer NOT NULL,\n'
        '    "author_id" uuid NOT NULL,\n'
        '    "100%" varchar,\n'
        '    CONSTRAINT "book_pkey" PRIMARY KEY ("shelf", "number"),\n'
        '    CONSTRAINT "book_author_id_fkey" FOREIGN KEY ("author_id") '
        'REFERENCES "author" ("id")\n'
        ")"
    )
