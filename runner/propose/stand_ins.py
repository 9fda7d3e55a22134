"""What a scratch server lacks of the one that a dump comes from, and what stands in for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

# Many services' keys have uuid_generate_v4() for their default: without it no table would load.
_UUID_OSSP = re.compile(
    rb"""CREATE EXTENSION (?:IF NOT EXISTS )?"?uuid-ossp"?(?: WITH)?(?: SCHEMA (\S+?))?;\s*""",
    re.IGNORECASE,
)
_COMMENT = re.compile(rb'COMMENT ON EXTENSION "uuid-ossp" ')
_FUNCTIONS = (
    *("uuid_generate_v1()", "uuid_generate_v1mc()", "uuid_generate_v4()", "uuid_nil()"),
    *("uuid_generate_v3(uuid, text)", "uuid_generate_v5(uuid, text)"),
)

# Whoever owns an object, or may use it, is no part of a proposal.
_OF_ROLES = re.compile(rb"(?:ALTER .* OWNER TO|GRANT|REVOKE|ALTER DEFAULT PRIVILEGES) ")


def without_uuid_ossp(lines: Iterable[bytes]) -> Iterator[bytes]:
    """A dump's lines, with functions of random uuids in the place of the extension's.

    Args:
        lines: the dump's; as many come out, so that failures keep their places.
    """
    for line in lines:
        if found := _UUID_OSSP.fullmatch(line):
            schema = found[1] or b"public"
            made = (
                b"CREATE FUNCTION %s.%s RETURNS uuid LANGUAGE sql RETURN gen_random_uuid();"
                % (schema, name.encode())
                for name in _FUNCTIONS
            )
            yield b" ".join(made) + b"\n"
        elif _COMMENT.match(line):
            yield b"\n"
        else:
            yield line


def is_of_roles(line: bytes, failure: str) -> bool:
    """Whether a line failed only because a role is not here."""
    return (
        re.fullmatch(r'role ".*" does not exist', failure) is not None
        and _OF_ROLES.match(line) is not None
    )
