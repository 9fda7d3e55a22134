"""Which objects use which tables and columns, directly or through views, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from runner.catalog import Catalog, Dependent, Function, Relation
from runner.generate.column_change import ColumnChange, one_to_one
from runner.generate.dependent import Standing
from runner.generate.wording.predicates import Wording, takes_whole_rows
from runner.generate.wording.ranks import uses_order
from runner.quoting import Name

_Key = tuple[str, Name, str, str]


@dataclass
class _Object:
    """A dependent with all that it uses: relations, each with a column or as such."""

    dependent: Dependent
    host: Relation | Function | None
    uses: set[tuple[Name, str | None]] = field(default_factory=set)

    @property
    def view(self) -> Name | None:
        """The view that it is."""
        is_view = self.dependent.kind in ("view", "materialized view")
        return self.dependent.host if is_view else None


class Closure:
    """The objects that use the tables of a standard, directly or through views.

    Args:
        catalog: the database at the old contract.
        columns: the converted columns of each table of the standard, by its old name.
        new_names: the new name of each of these tables.
    """

    def __init__(
        self,
        catalog: Catalog,
        columns: Mapping[Name, Sequence[ColumnChange]],
        new_names: Mapping[Name, Name],
    ) -> None:
        self._catalog, self._columns, self._new_names = catalog, columns, new_names
        self._objects: dict[_Key, _Object] = {}
        for relation in catalog.relations.values():
            for d in relation.dependents:
                # Before PostgreSQL 16 a view's query names the view itself.
                is_itself = d.host == relation.qualified and d.kind in ("view", "materialized view")
                if not is_itself and not self._is_part_of_a_view(d):
                    key = (d.kind, d.host, d.name, d.description)
                    o = self._objects.setdefault(key, _Object(d, self._host(d)))
                    o.uses.add((relation.qualified, d.column))
        self._views = {o.view: k for k, o in self._objects.items() if o.view is not None}
        self._users: dict[Name, list[_Key]] = {}
        for key, o in self._objects.items():
            for used in {relation for relation, _ in o.uses}:
                self._users.setdefault(used, []).append(key)
        self._converted = self._closure(
            key
            for key, o in self._objects.items()
            if any(self._converts(*u) for u in o.uses) or self._rows_of(o)
        )

    def _host(self, d: Dependent) -> Relation | Function | None:
        if d.kind == "function":
            return self._catalog.functions.get(d.host)
        return self._catalog.relations.get(d.host)

    def _is_part_of_a_view(self, d: Dependent) -> bool:
        """A view's own rules and triggers are made with it."""
        host = self._catalog.relations.get(d.host)
        return d.kind in ("rule", "trigger", "statistics") and bool(host and host.kind in "vm")

    def _converts(self, relation: Name, column: str | None) -> bool:
        return any(c.name == column for c in self._columns.get(relation, ()))

    def _rows_of(self, o: _Object) -> Name | None:
        """The table of which a query takes whole rows."""
        is_query = o.view is not None or isinstance(o.host, Function)
        definition = (o.host.definition if o.host and is_query else None) or ""
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
        return (self._tables(key) for key in self._converted)

    def converted(self, tables: frozenset[Name]) -> Iterator[Standing]:
        """What stands on converted columns of these tables, by name."""
        for key in sorted(self._converted, key=str):
            if self._tables(key) & tables:
                yield self._standing(key)

    def standing(self, tables: frozenset[Name]) -> list[Standing]:
        """What is made again with these tables, in the order in which it can be made."""
        keys = {k for k in self._converted if self._tables(k) & tables}
        return [self._standing(key) for key in self._in_order(keys)]

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

    def _standing(self, key: _Key) -> Standing:
        o = self._objects[key]
        d = o.dependent
        wording, texts = self._wording(key), self._texts(o)
        is_worded = not wording.ranks or d.orders == sum(map(wording.orders, texts))

        def new(text: str) -> str:
            if not is_worded:
                raise uses_order(d.description, "; ".join(texts))
            return wording.converted(text)

        return Standing(
            dependent=d,
            host=o.host,
            new_host=self._new_names.get(d.host, d.host),
            tables=self._tables(key),
            uses=frozenset(o.uses),
            used=tuple(sorted(f"{r}.{c}" for r, c in o.uses if self._converts(r, c))),
            is_on_a_view=any(self._views.get(r) in self._converted for r, _ in o.uses),
            can_be_tried=self._can_be_tried(key),
            rows_of=self._rows_of(o),
            groups_by=self._groups_by([key]),
            moves_with=self._groups_by(self._made_with(key)),
            words=self._words(key),
            old=wording.restated,
            new=new,
        )

    def _words(self, key: _Key) -> dict[str, str]:
        """The old values of the tables beneath that upper case does not make new ones of ASCII."""
        enums = [c for t in self._tables(key) for c in self._columns[t] if c.check]
        found = {old: new for c in enums for old, new in c.mapping.items()}
        for c in enums:
            found |= {v.lower(): v for v in c.values if not v.isascii()}
        return found

    def _texts(self, o: _Object) -> list[str]:
        """All that is written of an object itself."""
        kind, name = o.dependent.kind, o.dependent.name
        if isinstance(o.host, Function):
            return [o.host.definition]
        if o.host is None or o.view is not None:
            return [o.host.definition or ""] if o.host else []
        found: list[str | None] = []
        if kind == "policy":
            found = [t for p in o.host.policies if p.name == name for t in (p.using, p.with_check)]
        if kind == "trigger":
            found = [t.definition for t in o.host.triggers if t.name == name]
        elif kind == "rule":
            found = [r.definition for r in o.host.rules if r.name == name]
        elif kind == "statistics":
            found = [s.definition for s in o.host.statistics if s.name == name]
        return [text for text in found if text]

    def _can_be_tried(self, key: _Key) -> bool:
        """Whether it can be made on views of the tables: a view has no key to group by."""
        beneath = (self._views[r] for r in self._relations(key) if r in self._views)
        return not any(self._objects[k].dependent.groups_by for k in (key, *beneath))

    def _groups_by(self, keys: Iterable[_Key]) -> tuple[Name, ...]:
        """The tables by whose converted primary key these objects group."""
        found = {Name(*t) for k in keys for t in self._objects[k].dependent.groups_by}
        return tuple(sorted(t for t in found if self._converts_key(t)))

    def _made_with(self, key: _Key) -> set[_Key]:
        """An object, and all that stands on the same views: they go and come back at once."""
        found: set[_Key] = set()
        waiting = [key]
        while waiting:
            key = waiting.pop()
            if key not in found:
                found.add(key)
                o = self._objects[key]
                beneath = (self._views[r] for r, _ in o.uses if r in self._views)
                waiting += [k for k in beneath if k in self._converted]
                waiting += self._users.get(o.view, ()) if o.view else ()
        return found

    def _converts_key(self, table: Name) -> bool:
        relation = self._catalog.relations.get(table)
        key = relation.primary_key if relation else None
        return key is not None and any(self._converts(table, c) for c in key.columns)

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
            column = self._catalog.relations[relation].column(name)
            if not found and column and relation in self._views:
                # Under another name: a native enum's type tells what it is.
                same = (c for r in below for c in self._columns.get(r, ()) if c.labels)
                found = [replace(c, name=name) for c in same if c.old_type == column.type][:1]
            changes += found
            if not found and column and column.type.startswith(("char", "text")):
                others.add(name)
        enums = [c for c in changes if c.check]
        sorts_anew = any(c.sorts_anew for c in enums)
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
            ranks={c.name: c.ranked for c in enums if c.labels} if sorts_anew else {},
            labels={label: new for c in enums for label, new in c.labels.items()},
            one_to_one=one_to_one(enums),
        )
