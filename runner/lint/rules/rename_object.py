"""A function, sequence or type is renamed or moved to another schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest
from runner.lint.context import new_name
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step

_CALLED = frozenset({"FUNCTION", "PROCEDURE", "ROUTINE", "AGGREGATE"})
_KINDS = _CALLED | {"SEQUENCE", "TYPE", "DOMAIN", "DATABASE", "ATTRIBUTE", "EXTENSION"}
_MAKING = frozenset(
    {"CreateFunction", "CreateSeq", "CreateEnum", "CompositeType", "CreateDomain", "CreateRange"}
)


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.target not in _KINDS or not step.table or context.guarded(step):
        return
    given = new_name(step) if step.verb == "Rename" else ""
    # What the file made, or gives the same name again, nobody misses.
    if any(
        (other.verb in _MAKING and other.table == step.table)
        or (other.verb == "Rename" and new_name(other) == step.table)
        for other in context.of_name(step.table)
    ):
        return
    # A name that the file has freed is taken: the one that had it is dropped by name.
    if given and any(other.verb == "Drop" for other in context.of_name(given)):
        return
    what = step.target.lower()
    to = given or f"the schema {step.name}"
    yield Hit(
        f"clients that still say {step.table} fail at once, as does any body of a function:"
        f" the {what} becomes {to}",
        names={"what": suggest.Sql(what), "statement": suggest.statement(step.node)},
        instead=RULE.instead if step.target in _CALLED else _OTHER,
    )


_OTHER = """-- in a later release, when nobody says the old name
{statement};"""

RULE = Rule(
    name="rename-object",
    level="error",
    title="A function, sequence or type is renamed or moved to another schema",
    why="The rename and the release of the code never happen at one moment. Bodies of functions"
    " and clients say the name; PostgreSQL follows it in views, defaults and keys alone.",
    instead="""-- in this release a second {what} under the new name, with the same body;
-- in a later one, when nobody says the old name, DROP the old one""",
    flagged=(
        "ALTER FUNCTION pay(int) RENAME TO charge;",
        "ALTER SEQUENCE users_id_seq RENAME TO user_id_seq;",
        "ALTER TYPE mood RENAME TO feeling;",
        "ALTER FUNCTION pay(int) SET SCHEMA billing;",
    ),
    passed=(
        "BEGIN; CREATE TYPE mood_new AS ENUM ('A'); ALTER TYPE mood RENAME TO mood_old;"
        " ALTER TYPE mood_new RENAME TO mood; COMMIT;",
        "ALTER FUNCTION pay(int) RENAME TO charge;\n"
        "CREATE FUNCTION pay(n int) RETURNS int LANGUAGE sql AS 'SELECT charge(n)';",
        "ALTER INDEX users_email_idx RENAME TO user_email_idx;",
    ),
    step=_check,
    verbs=frozenset({"Rename", "SetSchema"}),
    window=False,
    squawk=("renaming-object",),
)
