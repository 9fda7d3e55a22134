"""Triggers or foreign keys are switched off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import tree
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step

_DISABLING = {"DisableTrig", "DisableTrigAll", "DisableTrigUser", "DisableRule"}


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.verb == "VariableSet":
        if step.node.name == "session_replication_role" and step.node.args:
            value = str(tree.constant(step.node.args[0])).lower()
            if value != "origin":
                yield Hit(
                    "triggers and foreign keys of all tables are silent in this session: rows that"
                    " break them get in and are never found"
                )
        return
    if step.verb == "Select":
        if _silences(step):
            yield Hit("session_replication_role silences triggers and foreign keys of all tables")
        return
    what = step.name or "all triggers"
    yield Hit(
        f"{what} of {step.table} no longer fires for anybody, foreign keys included when all are"
        " disabled: rows that break them get in and are never found"
    )


def _silences(step: Step) -> bool:
    """Whether set_config does it; but not for the batches of a backfill, each to its COMMIT."""
    for node in tree.walk(step.node):
        if tree.kind(node) == "FuncCall" and tree.function_name(node) == "set_config":
            name, value, local = (tree.constant(argument) for argument in node.args)
            if name == "session_replication_role" and value != "origin":
                return not (local is True and step.commits)
    return False


RULE = Rule(
    name="disable-trigger",
    level="error",
    title="Triggers or foreign keys are switched off",
    why="Foreign keys are triggers. What is written while they are off is not checked when they"
    " are switched on again, and the clients' writes pass unchecked, too.",
    instead="""-- give the trigger a condition that the backfill does not meet:
-- CREATE OR REPLACE TRIGGER ... FOR EACH ROW WHEN (OLD.a IS DISTINCT FROM NEW.a)""",
    flagged=(
        "ALTER TABLE users DISABLE TRIGGER ALL;",
        "SET session_replication_role = replica;",
    ),
    passed=("ALTER TABLE users ENABLE TRIGGER audit;", "SET session_replication_role = 'origin';"),
    step=_check,
    verbs=frozenset({*_DISABLING, "VariableSet", "Select"}),
    squawk=("ban-disable-trigger",),
)
