"""The two contracts of the first service, and clients that speak either."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest

from support.variants import EARLY, KEPT, LIVE, Service, Variant


@dataclass(frozen=True)
class Side:
    """One contract: its names and its spelling, and where it looks for its tables."""

    name: str
    models: str
    requests: str
    quotas: str
    case: Callable[[str], str]
    variant: Variant = LIVE
    search_path: str = "public"

    def __str__(self) -> str:
        return self.name


OLD = Side("old", "models", "requests", "provider_quotas", str.lower)
NEW = Side("new", "model", "request", "provider_quota", str.upper)
# Of tables that keep their names.
KEPT_OLD = replace(OLD, name="old of one name", variant=KEPT)
KEPT_NEW = replace(
    KEPT_OLD, name="new of one name", case=str.upper, search_path="model_orchestration_new, public"
)
# Of tables whose old names are views from expand on.
EARLY_OLD = replace(OLD, name="old of an early switch", variant=EARLY)
EARLY_NEW = replace(NEW, name="new of an early switch", variant=EARLY)

# Who may work when.
CLIENTS = [
    pytest.param("baseline", OLD, id="baseline-old"),
    pytest.param("expand", OLD, id="expand-old"),
    pytest.param("backfill", OLD, id="backfill-old"),
    pytest.param("enforce", OLD, id="enforce-old"),
    pytest.param("enforce", NEW, id="enforce-new"),
    pytest.param("switch", OLD, id="switch-old"),
    pytest.param("switch", NEW, id="switch-new"),
    pytest.param("contract", NEW, id="contract-new"),
    pytest.param("enforce", KEPT_NEW, id="enforce-new-of-one-name"),
    pytest.param("switch", KEPT_OLD, id="switch-old-of-one-name"),
    pytest.param("switch", KEPT_NEW, id="switch-new-of-one-name"),
    pytest.param("expand", EARLY_OLD, id="expand-old-of-an-early-switch"),
    pytest.param("enforce", EARLY_OLD, id="enforce-old-of-an-early-switch"),
    pytest.param("enforce", EARLY_NEW, id="enforce-new-of-an-early-switch"),
]
any_client = pytest.mark.parametrize(("phase", "side"), CLIENTS)


class Client:
    """A client's connection; statements are written for either side."""

    def __init__(self, connection: psycopg.Connection, side: Side) -> None:
        self.connection = connection
        self.side = side

    def run(self, statement: str, *values: object, prepare: bool | None = None) -> list[Any]:
        """Rows, uuids as text; `{models}` and the like stand for names, `<chat>` for a value."""
        side = self.side
        for word in ("openai", "anthropic", "ollama", "active", "inactive", "deprecated", "chat"):
            statement = statement.replace(f"<{word}>", side.case(word))
        text = statement.replace("{models}", side.models).replace("{requests}", side.requests)
        text = text.replace("{quotas}", side.quotas)
        cursor = self.connection.execute(text.encode(), values or None, prepare=prepare)
        rows = cursor.fetchall() if cursor.description is not None else []
        return [tuple(str(v) if isinstance(v, uuid.UUID) else v for v in row) for row in rows]

    def value(self, statement: str, *values: object) -> Any:
        """The only value of the only row."""
        ((value,),) = self.run(statement, *values)
        return value

    def refuses(self, error: type[psycopg.Error], statement: str, *values: object) -> None:
        """Expect an error, and go on in the same transaction."""
        with pytest.raises(error), self.connection.transaction():
            self.run(statement, *values)


@contextmanager
def client(service: Service, side: Side, role: str = "trueup_test_app") -> Iterator[Client]:
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        connection.execute(f"SET SESSION AUTHORIZATION {role}".encode())
        connection.execute(f"SET search_path = {side.search_path}".encode())
        yield Client(connection, side)
