"""What stands on converted columns and is made again on the new ones: views, policies and so on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from runner.catalog import Catalog, Dependent, Function, Relation
from runner.errors import StandardError
from runner.generate.model import ColumnChange, DependentChange, Obstacle, moved_columns
from runner.generate.wording.predicates import Wording, takes_whole_rows
from runner.generate.statements import (
    Reword,
    create_indexes,
    create_view,
    function_parts,
    index_settings,
    policy_statements,
    rule_statements,
    statistics_statements,
    trigger_statements,
    view_kind,
    view_settings,
)
from runner.quoting import Name, quote_ident, quote_name

_Key = tuple[str, Name, str, str]
_AGAIN = "Drop it before, and make it again for the new contract afterwards."


@dataclass
class _Object:
    """A dependent with all that it uses: relations, each with a column or as such."""

    dependent: Dependent
    uses: set[tuple[Name, str | None]] = field(default_factory=set)

    @property
    def view(self) -> Name | None:
        """The view that it is."""
        is_view = self.dependent.kind in ("view", "materialized view")
        return self.dependent.host if is_view else None


class Dependents:
    """The objects that use the tables of a standard, directly or through views.

    Args:
        catalog: the database at the old contract.
        columns: the converted columns of each table of the standard, by its old name.
    """

    def __init__(self, catalog: Catalog, columns: Mapping[Name, Sequence[ColumnChange]]) -> None:
        self._catalog, self._columns = catalog, columns
        self._objects: dict[_Key, _Object] = {}
        for relation in catalog.relations.values():
            for d in relation.dependents:
                # Before PostgreSQL 16 a view's query names the view itself.
                is_itself = d.host == relation.qualified and d.kind in ("view", "materialized view")
                if not is_itself and not self._is_part_of_a_view(d):
                    key = (d.kind, d.host, d.name, d.description)
                    o = self._objects.setdefault(key, _Object(d))
                    o.uses.add((relation.qualified, d.column))
        self._views = {o.view: k for k, o in self._objects.items() if o.view is not None}
        self._users: dict[Name, list[_Key]] = {}
        for key, o in self._objects.items():
            for used in {relation for relation, _ in o.uses}:
                self._users.setdefault(used, []).append(key)
        self._converted = self._closure(
            key
            for key, o in self._objects.items()
            if any(self._converts(*u) for u in o.uses) or self._whole_rows(o)
        )
        # Rolling back contract makes other columns again too; a table's own objects are set aside
        # there by the file itself.
        moved = {
            (table, c.name)
            for table, changes in columns.items()
            for c in moved_columns(
                catalog.relations[table],
                changes,
                catalog.partition_columns(catalog.relations[table]),
            )
        }
        self._following = (
            self._closure(
                key
                for key, o in self._objects.items()
                if any(use in moved and o.dependent.host != use[0] for use in o.uses)
            )
            - self._converted
        )

    def _is_part_of_a_view(self, d: Dependent) -> bool:
        """A view's own rules and triggers are made with it."""
        host = self._catalog.relations.get(d.host)
        return d.kind in ("rule", "trigger", "statistics") and bool(host and host.kind in "vm")

    def _converts(self, relation: Name, column: str | None) -> bool:
        return any(c.name == column for c in self._columns.get(relation, ()))

    def _whole_rows(self, o: _Object) -> Name | None:
        """The table of which a query takes whole rows, that is, whatever columns it has."""
        host = o.dependent.host
        found = self._catalog.relations if o.view else self._catalog.functions
        definition = (found[host].definition if host in found else None) or ""
        tables = sorted({relation for relation, _ in o.uses if self._columns.get(relation)})
        return next((t for t in tables if takes_whole_rows(definition, t)), None)

    def _closure(self, keys: Iterable[_Key]) -> set[_Key]:
        """The objects, and all that stand on views among them."""
        found: set[_Key] = set()
        waiting = list(keys)
        while waiting:
            key = waiting.pop()
            if key not in found:
                found.add(key)
                view = self._objects[key].view
                waiting += self._users.get(view, ()) if view else ()
        return found

    def _relations(self, key: _Key) -> set[Name]:
        """What an object stands on or belongs to, through views down to tables."""
        o = self._objects[key]
        found: set[Name] = set()
        waiting = [relation for relation, _ in o.uses]
        waiting += [] if o.dependent.kind == "function" else [o.dependent.host]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                if name in self._views:
                    waiting += [relation for relation, _ in self._objects[self._views[name]].uses]
        return found

    def _tables(self, key: _Key) -> frozenset[Name]:
        return frozenset(self._relations(key) & self._columns.keys())

    @property
    def ties(self) -> Iterator[frozenset[Name]]:
        """The tables that an object ties together: they are converted on the same day."""
        return (self._tables(key) for key in self._converted | self._following)

    def obstacles(self, tables: frozenset[Name]) -> Iterator[Obstacle]:
        """What stands on converted columns of these tables and cannot be made again."""
        for key in sorted(self._converted, key=str):
            if not self._tables(key) & tables:
                continue
            o = self._objects[key]
            label = o.dependent.description
            if problem := self._problem(o):
                yield Obstacle(label, problem, _AGAIN)
                continue
            if problem := self._problem_online(o):
                yield Obstacle(label, problem, _AGAIN, online_only=True)
            try:
                self._change(key)
            except StandardError as error:
                problem = error.message.removeprefix(label).removeprefix(":").strip()
                yield Obstacle(label, problem, error.hint or _AGAIN)

    def _used(self, o: _Object) -> str:
        used = sorted(f"{relation}.{c}" for relation, c in o.uses if self._converts(relation, c))
        return (
            f"uses {used[0]}, which is to be converted"
            if used
            else "stands on a view of converted columns"
        )

    def _problem(self, o: _Object) -> str | None:
        """What keeps an object from being made again by either strategy."""
        host = self._catalog.relations.get(o.dependent.host)
        if host is None and o.dependent.host not in self._catalog.functions:
            return f"{self._used(o)}, and lies in a schema that was not read"
        if table := self._whole_rows(o):
            return f"shows whole rows of {table}, whose columns change"
        return None

    def _problem_online(self, o: _Object) -> str | None:
        """What keeps it from serving both contracts, or from being made while they are used."""
        d, host = o.dependent, self._catalog.relations.get(o.dependent.host)
        if d.kind == "rule":
            return f"{self._used(o)}: a rule sees only what a query names"
        if d.kind == "trigger" and host and not _serves_both(host, d.name):
            return f"{self._used(o)}: while both contracts live it would not fire for both"
        if key := next((Name(*t) for t in d.groups_by if self._converts_key(Name(*t))), None):
            return f"groups by the primary key of {key}, which the new columns get after it is made"
        if d.kind == "materialized view" and self._stands_on_a_view(o):
            return (
                "stands on a view of converted columns: it cannot be filled before that is made "
                "again"
            )
        return None

    def _converts_key(self, table: Name) -> bool:
        relation = self._catalog.relations.get(table)
        key = relation.primary_key if relation else None
        return key is not None and any(self._converts(table, c) for c in key.columns)

    def _stands_on_a_view(self, o: _Object) -> bool:
        """Whether it uses a view that is made again."""
        changed = {self._objects[key].view for key in self._converted}
        return any(relation in changed for relation, _ in o.uses)

    def changes(self, tables: frozenset[Name]) -> tuple[DependentChange, ...]:
        """What is made again with these tables, in the order in which it can be made.

        Raises:
            StandardError: it cannot be told what a definition would mean afterwards.
        """
        keys = {k for k in self._converted | self._following if self._tables(k) & tables}
        return tuple(
            self._change(key) if self._can_be_tried(key) else self._change(key).untried()
            for key in self._in_order(keys)
        )

    def _can_be_tried(self, key: _Key) -> bool:
        """Whether it can be made on views of the tables: a view has no key to group by."""
        beneath = (self._views[r] for r in self._relations(key) if r in self._views)
        return not any(self._objects[k].dependent.groups_by for k in (key, *beneath))

    def _in_order(self, keys: set[_Key]) -> list[_Key]:
        """Views after those that they stand on, then the rest; else by name."""
        views = {self._objects[k].view: k for k in keys if self._objects[k].view}
        done: dict[_Key, None] = {}

        def visit(key: _Key) -> None:
            if key not in done:
                for relation in sorted({r for r, _ in self._objects[key].uses} & views.keys()):
                    if views[relation] != key:
                        visit(views[relation])
                done[key] = None

        for key in sorted(keys, key=lambda k: (self._objects[k].view is None, str(k))):
            visit(key)
        return list(done)

    def _change(self, key: _Key) -> DependentChange:
        o = self._objects[key]
        d = o.dependent
        is_converted = key in self._converted
        wording = self._wording(key) if is_converted else Wording(d.description)
        old, new = wording.restated, wording.converted if is_converted else wording.restated
        name = quote_ident(d.name)
        change = DependentChange(
            kind=d.kind,
            label=d.description,
            name=d.host,
            own_name=d.name,
            tables=self._tables(key),
            uses=frozenset(o.uses),
            is_converted=is_converted,
            drop="",
            old=(),
            new=(),
        )
        if d.kind == "function":
            return self._function(change, self._catalog.functions[d.host], old, new)
        host = self._catalog.relations[d.host]
        if o.view:
            return self._view(change, host, old, new)
        if d.kind == "policy":
            policy = next(p for p in host.policies if p.name == d.name)
            conditions = [new(c) for c in (policy.using, policy.with_check) if c is not None]
            return change.made(
                f"DROP POLICY {name} ON {{}};",
                policy_statements(host.qualified, policy, old),
                policy_statements(host.qualified, policy, new),
                new_query=" AND ".join(f"({c})" for c in conditions),
            )
        if d.kind == "trigger":
            trigger = next(t for t in host.triggers if t.name == d.name)
            return change.made(
                f"DROP TRIGGER {name} ON {{}};",
                trigger_statements(host.qualified, trigger, old),
                trigger_statements(host.qualified, trigger, new),
            )
        if d.kind == "rule":
            rule = next(r for r in host.rules if r.name == d.name)
            return change.made(
                f"DROP RULE {name} ON {{}};",
                rule_statements(host.qualified, rule, old),
                rule_statements(host.qualified, rule, new),
            )
        statistics = next(s for s in host.statistics if s.name == d.name)
        return change.made(
            f"DROP STATISTICS {quote_name(Name(statistics.schema, statistics.name))};",
            statistics_statements(statistics, old),
            statistics_statements(statistics, new),
        )

    def _view(
        self, change: DependentChange, view: Relation, old: Reword, new: Reword
    ) -> DependentChange:
        query = view.definition or ""
        name = view.qualified

        def made(words: Reword) -> Iterator[str]:
            yield create_view(view, words(query))
            yield from create_indexes(view, name, words)
            yield from view_settings(view, words)
            yield from index_settings(view, words)

        beside = change.build_name
        moved = quote_name(Name(name.schema, beside.name))
        stored = view.kind == "m" and change.is_converted
        return change.made(
            f"DROP {view_kind(view)} {quote_name(name)};",
            made(old),
            made(new),
            old_query=old(query).strip().removesuffix(";"),
            new_query=new(query).strip().removesuffix(";"),
            build=(
                create_view(view, new(query), beside, fill=False),
                *create_indexes(view, beside, new),
            )
            if stored
            else (),
            settle=(
                f"ALTER MATERIALIZED VIEW {quote_name(beside)}"
                f" SET SCHEMA {quote_ident(name.schema)};",
                f"ALTER MATERIALIZED VIEW {moved} RENAME TO {quote_ident(name.name)};",
                *view_settings(view, new),
                *index_settings(view, new),
            )
            if stored
            else (),
            unsettle=(
                f"ALTER MATERIALIZED VIEW {quote_name(name)} RENAME TO {quote_ident(beside.name)};",
                f"ALTER MATERIALIZED VIEW {moved} SET SCHEMA {quote_ident(beside.schema)};",
            )
            if stored
            else (),
            is_filled=view.populated,
        )

    def _function(
        self, change: DependentChange, function: Function, old: Reword, new: Reword
    ) -> DependentChange:
        """A function with a parsed body: it is replaced, so that it keeps its owner and grants.

        Raises:
            StandardError: its arguments or its result have the type of a table's rows.
        """
        head, body = function_parts(function)
        rows = (rf"""(?<![\w".]){re.escape(quote_name(t))}(?![\w"])""" for t in change.tables)
        if any(re.search(table, head) for table in rows):
            raise StandardError(f"{change.label} takes or gives whole rows, whose columns change")
        definition = new(head) + new(body)
        name = f"{quote_ident(function.schema)}."
        return change.made(
            f"SET LOCAL check_function_bodies = off;\n{head}\nAS 'made again below';",
            [f"{old(function.definition).strip()};"],
            [f"{definition.strip()};"],
            new_query=definition.strip().replace(name, "trueup_after.", 1),
        )

    def _wording(self, key: _Key) -> Wording:
        """What the words of an object's definition become."""
        changes: list[ColumnChange] = []
        others: set[str] = set()
        for relation, name in self._objects[key].uses:
            if name is None:
                continue
            # A view's column holds the values of the column of its name, if there is one.
            below = (
                self._relations(self._views[relation]) if relation in self._views else {relation}
            )
            found = [c for r in below for c in self._columns.get(r, ()) if c.name == name]
            changes += found
            column = self._catalog.relations[relation].column(name)
            if not found and column and column.type.startswith(("char", "text")):
                others.add(name)
        enums = [c for c in changes if c.check]
        return Wording(
            self._objects[key].dependent.description,
            values={v for c in enums for v in c.values},
            mapping={old: new for c in enums for old, new in c.mapping.items()},
            native_types={
                c.old_type for c in enums if not c.old_type.startswith(("varchar", "text"))
            },
            enum_columns={c.name for c in enums},
            text_columns=others,
            # A name that is also another column's may stand for either.
            uuid_columns={c.name for c in changes if c.new_type == "uuid"} - others,
            bare_columns={
                c.name
                for c in changes
                if c.new_type == "uuid" and c.old_type.startswith(("text", "char"))
            }
            - others,
        )


def _serves_both(table: Relation, name: str) -> bool:
    """Whether a trigger fires for both contracts, on values that are kept for both by then."""
    trigger = next(t for t in table.triggers if t.name == name)
    words = trigger.definition.split(" ON ", 1)[0]
    return " AFTER " in words and " UPDATE OF " not in words
