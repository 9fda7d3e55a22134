"""What clients send: one function a kind of statement, the same for both contracts.

No statement meets two unique keys at once, so that it cannot fail for that with one contract
alone: nobody else uses the request_ids of rows of the space `by_id`, nor the ids of `by_name`.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
from support.sides import Side

from chaos.book import Write, entry

KEYS = 12  # of each space: few, so that clients meet
PROVIDERS = ("openai", "anthropic", "ollama", "custom")


@dataclass(frozen=True)
class Target:
    """A row that a statement is for; rows are locked in the order of targets."""

    space: str
    number: int

    @property
    def id(self) -> str:
        """The key of the row."""
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.space} {self.number}"))

    @property
    def row(self) -> str:
        """The name of the row in the book."""
        return f"{self.space} {self.number}"


class Session:
    """A connection that speaks one contract.

    Args:
        connection: in autocommit mode.
        side: the contract.
        chance: what is chosen at random.
        next_token: gives each write a name.
    """

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        side: Side,
        chance: random.Random,
        next_token: Callable[[], str],
    ) -> None:
        self.connection = connection
        self.side = side
        self.chance = chance
        self.next_token = next_token

    def rows(self, text: str, *values: object) -> list[Any]:
        """Run a statement, prepared or not."""
        side = self.side
        text = text.replace("{models}", side.models).replace("{requests}", side.requests)
        text = text.replace("{quotas}", side.quotas)
        cursor = self.connection.execute(
            text.encode(), values or None, prepare=self.chance.random() < 0.4
        )
        return cursor.fetchall() if cursor.description is not None else []

    def provider(self) -> str:
        """A value in the contract's spelling."""
        return self.side.case(self.chance.choice(PROVIDERS))

    def unique_id(self) -> str:
        """An id that nobody else uses."""
        return str(uuid.UUID(int=self.chance.getrandbits(128), version=4))


Statement = Callable[[Session, Target], list[Write]]

_INSERT = (
    "INSERT INTO {requests} (id, request_id, request_type, model_id, provider, request_data,"
    " success, error_message) VALUES (%s, %s, %s, %s, %s, '{}', true, %s)"
)
_APPEND = (
    " DO UPDATE SET error_message = {requests}.error_message || excluded.error_message,"
    " provider = excluded.provider"
)


def _new_request(s: Session, t: Target, token: str, provider: str) -> tuple[object, ...]:
    by_id = t.space == "by_id"
    return (
        t.id if by_id else s.unique_id(),
        f"chaos {token}" if by_id else f"chaos {t.row}",
        s.side.case("chat"),
        Target("model", s.chance.randrange(KEYS)).id,
        provider,
        entry(token, provider),
    )


def insert(s: Session, t: Target) -> list[Write]:
    """A plain INSERT, which may find the row there."""
    token, provider = s.next_token(), s.provider()
    ((seen,),) = s.rows(f"{_INSERT} RETURNING error_message", *_new_request(s, t, token, provider))
    return [Write("append", t.row, token, seen)]


def upsert(s: Session, t: Target) -> list[Write]:
    """ON CONFLICT DO UPDATE, by the converted key or by the other one."""
    token, provider = s.next_token(), s.provider()
    key = "id" if t.space == "by_id" else "request_id"
    statement = f"{_INSERT} ON CONFLICT ({key}){_APPEND} RETURNING error_message"
    ((seen,),) = s.rows(statement, *_new_request(s, t, token, provider))
    return [Write("append", t.row, token, seen)]


def insert_unless_there(s: Session, t: Target) -> list[Write]:
    """ON CONFLICT DO NOTHING."""
    token, provider = s.next_token(), s.provider()
    key = "id" if t.space == "by_id" else "request_id"
    statement = f"{_INSERT} ON CONFLICT ({key}) DO NOTHING RETURNING error_message"
    found = s.rows(statement, *_new_request(s, t, token, provider))
    return [Write("append", t.row, token, seen) for (seen,) in found]


def _where(t: Target) -> tuple[str, str]:
    return ("id", t.id) if t.space == "by_id" else ("request_id", f"chaos {t.row}")


def update(s: Session, t: Target) -> list[Write]:
    """Append, and change a converted column; at times the reference, too."""
    token, provider = s.next_token(), s.provider()
    column, key = _where(t)
    moved = ", model_id = %s" if s.chance.random() < 0.3 else ""
    values = [entry(token, provider), provider]
    values += [Target("model", s.chance.randrange(KEYS)).id] if moved else []
    found = s.rows(
        "UPDATE {requests} SET error_message = error_message || %s, provider = %s"
        f"{moved} WHERE {column} = %s RETURNING error_message",
        *values,
        key,
    )
    return [Write("append", t.row, token, seen) for (seen,) in found]


def delete(s: Session, t: Target) -> list[Write]:
    """Delete the row, and say what it was."""
    column, key = _where(t)
    found = s.rows(f"DELETE FROM {{requests}} WHERE {column} = %s RETURNING error_message", key)
    return [Write("delete", t.row, seen=seen) for (seen,) in found]


def read(s: Session, t: Target) -> list[Write]:
    """Read the row, in the spelling of the contract."""
    column, key = _where(t)
    for (provider,) in s.rows(f"SELECT provider FROM {{requests}} WHERE {column} = %s", key):
        if provider != s.side.case(provider):
            raise WrongAnswerError(f"{t.row}: the {s.side} contract reads {provider}")
    return []


def join(s: Session, t: Target) -> list[Write]:
    """Read all of a parent's children: each has its parent."""
    ((count, joined),) = s.rows(
        "SELECT count(*), count(m.id) FROM {requests} AS r LEFT JOIN {models} AS m"
        " ON m.id = r.model_id"
    )
    if count != joined or count == 0:
        raise WrongAnswerError(f"of {count} requests {joined} have a model, at {t.row}")
    return []


def change_model(s: Session, t: Target) -> list[Write]:
    """Append to a parent, and change its converted column."""
    token, provider = s.next_token(), s.provider()
    ((seen,),) = s.rows(
        "UPDATE {models} SET description = description || %s, provider = %s WHERE id = %s"
        " RETURNING description",
        entry(token, provider), provider, t.id,
    )  # fmt: skip
    return [Write("append", t.row, token, seen)]


def upsert_model(s: Session, t: Target) -> list[Write]:
    """An upsert that always finds the parent."""
    token, provider = s.next_token(), s.provider()
    ((seen,),) = s.rows(
        "INSERT INTO {models} (id, model_id, provider, capabilities, description)"
        " VALUES (%s, %s, %s, %s::varchar[], %s) ON CONFLICT (id) DO UPDATE SET"
        " description = {models}.description || excluded.description,"
        " provider = excluded.provider RETURNING description",
        t.id, f"chaos {token}", provider, [s.side.case("chat")], entry(token, provider),
    )  # fmt: skip
    return [Write("append", t.row, token, seen)]


def count(s: Session, t: Target) -> list[Write]:
    """Increment a counter."""
    found = s.rows(
        "UPDATE {quotas} SET daily_tokens_used = daily_tokens_used + 1 WHERE id = %s RETURNING 1",
        t.id,
    )
    if len(found) != 1:
        raise WrongAnswerError(f"{t.row} is there {len(found)} times")
    return [Write("count", t.row)]


def copy(s: Session, _t: Target) -> list[Write]:
    """COPY some rows that nobody else writes."""
    columns = "id, request_id, request_type, model_id, provider, request_data, success"
    writes = []
    with (
        s.connection.cursor() as cursor,
        cursor.copy(
            f"COPY {s.side.requests} ({columns}, error_message) FROM STDIN".encode()
        ) as lines,
    ):
        for _ in range(3):
            token, provider = s.next_token(), s.provider()
            t = Target("by_id", s.chance.getrandbits(60) + KEYS)
            id_, name, kind, model, _, text = _new_request(s, t, token, provider)
            lines.write_row((id_, name, kind, model, provider, "{}", True, text))
            writes.append(Write("append", t.row, token))
    return writes


class WrongAnswerError(Exception):
    """The database answered what it must not."""


OF_SPACE: dict[str, tuple[tuple[Statement, int], ...]] = {
    "model": ((change_model, 3), (upsert_model, 2)),
    "by_id": (
        (insert, 2),
        (upsert, 5),
        (insert_unless_there, 2),
        (update, 4),
        (delete, 2),
        (read, 3),
    ),
    "by_name": ((upsert, 5), (insert_unless_there, 2), (update, 4), (delete, 2), (read, 2)),
    "quota": ((count, 1),),
    "zz_alone": ((copy, 1), (join, 2)),
}
