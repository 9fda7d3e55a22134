"""The one declared order of the rooms; a room is a package or module right below runner."""

from __future__ import annotations

# From the top down. A room imports rooms of lower layers only, so none beside it.
LAYERS = (
    ("cli",),
    ("demo", "fleet", "testing"),
    ("review", "verify", "propose"),
    ("preflight", "places"),
    ("service", "workload"),
    ("generate", "lint"),
    ("standard", "execute", "layouts"),
    ("catalog", "ledger"),
    ("config", "postgres", "screen", "toml"),
    ("quoting",),
    ("errors",),
)
# What the data layer has for runner: the enums that services and standards share.
OF_PYORM = frozenset({"pyorm.enums"})


def room_of(module: str) -> str:
    """The room of a module: `execute` for `runner.execute.engine`, `pyorm` for all of pyorm."""
    package, _, rest = module.partition(".")
    return package if package == "pyorm" else rest.partition(".")[0]


def layer_of(room: str) -> int:
    """The layer of a room, from 0 at the top."""
    for number, rooms in enumerate(LAYERS):
        if room in rooms:
            return number
    raise LookupError(f"tests/architecture/rooms.py gives the room {room} no layer")
