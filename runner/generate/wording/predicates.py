"""Literals of index and constraint definitions, from the old contract's values to the new."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from runner.errors import StandardError
from runner.generate.wording.casts import ID, NAME, cast_ids, closing, compare_with_queries
from runner.generate.wording.ranks import Ranks, by_rank
from runner.quoting import Name, quote_ident, quote_literal, quote_name, unquote_literal

_TEXT = rf"(?:text|bpchar|character varying|(?:{NAME}\.)?citext)"
_TEXT_TYPES = {"text", "character varying", "bpchar", "character"}
# PostgreSQL prints every literal of an expression with its type.
_LITERAL = re.compile(
    r"""(E?'(?:[^']|'')*')::((?:character varying|"(?:[^"]|"")+"|[\w ]+?)"""
    r"""(?:\.(?:"(?:[^"]|"")+"|\w+))?(?:\(\d+\))?)"""
    r"""(?=[^\w.(]|$)(?P<list>\[\])?"""
)
# Where a literal stands in a list of them that is compared as such.
_ANY_LITERAL = r"""E?'(?:[^']|'')*'::(?:"(?:[^"]|"")+"|[\w. ])+"""
_IN_LIST = re.compile(rf"(?:@>|<@|&&|=|<>) \(*ARRAY\[(?:{_ANY_LITERAL}, )*$")
_IN_LIST_BEFORE = re.compile(rf"(?:, {_ANY_LITERAL})*\]\)* (?:@>|<@|&&|=|<>) ")


def convert_literals(
    definition: str,
    *,
    what: str,
    values: Collection[str],
    native_types: Collection[str],
    text_columns: Collection[str],
    mapping: Mapping[str, str] | None = None,
    enum_columns: Collection[str] = (),
    one_to_one: Collection[str] = (),
) -> str:
    """Rewrite the values in a definition that PostgreSQL printed.

    Args:
        definition: an index's definition from `USING` on, or a constraint's.
        what: the object's name, for errors.
        values: the new values of the converted enum columns that the definition mentions.
        native_types: the native enum types of these columns, as PostgreSQL prints them.
        text_columns: the unconverted text columns that it mentions: a literal could be theirs,
            unless it is compared with one column.
        mapping: what becomes of old values, in upper case, that do not stay what they are.
        enum_columns: the converted enum columns that the definition mentions.
        one_to_one: the old values of the mapping that alone become what they become.

    Returns:
        The definition with its values in upper case, and without casts to the native types.

    Raises:
        StandardError: it cannot be told what the definition would mean afterwards.
    """
    definition = _plain_operators(definition, enum_columns)
    natives = {name.removesuffix("[]") for name in native_types}

    def become(match: re.Match[str], value: str) -> str:
        target = (mapping or {}).get(value.upper(), value.upper())
        if target != value.upper() and value.upper() not in one_to_one:
            raise StandardError(
                f"{what}: {match[0]} becomes {target}, which other values become too: {definition}",
                hint="Drop it first, and create it again for the new values afterwards.",
            )
        return target

    def convert(match: re.Match[str]) -> str:
        value, type_name = unquote_literal(match[1]), match[2]
        is_text = type_name.partition("(")[0] in _TEXT_TYPES
        if not is_text and type_name not in natives:
            return match[0]
        items = _items(value) if match["list"] else [value]
        if items is None:
            return match[0]
        targets = [item if item is None else become(match, item) for item in items]
        said = quote_literal(_list(targets) if match["list"] else targets[0] or "")
        if type_name in natives:
            if match["list"]:
                return f"{said}::character varying[]"
            before, behind = definition[: match.start()], definition[match.end() :]
            is_listed = _IN_LIST.search(before) or _IN_LIST_BEFORE.match(behind)
            return f"{said}::character varying" if is_listed else said
        if {*targets}.isdisjoint(values):
            return match[0]
        said = f"{said}::{type_name}{match['list'] or ''}"
        beside = _compared_column(definition[: match.start()])
        if beside in text_columns:
            if beside not in enum_columns:
                return match[0]
        elif beside in enum_columns:
            return said
        if text_columns:
            raise StandardError(
                f"{what}: {match[0]} may be a value of {', '.join(sorted(text_columns))} or of a "
                f"converted column: {definition}",
                hint="Drop it first, and create it again for the new values afterwards.",
            )
        return said

    return _LITERAL.sub(convert, definition)


def _items(literal: str) -> list[str | None] | None:
    """What an array's text holds; None where it has arrays in it."""
    if not re.fullmatch(r"\{[^{}]*\}", re.sub(r'"(?:[^"\\]|\\.)*"', "", literal)):
        return None
    found = re.findall(r'"((?:[^"\\]|\\.)*)"|([^",{}]+)', literal)
    return [
        None if bare == "NULL" else bare or re.sub(r"\\(.)", r"\1", quoted)
        for quoted, bare in found
    ]


def _list(items: Collection[str | None]) -> str:
    """The text of an array."""
    quoted = (
        "NULL"
        if item is None
        else item
        if re.fullmatch(r"(?!(?i:null)$)\w+", item)
        else '"' + re.sub(r'(["\\])', r"\\\1", item) + '"'
        for item in items
    )
    return "{" + ",".join(quoted) + "}"


def _plain_operators(definition: str, columns: Collection[str]) -> str:
    """Compare columns by PostgreSQL's operators, where they had those of a type such as citext."""
    if "OPERATOR(" not in definition or not columns:
        return definition
    names = "|".join(re.escape(quote_ident(c)) for c in sorted(columns))
    column = rf"""(?<![\w"])(?:{names})\)*(?:::{_TEXT})?"""
    return re.sub(rf"({column} )OPERATOR\({NAME}\.([=<>!~*]+)\)", r"\1\2", definition)


_COMPARED = re.compile(
    r"""(?P<opened>\(*)(?:(?:"(?:[^"]|"")+"|\w+)\.)?(?P<name>"(?:[^"]|"")+"|\w+)"""
    r"""(?P<closed>\)?(?:::(?:text|bpchar|character varying)(?:\[\])?)?\)*)"""
    r""" (?:=|<>|<|>|<=|>=|~~|!~~|= ANY|<> ALL|@>|<@|&&) \(*(?:ARRAY\[)?"""
    r"""(?:E?'(?:[^']|'')*'::[\w ]+(?:\(\d+\))?, )*$"""
)


def _compared_column(before: str) -> str | None:
    """The column with which what comes next is compared."""
    match = _COMPARED.search(before)
    # One parenthesis more closes what the column is only an argument of.
    if match is None or match["closed"].count(")") > len(match["opened"]):
        return None
    return match["name"].strip('"').replace('""', '"')


_VARCHAR_LIST = re.compile(
    r"""\(\((?P<column>(?:(?:"(?:[^"]|"")+"|\w+)\.)?(?:"(?:[^"]|"")+"|\w+))\)::text"""
    r""" (?P<operator>= ANY|<> ALL)"""
    r""" \(\(ARRAY\[(?P<values>(?:'(?:[^']|'')*'::character varying(?:, )?)+)\]\)::text\[\]\)\)"""
)


def restate(definition: str) -> str:
    """Give a definition that PostgreSQL printed the form in which it prints it again.

    What PostgreSQL prints for `column IN ('a', 'b')` on a varchar column, it reads as something
    else than it printed; every other form that it prints is stable.

    Args:
        definition: of pg_get_constraintdef() or pg_get_indexdef().

    Returns:
        The same definition, with such lists as IN and NOT IN.
    """

    def convert(match: re.Match[str]) -> str:
        values = match["values"].replace("::character varying", "")
        operator = "IN" if match["operator"] == "= ANY" else "NOT IN"
        return f"({match['column']} {operator} ({values}))"

    return _VARCHAR_LIST.sub(convert, one_way(definition))


def one_way(definition: str) -> str:
    """A definition that PostgreSQL printed, its literals read alike by all that split files."""
    token = r"""(?<![\w'])(?P<literal>'(?:[^']|'')*')|"(?:[^"]|"")*\""""

    def convert(match: re.Match[str]) -> str:
        literal = match["literal"]
        return quote_literal(unquote_literal(literal)) if literal and "\\" in literal else match[0]

    return re.sub(token, convert, definition) if "\\" in definition else definition


_NO_COLUMN = r"""
    '(?:[^']|'')*'
    | ::(?:time|timestamp)(?:\(\d\))?\x20with(?:out)?\x20time\x20zone
    | ::(?:character|bit)\x20varying | ::double\x20precision
    | ::(?:"(?:[^"]|"")+"|\w+)(?:\.(?:"(?:[^"]|"")+"|\w+))?
    | \bUSING\x20\w+
    | \bCOLLATE\x20(?:"(?:[^"]|"")+"|\w+)(?:\.(?:"(?:[^"]|"")+"|\w+))?
"""
_COLUMN = re.compile(
    rf"""(?P<other>{_NO_COLUMN}) | (?<![\w."$])(?P<name>"(?:[^"]|"")+"|[a-z_]\w*)(?![\w(."])""",
    re.VERBOSE,
)


def with_columns(definition: str, names: Mapping[str, str]) -> str:
    """A definition that PostgreSQL printed, of columns that are called otherwise now.

    Args:
        definition: of a constraint or an index; its keywords are in capitals, its names are not.
        names: what each of these columns is called now.
    """
    return with_values(definition, {old: quote_ident(new) for old, new in names.items()})


def with_values(definition: str, values: Mapping[str, str]) -> str:
    """The same, where SQL stands for each of some columns."""
    quoted = {quote_ident(name): value for name, value in values.items()}

    def convert(match: re.Match[str]) -> str:
        return quoted.get(match["name"] or "", match[0])

    return _COLUMN.sub(convert, definition)


def takes_whole_rows(definition: str, table: Name) -> bool:
    """Whether a view takes whole rows of a table: PostgreSQL prints other stars as columns."""
    code = re.sub(r"'(?:[^']|'')*'", "''", definition)
    named = rf"""(?<![\w."]){re.escape(quote_name(table))}(?: (?P<alias>{NAME}))?"""
    aliases = {match["alias"] for match in re.finditer(named, code)} | {quote_ident(table.name)}
    return any(re.search(rf"""(?<![\w"]){re.escape(a)}\.\*""", code) for a in aliases if a)


def check_condition(definition: str) -> str:
    """The expression in `CHECK (...)`, in its parentheses, without what may follow it."""
    return one_way(
        re.sub(r"(?: NO INHERIT| NOT VALID| NOT ENFORCED)*$", "", definition.removeprefix("CHECK "))
    )


def calls_function_on(definition: str, column: str) -> bool:
    """Whether a definition calls a function on a column: `lower((status)::text)`."""
    function = r"\b(?!ANY|ALL|COALESCE|NULLIF|btree|hash|gin|gist|brin)\w+"
    call = rf"""{function}\(\(?{re.escape(quote_ident(column))}(?![\w"])"""
    return re.search(call, definition) is not None


# What changes the case or the parts of a value, so that a literal beside it is no value.
_RESHAPING = (
    r"(?:lower|initcap|translate|replace|left|right|substr|substring|md5|reverse|split_part)"
)
# They take a value of any type, and say the same of a uuid; cast_ids casts for the last three.
_ANY_TYPE = (
    r"(?:count|array_agg|jsonb?_\w+|to_jsonb?|concat|concat_ws|format|ROW|EXISTS"
    r"|COALESCE|GREATEST|LEAST)"
)
_SETTING = (
    r"(?:\( SELECT )?current_setting\('(?:[^']|'')*'::text(?:, (?:true|false))?\)"
    r"(?: AS \w+\))?"
)


@dataclass(frozen=True, slots=True)
class Wording:
    """The words of a definition that PostgreSQL printed, and what they become.

    Args:
        what: the object's name, for errors.
        values, mapping, native_types, text_columns, one_to_one: as for convert_literals.
        enum_columns: the converted enum columns that it mentions.
        uuid_columns: the columns it mentions that become uuid, if their names are no others'.
        bare_columns: those among them that it takes as text without a cast.
        ranks: by enum column, its new values in the order of the labels that they were.
        labels: what each label of these becomes.
    """

    what: str
    values: Collection[str] = ()
    mapping: Mapping[str, str] | None = None
    native_types: Collection[str] = ()
    enum_columns: Collection[str] = ()
    text_columns: Collection[str] = ()
    uuid_columns: Collection[str] = ()
    bare_columns: Collection[str] = ()
    ranks: Ranks = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    one_to_one: Collection[str] = ()

    def orders(self, definition: str) -> int:
        """How many uses of the order of labels in a definition it can word."""
        return by_rank(definition, self.ranks, self.labels)[1]

    def restated(self, definition: str) -> str:
        """The definition in a form that PostgreSQL prints as it reads it."""
        return restate(definition)

    def converted(self, definition: str) -> str:
        """The definition for the new contract.

        Raises:
            StandardError: it cannot be told what it would mean afterwards.
        """
        definition, _ = by_rank(definition, self.ranks, self.labels)
        text = self.with_new_values(definition)
        for column in self.enum_columns:
            own = rf"""(?:{NAME}\.)?{re.escape(quote_ident(column))}(?![\w"])"""
            call = rf"\b{_RESHAPING}\"?\(\(?{own}"
            if text != definition and re.search(call, definition):
                raise StandardError(
                    f"{self.what} calls a function on {column}, whose values change: {definition}",
                    hint="Drop it first, and create it again for the new contract afterwards.",
                )
            self._require_no_parts(definition, own)
        text = compare_with_queries(self._as_uuids(text), self.uuid_columns)
        text = restate(self._as_text(text))
        return cast_ids(text, self.uuid_columns)

    def with_new_values(self, definition: str) -> str:
        """The definition with nothing but its values in the words of the new contract.

        Raises:
            StandardError: it cannot be told what one would mean afterwards.
        """
        return convert_literals(
            _plain_operators(definition, self.uuid_columns),
            what=self.what,
            values=self.values,
            native_types=self.native_types,
            text_columns=self.text_columns,
            mapping=self.mapping,
            enum_columns=self.enum_columns,
            one_to_one=self.one_to_one,
        )

    def _require_no_parts(self, definition: str, own: str) -> None:
        """No part of a value is compared: nothing tells which case it would have."""
        literal = r"(?P<literal>E?'(?:[^']|'')*[A-Za-z](?:[^']|'')*')"
        behind = rf"\)*(?:::{_TEXT})? (?P<operator>!?~~?|[<>]=?) \(*{literal}"
        found = any(
            match["operator"][0] not in "<>"
            or unquote_literal(match["literal"]).upper() not in self.values
            for match in re.finditer(rf"(?<!\w)\(*{own}{behind}", definition)
        )
        compared = rf"\)*(?:::{_TEXT})? (?:=|<>|!?~~?|[<>]=?|IN)(?: ANY| ALL)?"
        values = rf" \(*(?:ARRAY\[)?\(*{literal}"
        for call in re.finditer(rf"\b(?!lower|initcap){_RESHAPING}\"?\(\(?{own}", definition):
            end = closing(definition, definition.index("(", call.start()) + 1)
            found = found or bool(re.compile(compared + values).match(definition, end))
        if found:
            raise StandardError(
                f"{self.what} compares a part of a value that changes, or a pattern: {definition}",
                hint="Drop it first, and create it again for the new contract afterwards.",
            )

    def _as_text(self, text: str) -> str:
        """Give functions and operators of text the text that they have taken."""
        if not self.bare_columns:
            return text
        names = "|".join(re.escape(quote_ident(c)) for c in sorted(self.bare_columns))
        column = rf"(?P<column>(?:{NAME}\.)?(?:{names}))"
        text = re.sub(
            rf"(?P<call>(?<![\w\"])(?!{_ANY_TYPE}\(){NAME}\(){column}(?=[,)])",
            r"\g<call>(\g<column>)::text",
            text,
        )
        literals = rf"(?:(?:ANY|ALL) \()?(?:ARRAY\[)?'(?:[^']|'')*'::{_TEXT}"
        return re.sub(rf"(?<=\(){column}(?= [=<>!~*]+ {literals})", r"(\g<column>)::text", text)

    def _as_uuids(self, text: str) -> str:
        """Compare uuids as such: as text no index would serve, and the spelling would count."""
        if not self.uuid_columns:
            return text
        names = "|".join(re.escape(quote_ident(c)) for c in sorted(self.uuid_columns))
        column = rf"(?:{NAME}\.)?(?:{names})"
        # PostgreSQL compares varchar as text, or as char beside one, and says so.
        left, right = (
            rf"(?:\((?P<{cast}>{column})\)::{_TEXT}|(?P<{bare}>{column}))"
            for cast, bare in ("ab", "cd")
        )

        def both(match: re.Match[str]) -> str:
            return f"({match['a'] or match['b']} {match['op']} {match['c'] or match['d']})"

        def literal(match: re.Match[str]) -> str:
            return f"({match['a'] or match['b']} {match['op']} {match['value'].lower()}::uuid)"

        def setting(match: re.Match[str]) -> str:
            own = match["a"] or match["b"]
            return f"({own} {match['op']} (NULLIF({match['value']}, ''::text))::uuid)"

        operator = "(?P<op>=|<>)"
        text = re.sub(rf"\({left} {operator} {right}\)", both, text)
        text = re.sub(rf"\({left} {operator} (?P<value>{ID})::{_TEXT}\)", literal, text)
        text = re.sub(rf"\({left} {operator} (?P<value>{_SETTING})\)", setting, text)
        return re.sub(rf"\((?P<value>{_SETTING}) {operator} {left}\)", setting, text)
