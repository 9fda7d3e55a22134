"""Columns that only get another name, with what stands on them."""

from __future__ import annotations

import psycopg
import pytest
from support.journey import Journey
from support.variants import Service

from objects.things import STANDARD
from runner.standard import load_standard
from runner.verify import verify

SCHEMA = """
    CREATE TABLE things (
        id varchar(36) PRIMARY KEY,
        metadata jsonb NOT NULL DEFAULT '{}',
        status varchar(20) NOT NULL,
        label text CONSTRAINT things_named NOT NULL,
        size integer CHECK (size > 0),
        other text UNIQUE
    );
    CREATE INDEX ON things (label) WHERE size > 1;
    COMMENT ON COLUMN things.label IS 'shown';
    COMMENT ON CONSTRAINT things_size_check ON things IS 'not nothing';
    ALTER TABLE things ALTER label SET STATISTICS 500, ALTER label SET STORAGE EXTERNAL;
    INSERT INTO things VALUES (gen_random_uuid(), '{"a": 1}', 'open', 'a', 2, 'b');
"""
NAMES = (
    'columns = { metadata = "thing_metadata", label = "title", size = "length", other = "code" }'
)
LAST = {"online": "contract", "window": "window"}


def distances(service: Service) -> list[str]:
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        found = verify(connection, load_standard(service.folder / "standard.toml"))
    return [str(distance) for distance in found.distances]


def test_columns_of_another_name_come_through(journey: Journey) -> None:
    journey.there_and_back(SCHEMA, STANDARD + NAMES)


TRIGGER = """
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        {body}
        RETURN NEW;
    END $$;
    CREATE TRIGGER note AFTER UPDATE ON things FOR EACH ROW EXECUTE FUNCTION note();
"""


def test_a_trigger_that_names_one_is_refused(journey: Journey) -> None:
    body = "IF NEW.label = OLD.\"label\" THEN RAISE NOTICE 'same'; END IF;"
    journey.stopped(
        SCHEMA + TRIGGER.format(body=body),
        STANDARD + NAMES,
        "names label, which gets another name: every write would fail",
    )


def test_a_trigger_that_names_others_comes_through(journey: Journey) -> None:
    body = "IF NEW.id IS NULL THEN RAISE NOTICE 'label of NEW.label'; END IF;"
    journey.there_and_back(SCHEMA + TRIGGER.format(body=body), STANDARD + NAMES)


@pytest.mark.parametrize("converted", [True, False], ids=["beside converted ones", "alone"])
@pytest.mark.parametrize("strategy", LAST)
def test_columns_of_another_name_are_at_the_standard(
    journey: Journey, strategy: str, *, converted: bool
) -> None:
    standard = STANDARD if converted else '[table.things]\nname = "thing"\n'
    service = journey.start(SCHEMA, standard + NAMES)
    service.up(LAST[strategy])
    assert distances(service) == []
