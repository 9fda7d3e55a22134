"""Generated files as a reviewer meets them: their form, their order, and what is refused."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from support.toolkit import assert_complete
from support.variants import SHIPPED

from runner.catalog import Catalog, Column, Constraint, Index, Relation
from runner.errors import StandardError
from runner.generate import MigrationText, generate
from runner.ledger.scanner import split
from runner.quoting import Name, quote_ident, shorten
from runner.standard import EnumStandard, Standard, TableStandard

STATUS = EnumStandard("Status", ("OPEN", "DONE"))

PARENT = Relation(
    "public",
    "tasks",
    "r",
    "owner",
    columns=(
        Column("id", "character varying(36)", not_null=True),
        Column("state", "text", not_null=True, default="'open'::text"),
        Column("note", "text", not_null=False),
    ),
    constraints=(Constraint("tasks_pkey", "p", "PRIMARY KEY (id)", ("id",), True),),
    indexes=(
        Index(
            "tasks_pkey",
            "CREATE UNIQUE INDEX tasks_pkey ON public.tasks USING btree (id)",
            ("id",),
            True,
            True,
            constraint="tasks_pkey",
        ),
    ),
)
CHILD = Relation(
    "public",
    "steps",
    "r",
    "owner",
    columns=(Column("task_id", "character varying(36)", not_null=False),),
    constraints=(
        Constraint(
            "steps_task_id_fkey",
            "f",
            "FOREIGN KEY (task_id) REFERENCES public.tasks(id) ON DELETE CASCADE",
            ("task_id",),
            True,
            references=Name("public", "tasks"),
            referenced_columns=("id",),
        ),
    ),
)
TASKS = TableStandard("public", "tasks", "task", uuids=("id",), enums={"state": STATUS})
STEPS = TableStandard("public", "steps", "step", uuids=("task_id",))


def catalog(*relations: Relation) -> Catalog:
    return Catalog(18, ("public",), {r.qualified: r for r in relations})


def files(
    *tables: TableStandard, relations: tuple[Relation, ...] = (PARENT, CHILD)
) -> list[MigrationText]:
    standard = Standard("s", "public", tables)
    return list(generate(standard, catalog(*relations), baseline="0001_baseline").files)


def committed() -> list[Path]:
    found = sorted(p for p in SHIPPED.rglob("*.sql") if "rollback" not in p.name)
    assert len(found) > 40
    return found


@pytest.mark.parametrize("path", committed(), ids=lambda p: p.stem)
def test_each_committed_file_tells_a_reviewer_what_it_does(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    header = text[: text.index("\n\n")]
    keys = re.findall(r"^-- (\w+): +\S", header, re.MULTILINE)
    assert keys[:4] == ["does", "locks", "cost", "undo"]
    # yoyo reads a directive from one line.
    lines = [line for line in header.splitlines() if not line.startswith("-- depends:")]
    assert max(map(len, lines)) <= 120
    rollback = path.with_suffix("").with_suffix(".rollback.sql")
    assert rollback.read_text(encoding="utf-8").startswith("-- ")
    if "transactional: false" in header:
        assert len(split(text)) == 1
        assert len(split(rollback.read_text(encoding="utf-8"))) == 1


@pytest.mark.parametrize("value", ["DONE", "FINISHED"])
def test_a_value_that_the_old_column_cannot_hold_is_refused(value: str) -> None:
    state = Column("state", "character varying(5)", not_null=True)
    parent = replace(PARENT, columns=(PARENT.columns[0], state))
    table = replace(TASKS, enums={"state": EnumStandard("Status", ("OPEN", value))})
    if value == "DONE":
        assert files(table, relations=(parent,))
        return
    with pytest.raises(StandardError, match=r"state is varchar\(5\), and FINISHED of"):
        files(table, relations=(parent,))
    short = EnumStandard("Status", ("OPEN", value), back={value: "done"})
    assert files(replace(table, enums={"state": short}), relations=(parent,))


def test_files_are_the_same_whatever_the_order_of_the_catalog() -> None:
    standard = Standard("s", "public", (TASKS, STEPS))
    assert generate(standard, catalog(PARENT, CHILD), baseline=None) == generate(
        standard, catalog(CHILD, PARENT), baseline=None
    )


def test_files_of_many_tables_are_the_same_once_they_are_there() -> None:
    names = [f"t{n}s" for n in range(270)]
    on_state = Index(
        "tasks_state_idx",
        "CREATE INDEX tasks_state_idx ON public.tasks USING btree (state)",
        ("state",),
        False,
        True,
    )
    indexes = (*PARENT.indexes, on_state)
    relations = [replace(PARENT, name=name, indexes=indexes) for name in names]
    tables = tuple(replace(TASKS, old=name, name=name[:-1]) for name in names)
    standard = Standard("s", "public", tables)
    first = generate(standard, catalog(*relations), baseline=None)
    ids = [file.id for file in first.files]
    assert {len(id_.partition("_")[0]) for id_ in ids} == {5}
    assert generate(standard, catalog(*relations), baseline=None, existing=ids) == first


def test_a_service_knows_its_own_toolkit_whatever_its_name() -> None:
    made: list[str] = []
    for service in ("orders", "注文", "支払"):
        found = generate(Standard(service, "public", (TASKS,)), catalog(PARENT), baseline=None)
        kit = [file for file in found.files if "_toolkit_" in file.id]
        own = re.search(r"is_called\('(.*)'\)", kit[0].rollback)
        assert own is not None
        assert all(re.search(own[1], file.id) for file in kit)
        assert not any(re.search(own[1], id_) for id_ in made)
        made += [file.id for file in kit]
    assert len({*made}) == len(made)


def test_the_committed_files_have_what_they_call_and_call_what_they_have() -> None:
    assert_complete(
        MigrationText(
            path.stem,
            path.parent.relative_to(SHIPPED).as_posix(),
            path.read_text(encoding="utf-8"),
            path.with_suffix(".rollback.sql").read_text(encoding="utf-8"),
        )
        for path in committed()
        if path.parent.name != "legacy"
    )


def test_each_file_depends_on_files_before_it() -> None:
    known = {"0001_baseline"}
    for file in files(TASKS, STEPS):
        depends = re.search(r"^-- depends: (.*)$", file.sql, re.MULTILINE)
        assert depends, file.id
        assert set(depends[1].split()) <= known, file.id
        known.add(file.id)


def test_a_parent_is_converted_before_its_child_and_contracted_after_it() -> None:
    ids = [file.id for file in files(STEPS, TASKS)]
    position = {id_.partition("_")[2]: place for place, id_ in enumerate(ids)}
    assert position["expand_task"] < position["expand_step"]
    assert position["contract_step"] < position["contract_task"]


def test_a_table_at_the_standard_gives_no_file() -> None:
    relation = replace(CHILD, name="step", constraints=())
    table = TableStandard("public", "step", "step")
    subjects = [f.id for f in files(table, relations=(relation,))]
    assert not [s for s in subjects if "step" in s]


@pytest.mark.parametrize(
    ("tables", "relations", "message"),
    [
        ((TableStandard("public", "nope", "nope"),), (PARENT,), "names the table public.nope"),
        ((replace(TASKS, uuids=("key",)),), (PARENT,), "names the column public.tasks.key"),
        ((TASKS,), (PARENT, replace(CHILD, name="task")), "that name is taken"),
        ((TASKS, replace(STEPS, uuids=())), (PARENT, CHILD), "only public.tasks.id is converted"),
        ((replace(TASKS, uuids=()), STEPS), (PARENT, CHILD), "only public.steps.task_id is"),
    ],
)
def test_what_does_not_fit_the_database_is_refused_by_name(
    tables: tuple[TableStandard, ...], relations: tuple[Relation, ...], message: str
) -> None:
    with pytest.raises(StandardError, match=re.escape(message)):
        files(*tables, relations=relations)


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("plain_1", "plain_1"),
        ("Capital", '"Capital"'),
        ('a"b', '"a""b"'),
        ("order", '"order"'),
        ("50%", '"50%"'),
        ("é", '"é"'),
        ("1st", '"1st"'),
    ],
)
def test_names_are_quoted_only_where_they_must_be(name: str, quoted: str) -> None:
    assert quote_ident(name) == quoted


def test_a_name_never_grows_over_63_bytes() -> None:
    cut = shorten("é" * 40, "__old")
    assert cut.startswith("éé")
    assert cut.endswith("__old")
    assert len(cut.encode()) <= 63


def test_two_names_that_are_cut_stay_two_names() -> None:
    assert shorten("x" * 60 + "a", "__old") != shorten("x" * 60 + "b", "__old")
