"""What the files of a chain have made so far that can be there only once, and what they removed.

What only the server knows is left out: what stands in a block runs under a condition, a function
may drop anything. So whoever is told "it is there" or "it is not there" can rely on it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from runner.lint import tree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.lint.layouts import Script
    from runner.lint.steps import Step
    from runner.lint.world import World

# Functions that change no object.
_QUIET = frozenset(
    """
    count currval max min nextval now pg_notify pg_sleep set_config setval string_agg sum version
    pg_advisory_lock pg_advisory_unlock pg_advisory_xact_lock pg_try_advisory_xact_lock
    """.split()
)
_RELATIONS = frozenset({"TABLE", "VIEW", "MATVIEW", "INDEX", "FOREIGN_TABLE"})
_ROUTINES = frozenset({"FUNCTION", "PROCEDURE", "ROUTINE", "AGGREGATE"})

# Of Liquibase: who runs a changeset, when, and how often.
_CONDITIONS = re.compile(
    r"precondition|\b(?:dbms|context|contextFilter|labels|runOnChange|runAlways):", re.IGNORECASE
)

# Commands of psql after which the next statement may be for another database, or not run at all.
_OF_PSQL = re.compile(r"\\(?:if|c|connect|gexec|i|ir|include|include_relative)\b")
# A function with such a word in its body may make or remove what a file relies on.
_CHANGES = re.compile(r"\b(?:alter|create|drop|execute|rename)\b", re.IGNORECASE)

_MADE_BY = frozenset(
    """
    CompositeType Create CreateDomain CreateEnum CreateFunction CreatePolicy CreateRange
    CreateSchema CreateSeq CreateTableAs CreateTrig Index View
    """.split()
)
_CHANGED_BY = frozenset(
    """
    AddConstraint AddInherit AlterDatabaseSet AlterExtension AlterRoleSet AttachPartition Call
    CreateForeignTable Delete Do Drop DropColumn DropConstraint DropOwned ImportForeignSchema Insert
    Rename Select SetSchema Transaction Update VariableSet
    """.split()
)
_NOTED = _MADE_BY | _CHANGED_BY

_CHECKPOINT = "-- atlas:checkpoint"
_OF_ANOTHER = re.compile(r"\.(?:cockroach|mariadb|mssql|mysql|sqlite3?)\.")

Thing = tuple[str, str]  # its kind, and its name


@dataclass
class Standing:
    """What is there and what is gone, as far as the files tell for sure.

    Args:
        scripts: the forward ones of the chain, in their order.
        made: the file that made each thing.
        indexes: those that files name, of each table, with which they go.
        gone: the file that took each table, view or index away, or gave it another name.
        indexes_gone: the indexes among them.
        searched: whether a file sets the search_path, so that names without a schema mean more
            than one place.
        temporary: what was made for a session alone, so that its name means two things.
    """

    scripts: Sequence[Script] = ()
    made: dict[Thing, Script] = field(default_factory=dict)
    indexes: dict[str, set[str]] = field(default_factory=dict)
    gone: dict[str, Script] = field(default_factory=dict)
    indexes_gone: set[str] = field(default_factory=set)
    searched: bool = False
    temporary: set[str] = field(default_factory=set)

    def maker(self, thing: Thing, script: Script) -> Script | None:
        """The file that made a thing; None when that is not sure."""
        return self._sure(self.made.get(thing), thing[1], script)

    def remover(self, name: str, script: Script) -> Script | None:
        """The file that took a table away; None when that is not sure."""
        return self._sure(self.gone.get(name), name, script)

    def _sure(self, found: Script | None, name: str, script: Script) -> Script | None:
        is_one = not self.searched or (isinstance(name, tree.TableKey) and name.schema != "")
        is_one = is_one and name not in self.temporary
        return found if found is not None and is_one and self.both_run(found, script) else None

    def both_run(self, first: Script, second: Script) -> bool:
        """Whether two files, or one, are sure to run one after the other."""
        if first is second:
            return not _has_conditions(first)
        of_one = first.id == second.id  # The tool runs one of them.
        if of_one or _has_conditions(first) or _has_conditions(second):
            return False
        return self._squashed.isdisjoint((first, second))

    @cached_property
    def _squashed(self) -> frozenset[Script]:
        return _squashing(self.scripts)

    def note(self, world: World, step: Step, script: Script) -> None:
        """Remember what a step makes or removes, and forget what it makes unsure."""
        may_not_run = bool(step.hidden) or _has_conditions(script)
        if step.verb not in _NOTED and not may_not_run:
            return
        if may_not_run and (table := world.tables.get(step.table)) is not None:
            table.sure = False
        if step.verb in _CHANGED_BY:
            self._changed(world, step, script)
            return
        thing = made(step)
        if thing is None or is_temporary(step):
            self._note_unnamed(world, step)
            return
        self.gone.pop(thing[1], None)
        if step.verb == "CreateTableAs" and _calls_known(step, world):
            self._forget(world)
        if may_not_run or (step.verb == "Create" and step.node.inh_relations):
            self.made.pop(thing, None)
            return
        self.made.setdefault(thing, script)
        if step.verb == "Index":
            self.indexes.setdefault(step.table, set()).add(thing[1])

    def _note_unnamed(self, world: World, step: Step) -> None:
        """Remember a table of one session; PostgreSQL names an index that the file does not."""
        if is_temporary(step):
            name = tree.table_key("", tree.bare(step.table))
            self.temporary |= {step.table, name}
            for table in (step.table, name):
                if table in world.tables:
                    world.tables[table].sure = False
        elif step.verb == "Index":
            self._may_be_again()

    def _may_be_again(self) -> None:
        """Forget which indexes are gone: one of such a name may stand there again."""
        for name in self.indexes_gone:
            self.gone.pop(name, None)
        self.indexes_gone.clear()

    def _changed(self, world: World, step: Step, script: Script) -> None:
        match step.verb:
            case "AddConstraint":
                self._may_be_again()
                constraint = getattr(step.node, "def").constraint
                if constraint.indexname and constraint.conname:
                    # The index is called so from now on.
                    old = tree.beside(step.table, constraint.indexname)
                    self.made.pop(("relation", old), None)
            case "AttachPartition" | "AddInherit":
                # What is done to the parent is done to it from now on.
                node = getattr(step.node, "def")
                attached = step.verb == "AttachPartition"
                name = tree.relation(node.partition_cmd.name) if attached else step.table
                if name in world.tables:
                    world.tables[name].sure = False
                self.made.pop(("relation", name), None)  # It goes with the parent.
            case "CreateForeignTable":
                self.gone.pop(tree.relation(step.node.base_stmt.relation), None)
            case "AlterDatabaseSet" | "AlterRoleSet":
                self.searched |= "search_path" in step.statement.text
            case "ImportForeignSchema":
                self._forget(world)
            case "Delete" | "Insert" | "Update":
                if _calls_known(step, world):
                    self._forget(world)
            case "DropColumn" | "DropConstraint":
                self._forget_kinds("sequence")
                self._forget_indexes(step.table)
                if tree.enum_name(step.node, "behavior") == "DROP_CASCADE":
                    self._forget(world)
            case "Do":
                if "execute" in step.statement.text.lower():
                    self._forget(world)
            case "Call":
                self._forget(world)
            case "Select":
                if "search_path" in step.statement.text:
                    self.searched = True
                elif _calls_unknown(step) or step.node.HasField("into_clause"):
                    self._forget(world)
            case "VariableSet":
                self.searched |= step.node.name in ("search_path", "role", "session_authorization")
            case "Transaction":
                if "ROLLBACK" in tree.enum_name(step.node, "kind"):
                    self._forget(world)
            case "Drop":
                self._dropped(world, step, script)
            case "Rename" | "SetSchema":
                self._renamed(world, step, script)
            case "DropOwned" | "AlterExtension":
                self._forget(world)

    def _forget(self, world: World) -> None:
        self.made.clear()
        self.gone.clear()
        for table in world.tables.values():
            table.sure = False

    def _forget_kinds(self, *kinds: str) -> None:
        for thing in [thing for thing in self.made if thing[0] in kinds]:
            del self.made[thing]

    def _forget_indexes(self, table: str) -> None:
        for name in self.indexes.pop(table, ()):
            self.made.pop(("relation", name), None)

    def _dropped(self, world: World, step: Step, script: Script) -> None:
        name = step.name if step.target == "INDEX" else step.table
        if step.hidden or _has_conditions(script) or step.target in ("SCHEMA", "EXTENSION"):
            self._forget(world)
        elif step.target in _RELATIONS:
            self.made.pop(("relation", name), None)
            self.gone[name] = script
            if step.target == "INDEX":
                self.indexes_gone.add(name)
            # Its triggers and sequences go with a table, the index behind a constraint with that.
            if step.target != "INDEX":
                self._forget_kinds("trigger", "policy", "sequence")
                self._forget_indexes(name)
                for other in [t for t in self.indexes if t in world.tables]:
                    if not world.tables[other].sure:  # A partition goes with its parent.
                        self._forget_indexes(other)
        elif step.target in ("TRIGGER", "POLICY"):
            self.made.pop((step.target.lower(), part_of(step)), None)
        elif step.target in _ROUTINES:
            self._forget_kinds("function")
        else:
            self.made.pop((step.target.lower(), step.table), None)
            self.made.pop(("type", step.table), None)
        if tree.enum_name(step.node, "behavior") == "DROP_CASCADE":
            self._forget(world)

    def _renamed(self, world: World, step: Step, script: Script) -> None:
        if step.hidden or _has_conditions(script) or step.target == "SCHEMA":
            self._forget(world)
            return
        new = (
            tree.beside(step.table, step.node.newname)
            if step.verb == "Rename"
            else tree.table_key(step.name, tree.bare(step.table))
        )
        if step.target in _RELATIONS:
            self.made.pop(("relation", step.table), None)
            self.made["relation", new] = script
            self.gone[step.table] = script
            self.gone.pop(new, None)
            if step.target == "INDEX":
                self.indexes_gone.add(step.table)
            self._forget_kinds("trigger", "policy", "sequence")
            if step.verb == "SetSchema":
                self._forget_indexes(step.table)
            elif step.target != "INDEX":
                self.indexes[new] = self.indexes.pop(step.table, set())
            else:
                for names in self.indexes.values():
                    if step.table in names:
                        names.add(new)
        elif step.target not in ("COLUMN", "TABCONSTRAINT"):
            self._forget_kinds("trigger", "policy", "sequence", "function", "type")


def _squashing(scripts: Sequence[Script]) -> frozenset[Script]:
    """The files that hold again what several others make: a database runs it, or those.

    Args:
        scripts: the forward ones of a chain.
    """
    tables: dict[Script, set[str]] = {}
    makers: dict[str, set[Script]] = {}
    gone: set[str] = set()
    for script in scripts:
        for step in script.steps:
            if step.hidden or step.verb not in ("Create", "Drop", "Rename"):
                continue
            if step.verb == "Create" and not step.node.if_not_exists:
                tables.setdefault(script, set()).add(step.table)
            if step.verb == "Rename":
                makers.setdefault(tree.beside(step.table, step.node.newname), set()).add(script)
            elif step.verb == "Create":
                makers.setdefault(step.table, set()).add(script)
            else:
                gone.add(step.table)
    found = set()
    for script, names in tables.items():
        others = [makers[name] - {script} for name in names - gone]
        several = len({maker for of_name in others for maker in of_name}) > 1
        if len(others) == len(names) and all(others) and several:
            found.add(script)
    return frozenset(found)


@lru_cache(64)
def _has_conditions(script: Script) -> bool:
    """Whether a tool may leave the file, or a part of it, out."""
    content = script.content
    if "squash" in script.id.lower() or _CHECKPOINT in content:
        return True  # A database runs it, or the files that it takes together.
    if _OF_ANOTHER.search(script.path.name):
        return True  # To pop it is; to others the word is a part of the title.
    if script.layout == "liquibase":
        return _CONDITIONS.search(content) is not None
    if script.layout == "flyway" and script.path.name.startswith("B"):
        return True  # It runs in place of the files before it.
    return "\\" in content and _OF_PSQL.search(content) is not None


def made(step: Step) -> Thing | None:
    """What a step makes that can be there once; None when it makes nothing of that kind."""
    node = step.node
    match step.verb:
        case "Create" | "CreateTableAs" | "View":
            return "relation", step.table
        case "Index":
            return ("relation", tree.beside(step.table, step.name)) if step.name else None
        case "CreateSeq":
            return "sequence", step.table
        case "CreateEnum" | "CreateDomain":
            return "type", step.table
        case "CompositeType":
            return "type", tree.relation(node.typevar)
        case "CreateRange":
            return "type", tree.dotted(node.type_name)
        case "CreateSchema":
            return ("schema", tree.table_key("", node.schemaname)) if node.schemaname else None
        case "CreateTrig":
            return "trigger", part_of(step)
        case "CreatePolicy":
            return "policy", part_of(step)
        case "CreateFunction":
            return "function", _signature(step)
    return None


def part_of(step: Step) -> tree.TableKey:
    """A trigger or policy, which has its name beside others of its table alone."""
    schema = step.table.schema if isinstance(step.table, tree.TableKey) else ""
    return tree.table_key(schema, f"{step.name} on {tree.bare(step.table)}")


def commands(step: Step, verb: str) -> frozenset[str]:
    """What the commands of one kind name that stand in the same ALTER TABLE as a step.

    PostgreSQL does not run them as they are written: it drops first, adds columns, and then the
    constraints.
    """
    found = set()
    for item in getattr(step.statement.node, "cmds", ()):
        command = tree.inner(item)
        if tree.enum_name(command, "subtype") == f"AT_{verb}":
            found.add(command.name or getattr(command, "def").column_def.colname)
    return frozenset(found)


def is_temporary(step: Step) -> bool:
    """Whether what a step makes is there for its own session alone."""
    match step.verb:
        case "Create":
            relation = step.node.relation
        case "CreateTableAs":
            relation = step.node.into.rel
        case "View":
            relation = step.node.view
        case "CreateSeq":
            relation = step.node.sequence
        case _:
            return False
    return "t" in relation.relpersistence or "pg_temp" in relation.schemaname


def _signature(step: Step) -> tree.TableKey:
    parameters = [tree.inner(p) for p in step.node.parameters]
    types = [
        tree.type_name(p.arg_type)
        for p in parameters
        if tree.enum_name(p, "mode") not in ("FUNC_PARAM_OUT", "FUNC_PARAM_TABLE")
    ]
    name = tree.dotted(step.node.funcname)
    return tree.table_key(name.schema, f"{name.name}({', '.join(types)})")


def _calls_known(step: Step, world: World) -> bool:
    """Whether a statement calls a function of the chain that may change what is there."""
    text = step.statement.lowered
    return any(
        tree.bare(name).lower() in text and _CHANGES.search(body)
        for name, body in world.functions.items()
    )


def _calls_unknown(step: Step) -> bool:
    if "(" not in step.statement.text and not step.hidden:
        return False
    return any(
        tree.kind(node) == "FuncCall"
        and tree.function_name(node) not in _QUIET
        and not tree.is_steady(tree.function_name(node))
        for node in tree.walk(step.node)
    )
