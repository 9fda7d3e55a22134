"""Lint says nothing untrue of what trueup generates for the objects that a real schema holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from objects.test_constraints_and_indexes import CONSTRAINTS, INDEXES
from objects.test_dependents import ONLY_IN_A_WINDOW, OTHERS, VIEWS, standard_for
from objects.test_tables import TABLES
from objects.things import PARTS, STANDARD, things
from support.databases import DatabaseFactory
from support.journey import Journey

from runner.lint import lint

RENAMED = STANDARD + 'columns.body = "thing_body"\n'
MORE = {
    "materialized view and policy": things(
        then="""
            CREATE MATERIALIZED VIEW open_things AS SELECT id FROM things WHERE status = 'open';
            ALTER TABLE things ENABLE ROW LEVEL SECURITY;
            CREATE POLICY open_only ON things USING (status = 'open');
        """
    ),
    "disabled rule": things(
        then="""
            CREATE RULE quiet AS ON DELETE TO things WHERE OLD.status = 'open' DO INSTEAD NOTHING;
            ALTER TABLE things DISABLE RULE quiet;
        """
    ),
}
SCHEMAS = {
    f"{kind}: {name}": (schema, standard_for(schema))
    for kind, schemas in {
        "view": VIEWS,
        "other": OTHERS,
        "window": ONLY_IN_A_WINDOW,
        "table": TABLES,
        "constraint": CONSTRAINTS,
        "index": INDEXES,
        "more": MORE,
    }.items()
    for name, schema in schemas.items()
} | {
    "more: view of a renamed column": (
        things("body text", then="CREATE VIEW shown AS SELECT status, body FROM things;"),
        RENAMED,
    ),
    "more: a name that literals double": (
        """CREATE TABLE "it's" (id varchar(36) PRIMARY KEY); GRANT SELECT ON "it's" TO PUBLIC;""",
        """[table."it's"]\nname = "its"\nuuids = ["id"]\n""",
    ),
    "more: keys of two tables": (
        things(
            then="""
                CREATE TABLE parts (
                    id varchar(36) PRIMARY KEY, thing_id varchar(36) REFERENCES things
                );
                CREATE INDEX ON parts (thing_id);
                CREATE TABLE bits (
                    id varchar(36) PRIMARY KEY,
                    part_id varchar(36) NOT NULL UNIQUE REFERENCES parts
                );
            """
        ),
        STANDARD + PARTS + '[table.bits]\nname = "bit"\nuuids = ["id", "part_id"]\n',
    ),
}

# True of the old contract already: the standard asks for no index that was not there.
NO_INDEX = (
    "foreign-key-without-index",
    "no index of part begins with thing_id: each DELETE or key change in thing reads all of part",
)


def said(*folders: Path) -> list[tuple[str, str]]:
    report = lint([folder for folder in folders if folder.exists()])
    assert not report.notes
    return [(finding.rule, finding.message) for finding in report.findings]


@pytest.mark.parametrize(("schema", "standard"), SCHEMAS.values(), ids=SCHEMAS)
def test_what_is_generated_passes(
    database_factory: DatabaseFactory, tmp_path: Path, schema: str, standard: str
) -> None:
    Journey(database_factory, tmp_path).start(schema, standard)
    common = tmp_path / "common"
    online = [common, *(tmp_path / "online" / part for part in ("", "switch", "contract"))]
    window = [common, tmp_path / "window"]
    true_of_parts = [NO_INDEX] if "TABLE parts" in schema and "INDEX ON parts" not in schema else []

    seen = true_of_parts if (tmp_path / "online").exists() else []
    assert said(*online) == seen
    # The baseline tells what columns and indexes there are; without it only online shows which
    # column of parts is new.
    assert said(*window) == []
    baseline = tmp_path / "legacy" / "0001_baseline_schema.sql"
    baseline.parent.mkdir()
    baseline.write_text(schema, encoding="utf-8")
    assert said(*online) == seen
    assert said(*window) == true_of_parts


@pytest.mark.parametrize(
    ("where", "found"), [("ctid = ANY ($1)", []), ("true", ["update-whole-table"])]
)
def test_the_update_in_a_backfills_call_is_judged_like_any_other(
    tmp_path: Path, where: str, found: list[str]
) -> None:
    (tmp_path / "0001_backfill_t.sql").write_text(
        "-- Fill b.\n-- transactional: false\n\nCALL trueup.fill_rows(\n    '0001_backfill_t',"
        " 'public.t',\n    unfilled => 'b IS NULL',\n    fill => $$"
        f"UPDATE public.t SET b = a WHERE {where}$$,\n    statistics => $$ANALYZE public.t$$\n);\n"
    )
    (tmp_path / "0001_backfill_t.rollback.sql").write_text("-- no-op: b goes with its table.\n")
    assert [rule for rule, _ in said(tmp_path)] == found
