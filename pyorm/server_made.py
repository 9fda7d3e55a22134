"""Values that the server makes: identities, defaults, generated columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ServerMade:
    """What a field holds until the server has made its value.

    Args:
        kind: IDENTITY, DEFAULT or GENERATED.
        expression: what the server computes, as SQL; empty for an identity.
    """

    kind: str
    expression: str = ""


IDENTITY, DEFAULT, GENERATED = "identity", "default", "generated"


def identity() -> Any:
    """A number from an identity or serial column: `id: int = identity()`."""
    return ServerMade(IDENTITY)


def server_default(expression: str) -> Any:
    """A value that the server makes if you give none: `at: datetime = server_default("now()")`.

    Args:
        expression: of the column's DEFAULT, as SQL.
    """
    return ServerMade(DEFAULT, expression)


def generated(expression: str) -> Any:
    """A value that the server always computes: `total: Decimal = generated("price * number")`.

    Args:
        expression: of GENERATED ALWAYS AS, as SQL.
    """
    return ServerMade(GENERATED, expression)
