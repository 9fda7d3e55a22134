"""The fingerprint of a schema: of what clients and migration files depend on."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict
from typing import Any

from psycopg import Connection

from runner.catalog import Catalog, Function, NamedType, read_catalog
from runner.catalog.diff import as_dumped
from runner.execute.drift import NOT_OF_THE_FILES, is_record
from runner.quoting import Name

_QUALIFIER = re.compile(r'(?<!FROM )(?<!JOIN )(?<![\w".])(?:\w+|"(?:[^"]|"")+")\.(?=[\w"])')


def service_catalog(connection: Connection[Any]) -> Catalog:
    """What a database holds, but for the records of yoyo and trueup."""
    rows = connection.execute(
        "SELECT nspname FROM pg_catalog.pg_namespace"
        " WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY nspname"
    ).fetchall()
    catalog = read_catalog(connection, [row[0] for row in rows])
    relations = {name: r for name, r in catalog.relations.items() if not is_record(name)}
    return Catalog(catalog.version, catalog.schemas, relations, catalog.functions, catalog.types)


def schema_fingerprint(catalog: Catalog) -> str:
    """SHA-256 of a schema, in hex: of what clients and files depend on.

    Owners, grants and the order of columns do not count, nor does what depends on the server's
    version: NOT NULL constraints beside the column itself (18), and the table's name before each
    column of a view (before 16).
    """
    parts: list[str] = []
    for name, relation in sorted(catalog.relations.items()):
        values = {k: v for k, v in asdict(relation).items() if k not in NOT_OF_THE_FILES}
        for part in ("columns", "constraints", "indexes", "triggers", "policies"):
            # An index that a stopped run left invalid is built again by the next one.
            kept = [x for x in values[part] if x.get("kind") != "n" and x.get("valid", True)]
            for entry in kept:
                for key in ("acl", "statistics_target", "tablespace"):
                    entry.pop(key, None)
            values[part] = sorted(kept, key=lambda entry: str(entry["name"]))
        values["definition"] = _QUALIFIER.sub("", relation.definition or "")
        parts.append(f"{name} {json.dumps(values, sort_keys=True, default=str)}")
    things: list[tuple[Name, Function | NamedType]] = [
        *sorted(catalog.functions.items()),
        *sorted(catalog.types.items()),
    ]
    for name, thing in things:
        values = {k: v for k, v in asdict(thing).items() if k not in NOT_OF_THE_FILES}
        parts.append(f"{name} {json.dumps(values, sort_keys=True, default=str)}")
    # The copy that is rehearsed on comes from a dump, the live database does not.
    return hashlib.sha256(as_dumped("\n".join(parts)).encode()).hexdigest()
