"""The certificate of a rehearsal: what was measured, bound to the schema, files and versions.

It is plain JSON. `fingerprint` covers all but the signature, so that a slip is noticed; who edits
one can compute it again, which is what `runner.review.signing` is for.
"""

from __future__ import annotations

import hashlib
import json
import os
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from psycopg import Connection, errors
from psycopg.types.json import Jsonb

from runner.errors import RehearsalError
from runner.ledger.files import Migration, chain_checksums
from runner.ledger.records import runner_version
from runner.ledger.tables import find_stranger, hold_table, keep_private, make_schema
from runner.review.commit import Commit
from runner.review.fingerprint import schema_fingerprint, service_catalog
from runner.review.measures import ContractTable, FileCost, Load, TableSize

FORMAT = 2
FILENAME = "trueup-rehearsal.json"
_AGAIN = "rehearse again: trueup rehearse"


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signed a certificate: the key's name, the account that held it, and the HMAC-SHA256."""

    key: str
    by: str
    hmac: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a rehearsal proved and measured.

    Args:
        service: the service, or the folder.
        commit: that the files are of.
        created_at: UTC, ISO format.
        trueup: version of trueup.
        server: PostgreSQL's version that it ran on, such as 180006.
        live_server: the live server's, None when no database was named.
        schema_from: where schema and rows came from, in words.
        problems: why it did not pass; empty when it passed.
        notes: what to know about it.
        files: chain checksum by id of each file that was rehearsed, in order.
        schemas: fingerprint of the schema before each file, by id.
        live_schema: fingerprint of the live schema, None when no database was named.
        sizes: of the tables.
        costs: of the files, up then down.
        load: what the clients saw, None when they were stopped.
        before: the old contract.
        after: the new contract.
        signature: None when it is not signed.
    """

    service: str
    commit: Commit
    created_at: str
    trueup: str
    server: int
    live_server: int | None
    schema_from: str
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    files: Mapping[str, str]
    schemas: Mapping[str, str]
    live_schema: str | None
    sizes: tuple[TableSize, ...]
    costs: tuple[FileCost, ...]
    load: Load | None
    before: tuple[ContractTable, ...]
    after: tuple[ContractTable, ...]
    signature: Signature | None = None

    @property
    def passed(self) -> bool:
        """Whether everything ran both ways, twice, and no client failed."""
        return not self.problems

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all of it but the signature, in hex."""
        content = asdict(self)
        del content["signature"]
        return _sha256(json.dumps(content, sort_keys=True, ensure_ascii=False))

    def cost(self, migration: str, direction: str = "up") -> FileCost | None:
        """What a direction of a migration costs, None when it was not rehearsed."""
        found = (c for c in self.costs if (c.migration, c.direction) == (migration, direction))
        return next(found, None)


def to_json(certificate: Certificate) -> dict[str, Any]:
    """The certificate as JSON has it, its fingerprint and verdict included."""
    return {
        "format": FORMAT,
        "fingerprint": certificate.fingerprint,
        "passed": certificate.passed,
        **asdict(certificate),
    }


def from_json(value: Any, origin: str) -> Certificate:
    """Read a certificate.

    Args:
        value: what `to_json` gave.
        origin: where it comes from, for errors.

    Raises:
        RehearsalError: it is none, or was changed since.
    """
    try:
        found = value["format"]
        if found != FORMAT:
            raise RehearsalError(
                f"{origin}: the certificate has format {found}, this trueup reads {FORMAT}",
                hint=_AGAIN,
            )
        certificate: Certificate = _build(Certificate, value)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        raise RehearsalError(
            f"{origin} is not the certificate of a rehearsal", hint=_AGAIN
        ) from None
    if certificate.fingerprint != value.get("fingerprint"):
        raise RehearsalError(f"{origin}: the certificate was changed by hand", hint=_AGAIN)
    return certificate


def read_file(path: Path) -> Certificate:
    """Read a certificate from a file.

    Raises:
        RehearsalError: the file cannot be read, or holds no certificate.
    """
    try:
        return from_json(json.loads(path.read_text(encoding="utf-8")), str(path))
    except OSError as error:
        raise RehearsalError(f"{path} cannot be read: {error.strerror}", hint=_AGAIN) from None
    except (ValueError, RecursionError):
        raise RehearsalError(f"{path} is not the certificate of a rehearsal", hint=_AGAIN) from None


def require_writable(path: Path) -> None:
    """Refuse a place for a certificate before the rehearsal, which takes its time.

    Raises:
        RehearsalError: no file can be written there.
    """
    place = path if path.exists() else path.parent
    if not path.parent.is_dir():
        raise RehearsalError(f"{path} cannot be written: {path.parent} is not a folder")
    if not os.access(place, os.W_OK):
        raise RehearsalError(f"{path} cannot be written: Permission denied")


def write_file(certificate: Certificate, path: Path) -> None:
    """Write a certificate to a file.

    Raises:
        RehearsalError: the file cannot be written.
    """
    text = json.dumps(to_json(certificate), indent=1, ensure_ascii=False)
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise RehearsalError(f"{path} cannot be written: {error.strerror}") from None


def store(connection: Connection[Any], certificate: Certificate) -> None:
    """Keep a certificate in the database's schema trueup, for `apply --require-rehearsal`.

    Raises:
        RehearsalError: the role may not create or write trueup.rehearsal.
    """
    _require_ours(connection)
    try:
        with connection.transaction():
            present = connection.execute("SELECT to_regclass('trueup.rehearsal')").fetchone()
            if not present or present[0] is None:
                make_schema(connection)
                connection.execute(
                    "CREATE TABLE trueup.rehearsal (fingerprint text PRIMARY KEY,"
                    " stored_at timestamptz NOT NULL DEFAULT now(), certificate jsonb NOT NULL)"
                )
                keep_private(connection, "trueup", "rehearsal")
            connection.execute(
                "INSERT INTO trueup.rehearsal (fingerprint, certificate) VALUES (%s, %s)"
                " ON CONFLICT (fingerprint) DO UPDATE SET stored_at = now()",
                [certificate.fingerprint, Jsonb(to_json(certificate))],
            )
    except errors.InsufficientPrivilege as error:
        raise RehearsalError(
            f"the certificate cannot be stored: {error.diag.message_primary}",
            hint="give its file to whoever applies: trueup apply --require-rehearsal FILE",
        ) from None


def load_stored(connection: Connection[Any]) -> Certificate | None:
    """The certificate that was stored last in the database, None when there is none."""
    present = connection.execute("SELECT to_regclass('trueup.rehearsal')").fetchone()
    if not present or present[0] is None:
        return None
    _require_ours(connection)
    try:
        with connection.transaction():
            hold_table(connection, "trueup", "rehearsal")
            row = connection.execute(
                "SELECT certificate FROM trueup.rehearsal ORDER BY stored_at DESC LIMIT 1"
            ).fetchone()
    except errors.InsufficientPrivilege as error:
        raise RehearsalError(
            f"the stored certificate cannot be read: {error.diag.message_primary}"
        ) from None
    return from_json(row[0], "trueup.rehearsal") if row else None


def _require_ours(connection: Connection[Any]) -> None:
    """Refuse a schema in which somebody else may have made what lets a migration pass.

    Raises:
        RehearsalError: it or something in it belongs to neither this role, the database's owner
            nor a superuser.
    """
    if stranger := find_stranger(connection, ()):
        raise RehearsalError(
            f"{stranger}, and could have put any certificate there, or code that runs with it",
            hint="give the certificate's file to whoever applies, signed:"
            " trueup apply --require-rehearsal FILE --sign-key FILE",
        )


def require(
    certificate: Certificate | None,
    connection: Connection[Any],
    chosen: Sequence[Migration],
    migrations: Sequence[Migration],
) -> None:
    """Refuse to apply what was not rehearsed as it is now.

    Args:
        certificate: of the rehearsal; None when there is none.
        connection: to the live database.
        chosen: what is about to be applied.
        migrations: all that the sources hold, in the order of read_migrations.

    Raises:
        RehearsalError: files, schema or versions are not those of the rehearsal, or it failed.
    """
    if not chosen:
        return
    if certificate is None:
        raise RehearsalError("no rehearsal is stored in the database", hint=_AGAIN + " --record")
    if not certificate.passed:
        raise RehearsalError(f"the rehearsal failed: {certificate.problems[0]}", hint=_AGAIN)
    if certificate.trueup != runner_version():
        raise RehearsalError(
            f"the rehearsal was made by trueup {certificate.trueup}, this is {runner_version()}",
            hint=_AGAIN,
        )
    now = connection.info.server_version // 10000
    then = certificate.server // 10000
    if now != then:
        raise RehearsalError(
            f"the rehearsal ran on PostgreSQL {then}, the database runs on {now}",
            hint=f"rehearse on PostgreSQL {now}: name a server by --scratch DSN, or its programs"
            " in TRUEUP_PG_BIN",
        )
    chain = chain_checksums(migrations)
    for migration in chosen:
        rehearsed = certificate.files.get(migration.id)
        if rehearsed != chain[migration.id]:
            how = "was not rehearsed" if rehearsed is None else "or a file before it changed since"
            raise RehearsalError(f"{migration.id} {how}", hint=_AGAIN)
    first = chosen[0].id
    expected = {certificate.schemas.get(first)}
    if first == next(iter(certificate.files)) and certificate.live_schema:
        expected.add(certificate.live_schema)
    if schema_fingerprint(service_catalog(connection)) not in expected:
        raise RehearsalError(
            f"the schema is not the one that {first} was rehearsed on: it changed since",
            hint=_AGAIN,
        )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _build(kind: Any, value: Any) -> Any:
    """A dataclass, tuple or mapping of them from what JSON made of it."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        return kind(**{f.name: _build(hints[f.name], value[f.name]) for f in fields(kind)})
    if origin in (types.UnionType, typing.Union):
        inner = next(a for a in arguments if a is not types.NoneType)
        return None if value is None else _build(inner, value)
    if origin is tuple:
        return tuple(_build(arguments[0], item) for item in _items(value))
    if origin is Mapping:
        return {str(k): _build(arguments[1], v) for k, v in value.items()}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(value)
    # JSON has one kind of number; 1.0 comes back as 1 from other programs.
    number = kind is float and type(value) is int
    if type(value) is not kind and not number:
        raise TypeError
    return float(value) if number else value


def _items(value: Any) -> Iterable[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value
