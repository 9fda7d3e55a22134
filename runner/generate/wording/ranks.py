"""The order of a native enum's labels, kept where a definition uses it: as text, values sort by
alphabet."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from runner.errors import StandardError
from runner.generate.wording.casts import NAME, closing
from runner.quoting import quote_ident, quote_literal, unquote_literal

# By column, its new values in the order of the labels that they were.
Ranks = Mapping[str, Sequence[str]]

_LITERAL = rf"(?P<literal>E?'(?:[^']|'')*')::(?:{NAME}\.)?{NAME}"
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
_KEPT: Mapping[str, Callable[[int, int], bool]] = {
    "<": int.__lt__,
    "<=": int.__le__,
    ">": int.__gt__,
    ">=": int.__ge__,
}


def keeps_order(values: Sequence[str]) -> bool:
    """Whether values sort as texts, by any locale, as they stand here."""
    letters = [re.sub("[^A-Z]", "", value) for value in values]
    return (
        all(value.isascii() for value in values)
        and list(values) == sorted(values)
        and letters == sorted(letters)
    )


def uses_order(what: str, definition: str) -> StandardError:
    """The refusal of a definition whose order could not be spelled out."""
    return StandardError(
        f"{what} uses the order of an enum's labels, which its values as text have not: "
        f"{definition.strip()}",
        hint="Let it list the values, or compare their places: array_position(ARRAY['LOW', 'HIGH'],"
        " level); or drop it before, and make it again for the new contract afterwards.",
    )


def by_rank(definition: str, ranks: Ranks, new_value: Mapping[str, str]) -> tuple[str, int]:
    """A definition that PostgreSQL printed, with the order of labels spelled out.

    Args:
        definition: on columns of native enums.
        ranks: those of them whose values would sort otherwise.
        new_value: what each label becomes.

    Returns:
        The definition, and how many uses of the order it spelled out.
    """
    ranks = {name: values for name, values in ranks.items() if values}
    if not ranks:
        return definition, 0
    names = "|".join(re.escape(quote_ident(name)) for name in sorted(ranks))
    own = rf"""(?<![\w"])(?:{NAME}\.)?(?:{names})(?![\w"])"""
    writer = _Writer(own, ranks, new_value)
    for step in (writer.compared, writer.sides, writer.sorted, writer.greatest, writer.most):
        definition = step(definition)
    return definition, writer.count


class _Writer:
    """Rewrites one kind of use after the other, and counts them."""

    def __init__(self, own: str, ranks: Ranks, new_value: Mapping[str, str]) -> None:
        self._own, self._ranks, self._new_value = own, ranks, new_value
        self.count = 0

    def compared(self, text: str) -> str:
        """With a label: `severity >= 'high'` is one of these."""
        operator = "(?P<operator>[<>]=?)"
        own = rf"(?P<own>{self._own}|(?:max|min)\({self._own}\))"

        def listed(match: re.Match[str], operator: str) -> str:
            ranked = self._of(match["own"])
            value = self._new_value.get(unquote_literal(match["literal"]))
            if value not in ranked:
                return match[0]
            self.count += 1
            place = ranked.index(value)
            kept = [v for i, v in enumerate(ranked) if _KEPT[operator](i, place)]
            if not kept:
                return f"({match['own']} <> {match['own']})"
            return f"({match['own']} IN ({', '.join(map(quote_literal, kept))}))"

        text = re.sub(rf"\({own} {operator} {_LITERAL}\)", lambda m: listed(m, m["operator"]), text)
        return re.sub(
            rf"\({_LITERAL} {operator} {own}\)", lambda m: listed(m, _FLIPPED[m["operator"]]), text
        )

    def sides(self, text: str) -> str:
        """With each other."""

        def ranked(match: re.Match[str]) -> str:
            if self._of(match["a"]) != self._of(match["b"]):
                return match[0]
            self.count += 1
            return f"({self._rank(match['a'])} {match['operator']} {self._rank(match['b'])})"

        return re.sub(
            rf"\((?P<a>{self._own}) (?P<operator>[<>]=?) (?P<b>{self._own})\)", ranked, text
        )

    def sorted(self, text: str) -> str:
        """In ORDER BY, where an expression may stand for the column."""
        if re.search(r"SELECT DISTINCT\b|\b(?:UNION|INTERSECT|EXCEPT|WITHIN GROUP)\b", text):
            return text
        for begin in reversed([m.end() for m in re.finditer(r"\bORDER BY ", text)]):
            end = closing(text, begin)
            end = next((m.start() for m in re.compile(";\\s").finditer(text, begin, end)), end)
            item = rf"(?P<before>^|, )(?P<own>{self._own})(?=$|,|;| (?:DESC|NULLS)\b|\s+[A-Z])"

            for match in reversed(list(re.finditer(item, text[begin:end]))):
                if closing(text, begin + match.start("own")) == closing(text, begin):
                    self.count += 1
                    first, last = (begin + place for place in match.span("own"))
                    text = f"{text[:first]}({self._rank(match['own'])}){text[last:]}"
        return text

    def greatest(self, text: str) -> str:
        """In GREATEST and LEAST."""

        def ranked(match: re.Match[str]) -> str:
            given = re.findall(rf"({self._own})|{_LITERAL}", match["values"])
            lists = {tuple(self._of(own)) for own, _ in given if own}
            if len(lists) != 1:
                return match[0]
            (values,) = lists
            places = []
            for own, literal in given:
                value = self._new_value.get(unquote_literal(literal)) if literal else None
                if literal and value not in values:
                    return match[0]
                places.append(self._rank(own) if own else str(values.index(value or "") + 1))
            self.count += 1
            return f"({_array(values)})[{match['call']}({', '.join(places)})]"

        value = re.sub(r"\?P<literal>", "?:", rf"(?:{self._own}|{_LITERAL})")
        return re.sub(
            rf"\b(?P<call>GREATEST|LEAST)\((?P<values>{value}(?:, {value})*)\)", ranked, text
        )

    def most(self, text: str) -> str:
        """In max() and min(), with what follows them."""
        found = re.compile(rf"(?<![\w.\"])(?P<call>max|min)\((?P<own>{self._own})\)")
        for match in reversed(list(found.finditer(text))):
            end = match.end()
            for tail in (r" FILTER \(", r" OVER \("):
                if more := re.compile(tail).match(text, end):
                    end = closing(text, more.end()) + 1
            if named := re.compile(rf" OVER {NAME}").match(text, end):
                end = named.end()
            self.count += 1
            values = self._of(match["own"])
            call = f"{match['call']}({self._rank(match['own'])}){text[match.end() : end]}"
            text = f"{text[: match.start()]}({_array(values)})[{call}]{text[end:]}"
        return text

    def _of(self, own: str) -> Sequence[str]:
        name = re.findall(NAME, own)[-1]
        return self._ranks[name[1:-1].replace('""', '"') if name.startswith('"') else name]

    def _rank(self, own: str) -> str:
        return f"array_position({_array(self._of(own))}, {own})"


def _array(values: Sequence[str]) -> str:
    return f"ARRAY[{', '.join(map(quote_literal, values))}]::character varying[]"
