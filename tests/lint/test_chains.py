"""Chains that PostgreSQL runs: lint says of none that it does not run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from runner.ledger.scanner import split
from runner.lint import lint
from runner.lint.docs import write_example

if TYPE_CHECKING:
    from pathlib import Path

REFUSED = {"already-there", "not-there", "used-by-view"}
CHAINS = {
    "a table of the session is dropped, and not the one behind it": """
CREATE TABLE t (a int);
CREATE TEMP TABLE t (b int);
DROP TABLE t;
-- file: 0002_b.sql
ALTER TABLE t ADD COLUMN b int;
""",
    "the next session sees the table, and not that of the session before": """
CREATE TABLE t (a int);
CREATE TEMP TABLE t (b int);
-- file: 0002_b.sql
ALTER TABLE t ADD COLUMN b int;
""",
    "each session has a table of its own of one name": """
CREATE TEMP TABLE tmp (a int);
-- file: 0002_b.sql
CREATE TEMP TABLE IF NOT EXISTS tmp (b int);
INSERT INTO tmp (b) VALUES (1);
""",
    "pg_temp is a schema of the session": """
CREATE TABLE t (a int);
CREATE TABLE pg_temp.t (b int);
INSERT INTO t (b) VALUES (1);
""",
    "a column is dropped before one of its name is added": """
CREATE TABLE t (a int, z int);
-- file: 0002_b.sql
ALTER TABLE t ADD COLUMN a bigint, DROP COLUMN a;
""",
    "a constraint is dropped before one of its name is added": """
CREATE TABLE t (a int, CONSTRAINT c CHECK (a>0));
-- file: 0002_b.sql
ALTER TABLE t ADD CONSTRAINT c CHECK (a>1), DROP CONSTRAINT c;
""",
    "a column is added before its constraint": """
CREATE TABLE t (a int);
-- file: 0002_b.sql
ALTER TABLE t ADD CONSTRAINT u UNIQUE (b), ADD COLUMN b int;
""",
    "a column is added before it is NOT NULL": """
CREATE TABLE t (a int);
-- file: 0002_b.sql
ALTER TABLE t ALTER COLUMN b SET NOT NULL, ADD COLUMN b int;
""",
    "the index of a constraint is called like it": """
CREATE TABLE t (a int, b int);
CREATE UNIQUE INDEX i ON t (a);
ALTER TABLE t ADD CONSTRAINT c UNIQUE USING INDEX i;
-- file: 0002_b.sql
CREATE UNIQUE INDEX i ON t (b);
""",
    "a key without a name is called like its index": """
CREATE TABLE t (a int NOT NULL, b int);
CREATE UNIQUE INDEX i ON t (a);
ALTER TABLE t ADD PRIMARY KEY USING INDEX i;
-- file: 0002_b.sql
ALTER TABLE t DROP CONSTRAINT i;
""",
    "a constraint is called like its index": """
CREATE TABLE t (id int PRIMARY KEY, a int CONSTRAINT k UNIQUE);
ALTER INDEX k RENAME TO k2;
ALTER TABLE t DROP CONSTRAINT k2;
""",
    "a key is called like its index": """
CREATE TABLE t (id int PRIMARY KEY);
ALTER INDEX t_pkey RENAME TO pk_t;
ALTER TABLE t DROP CONSTRAINT pk_t;
""",
    "the name of an index is free for a constraint": """
CREATE TABLE t (id int, a int CONSTRAINT k UNIQUE);
ALTER INDEX k RENAME TO k2;
ALTER TABLE t ADD CONSTRAINT k UNIQUE (id);
""",
    "PostgreSQL 18 keeps the name of a NOT NULL": """
CREATE TABLE t (a int CONSTRAINT a_nn NOT NULL);
-- file: 0002_b.sql
ALTER TABLE t DROP CONSTRAINT a_nn;
""",
    "SELECT INTO makes a table": """
CREATE TABLE t (a int);
CREATE TABLE t2 (a int);
DROP TABLE t2;
SELECT * INTO t2 FROM t;
-- file: 0002_b.sql
ALTER TABLE t2 ADD COLUMN q int;
""",
    "a constraint makes an index": """
CREATE TABLE t (a int);
CREATE UNIQUE INDEX i ON t (a);
-- file: 0002_b.sql
DROP INDEX i;
ALTER TABLE t ADD CONSTRAINT i UNIQUE (a);
ALTER INDEX i RENAME TO j;
""",
    "an index has a name that the file does not give it": """
CREATE TABLE t (a int);
CREATE INDEX ON t (a);
-- file: 0002_b.sql
DROP INDEX t_a_idx;
CREATE INDEX ON t (a);
DROP INDEX t_a_idx;
""",
    "a foreign table is one": """
CREATE TABLE ft (a int);
DROP TABLE ft;
CREATE FOREIGN DATA WRAPPER w;
CREATE SERVER s FOREIGN DATA WRAPPER w;
CREATE FOREIGN TABLE ft (a int) SERVER s;
ALTER TABLE ft ADD COLUMN b int;
""",
    "a partition gets the columns of its parent": """
CREATE TABLE m (n int) PARTITION BY RANGE (n);
CREATE TABLE p (n int);
ALTER TABLE m ATTACH PARTITION p FOR VALUES FROM (1) TO (2);
ALTER TABLE m ADD COLUMN z int;
-- file: 0002_b.sql
INSERT INTO p (n, z) VALUES (1,1);
""",
    "a partition keeps the constraints of its parent": """
CREATE TABLE m (n int) PARTITION BY RANGE (n);
CREATE TABLE p (n int);
ALTER TABLE m ATTACH PARTITION p FOR VALUES FROM (1) TO (2);
ALTER TABLE m ADD CONSTRAINT c CHECK (n < 9);
ALTER TABLE m DETACH PARTITION p;
-- file: 0002_b.sql
ALTER TABLE p DROP CONSTRAINT c;
""",
    "a partition goes with its parent, and its index": """
CREATE TABLE m (a int) PARTITION BY RANGE (a);
CREATE TABLE m1 PARTITION OF m FOR VALUES FROM (1) TO (2);
CREATE TABLE m2 (a int);
ALTER TABLE m ATTACH PARTITION m2 FOR VALUES FROM (2) TO (3);
CREATE INDEX i ON m1 (a);
-- file: 0002_b.sql
DROP TABLE m;
CREATE TABLE m1 (a int);
CREATE TABLE m2 (a int);
CREATE INDEX i ON m1 (a);
""",
    "the index of a partition goes with that of its parent": """
CREATE TABLE m (a int) PARTITION BY RANGE (a);
CREATE TABLE m1 PARTITION OF m FOR VALUES FROM (1) TO (2);
CREATE INDEX i ON ONLY m (a);
CREATE INDEX i1 ON m1 (a);
ALTER INDEX i ATTACH PARTITION i1;
-- file: 0002_b.sql
DROP INDEX i;
CREATE INDEX i1 ON m1 (a);
""",
    "a child gets the columns of its parent": """
CREATE TABLE par (n int);
CREATE TABLE ch (n int);
ALTER TABLE ch INHERIT par;
ALTER TABLE par ADD COLUMN z int;
-- file: 0002_b.sql
INSERT INTO ch (z) VALUES (1);
""",
    "INSERT calls a function that makes a table": """
CREATE TABLE t (a int);
CREATE FUNCTION mk() RETURNS int LANGUAGE plpgsql AS
$$ BEGIN EXECUTE 'CREATE TABLE u (z int)'; RETURN 1; END $$;
CREATE TABLE u (a int);
DROP TABLE u;
INSERT INTO t VALUES (mk());
-- file: 0002_b.sql
ALTER TABLE u ADD COLUMN y int;
""",
    "CREATE TABLE AS calls a function that adds a column": """
CREATE TABLE t (a int);
CREATE FUNCTION mk() RETURNS int LANGUAGE plpgsql AS
$$ BEGIN EXECUTE 'ALTER TABLE t ADD COLUMN b int'; RETURN 1; END $$;
CREATE TABLE r AS SELECT mk();
-- file: 0002_b.sql
INSERT INTO t (b) VALUES (1);
""",
    "UPDATE calls a function that adds a column": """
CREATE TABLE t (a int);
CREATE TABLE q (a int);
CREATE FUNCTION mk() RETURNS int LANGUAGE plpgsql AS
$$ BEGIN EXECUTE 'ALTER TABLE t ADD COLUMN b int'; RETURN 1; END $$;
INSERT INTO q VALUES (1);
UPDATE q SET a = mk() WHERE a = 1;
-- file: 0002_b.sql
INSERT INTO t (b) VALUES (1);
""",
    "a column of a view gets another name": """
CREATE VIEW v AS SELECT 1 AS a;
-- file: 0002_b.sql
ALTER VIEW v RENAME COLUMN a TO b;
CREATE OR REPLACE VIEW v AS SELECT 1 AS b;
""",
    "serial is serial": """
CREATE TABLE t (z int, id serial);
-- file: 0002_b.sql
ALTER TABLE t ADD COLUMN IF NOT EXISTS id serial;
""",
    "a view follows its table, and not the name": """
CREATE TABLE t (a int, b int);
CREATE VIEW v AS SELECT a FROM t;
ALTER TABLE t RENAME TO t_old;
CREATE TABLE t (a int, b int);
-- file: 0002_b.sql
ALTER TABLE t DROP COLUMN a;
""",
    "a view follows its column, and not the name": """
CREATE TABLE t (a int, b int);
CREATE VIEW v AS SELECT a FROM t;
-- file: 0002_b.sql
ALTER TABLE t RENAME COLUMN a TO a_old;
ALTER TABLE t ADD COLUMN a text;
ALTER TABLE t ALTER COLUMN a TYPE varchar(10);
""",
    "ORDER BY a name that the view itself gives": """
CREATE TABLE t (a int, b int);
CREATE VIEW v AS SELECT b AS a FROM t ORDER BY a;
ALTER TABLE t DROP COLUMN a;
""",
}


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_what_postgresql_runs_is_not_said_to_fail(
    database: str, tmp_path: Path, chain: str
) -> None:
    write_example(tmp_path, chain.strip())
    with psycopg.connect(database) as connection:
        if "a_nn" in chain and connection.info.server_version < 180000:
            pytest.skip("it drops the name")
    for path in sorted(tmp_path.rglob("*.sql")):
        with psycopg.connect(database, autocommit=True) as connection:
            for statement in split(path.read_text(encoding="utf-8")):
                connection.execute(statement.text.encode())
    found = lint([tmp_path], with_squawk=False).findings
    assert [f.message for f in found if f.rule in REFUSED] == []


@pytest.mark.parametrize(
    "command", ["\\c other", "\\i more.sql", "ALTER DATABASE d SET search_path = app;"]
)
def test_what_follows_a_change_of_place_is_not_sure(tmp_path: Path, command: str) -> None:
    text = f"CREATE TABLE t (a int);\n{command}\nCREATE TABLE t (a int);\nDROP TABLE t;\n"
    write_example(tmp_path, text + "ALTER TABLE t ADD COLUMN b int;")
    found = lint([tmp_path], with_squawk=False).findings
    assert REFUSED.isdisjoint(f.rule for f in found)


def test_a_baseline_of_flyway_runs_in_place_of_what_is_before_it(tmp_path: Path) -> None:
    for name, text in {
        "V1__a.sql": "CREATE TABLE t (id bigint);",
        "V2__b.sql": "ALTER TABLE t ADD COLUMN a text;",
        "B2__all.sql": "CREATE TABLE t (id bigint, a text);",
        "V3__c.sql": "ALTER TABLE t ADD COLUMN b text;",
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = lint([tmp_path], with_squawk=False).findings
    assert REFUSED.isdisjoint(f.rule for f in found)
