"""SECURITY DEFINER without a fixed search_path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest, tree
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step


def _check(step: Step, context: Context) -> Iterator[Hit]:
    options = step.node.options if step.verb == "CreateFunction" else step.node.actions
    security = tree.option(options, "security")
    if security is None or not tree.inner(security.arg).boolval:
        return
    settings = [tree.inner(o.arg) for o in map(tree.inner, options) if o.defname == "set"]
    if not any(setting.name == "search_path" for setting in settings):
        for other in context.later(step):
            if other.verb == "AlterFunction" and "search_path" in other.statement.text:
                return
        yield Hit(
            f"{step.table} runs with its owner's rights and the caller's search_path: a caller can"
            " put a function of his own in its way",
            names={"function": _signature(step)},
        )


def _signature(step: Step) -> suggest.Sql:
    """The function's name with the types that tell it apart."""
    if step.verb == "AlterFunction":
        function = step.node.func
        types = [suggest.type_(tree.inner(argument)) for argument in function.objargs]
        name = suggest.fill("{name}", {"name": step.table})
        return suggest.Sql(name if function.args_unspecified else f"{name}({', '.join(types)})")
    given = ("FUNC_PARAM_IN", "FUNC_PARAM_INOUT", "FUNC_PARAM_VARIADIC", "FUNC_PARAM_DEFAULT")
    types = [
        suggest.type_(parameter.arg_type)
        for parameter in map(tree.inner, step.node.parameters)
        if tree.enum_name(parameter, "mode") in given
    ]
    return suggest.Sql(suggest.fill("{name}", {"name": step.table}) + f"({', '.join(types)})")


RULE = Rule(
    name="security-definer",
    level="error",
    title="SECURITY DEFINER without a fixed search_path",
    why="The function finds operators and tables through the search_path of whoever calls it,"
    " and runs what it finds with its owner's rights (CVE-2018-1058).",
    instead="""-- where it is created; another schema only if no other role can write to it
ALTER FUNCTION {function} SET search_path = pg_catalog, pg_temp;
REVOKE ALL ON FUNCTION {function} FROM PUBLIC;""",
    flagged=("CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';",),
    passed=(
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER\n"
        "SET search_path = pg_catalog, pg_temp AS 'SELECT 1';",
    ),
    step=_check,
    verbs=frozenset({"CreateFunction", "AlterFunction"}),
)
