"""Statements out of a file: plain SQL, or a log of PostgreSQL as text, CSV or JSON."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from runner.errors import UsageError
from runner.ledger.scanner import ScanError, split
from runner.workload.model import Sent

_LOGGED = re.compile(
    r"(?:duration: [\d.]+ ms  )?(?:statement|execute (?:fetch from )?[^:\n]*): (?P<text>.+)",
    re.DOTALL,
)
_PARAMETERS = re.compile(r"(?i:parameters): (?P<list>.*)", re.DOTALL)
_PARAMETER = re.compile(r"\$\d+ = (?:NULL|'((?:[^']|'')*)')(?:, |$)")
# The prefix of a line is whatever log_line_prefix says; two blanks follow the severity.
_LINE = re.compile(r"(?:^|.*?\s|.*?\]|.*?:)(?P<severity>[A-Z][A-Z0-9]+):  (?P<message>.*)")
_SEVERITIES = frozenset(
    "LOG DETAIL STATEMENT ERROR FATAL PANIC WARNING NOTICE INFO HINT CONTEXT QUERY LOCATION"
    " DEBUG1 DEBUG2 DEBUG3 DEBUG4 DEBUG5".split()
)
_CSV_MESSAGE, _CSV_DETAIL, _CSV_COLUMNS = 13, 14, 23
_LOOKED_AT = 200  # lines, to tell what a file is
_DATA = re.compile(
    r"^(COPY\s[^;]*\sFROM\s+STDIN\b[^;]*;)[^\n]*\n.*?^\\\.[ \t]*$",
    re.IGNORECASE | re.DOTALL | re.MULTILINE,
)
_META = re.compile(r"^\\[^\n]*$", re.MULTILINE)
_VALUE = re.compile(r"'(?:[^']|'')*'|(?<![\w$])\d+(?:\.\d+)?")

_Reader = Callable[[Path, Iterable[str]], Iterator[Sent]]


def read_statements(path: Path) -> list[Sent]:
    """Read the statements of a file, each kind of them once.

    Args:
        path: SQL, one statement for each `;`, or a log of PostgreSQL with `log_statement` or
            `log_min_duration_statement`.

    Returns:
        The statements with how often each was sent; those that differ in values alone count as one.

    Raises:
        UsageError: the file cannot be read, or holds no statement.
    """
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as lines:
            head = list(islice(lines, _LOOKED_AT))
        reader, kind = _reader(head)
        with path.open(encoding="utf-8", errors="replace", newline="") as lines:
            found = _distinct(reader(path, lines))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    if not found:
        raise UsageError(
            f"{path} holds no statement; it was read as {kind}",
            hint="a log has statements with log_statement = 'all' or log_min_duration_statement"
            " = 0, in English (lc_messages = 'C'); anything else is read as SQL",
        )
    return found


def _reader(head: list[str]) -> tuple[_Reader, str]:
    first = next((line for line in head if line.strip()), "")
    if first.lstrip().startswith("{"):
        return _json_log, "a log in JSON"
    row = next(csv.reader(head), [])
    if len(row) >= _CSV_COLUMNS and re.match(r"\d{4}-\d\d-\d\d ", row[0]):
        return _csv_log, "a log in CSV"
    if any(m and m["severity"] in _SEVERITIES for m in map(_LINE.match, head)):
        return _text_log, "a log"
    return _sql, "SQL"


def _distinct(sent: Iterable[Sent]) -> list[Sent]:
    found: dict[str, Sent] = {}
    for one in sent:
        key = " ".join(_VALUE.sub("?", one.text).split())
        known = found.get(key)
        found[key] = replace(known, calls=(known.calls or 0) + 1) if known else one
    return list(found.values())


def _sql(path: Path, lines: Iterable[str]) -> Iterator[Sent]:
    # What a dump of psql's holds beside SQL: rows of COPY, and commands of psql itself.
    text = _DATA.sub(lambda m: m[1] + "\n" * m[0].count("\n"), "".join(lines))
    text = _META.sub("", text)
    try:
        statements = split(text)
    except ScanError as error:
        line = text.count("\n", 0, error.offset) + 1
        raise UsageError(f"{path}:{line}: {error}") from None
    for statement in statements:
        yield Sent(statement.text, f"{path.name}:{statement.line}", 1)


def _json_log(path: Path, lines: Iterable[str]) -> Iterator[Sent]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # the log's last line may be half written
        if isinstance(entry, dict):
            where = f"{path.name}:{number}"
            yield from _logged(str(entry.get("message", "")), str(entry.get("detail", "")), where)


def _csv_log(path: Path, lines: Iterable[str]) -> Iterator[Sent]:
    reader = csv.reader(lines)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            continue
        if len(row) > _CSV_DETAIL:
            where = f"{path.name}:{reader.line_num}"
            yield from _logged(row[_CSV_MESSAGE], row[_CSV_DETAIL], where)


def _text_log(path: Path, lines: Iterable[str]) -> Iterator[Sent]:
    begun = 0
    messages: list[list[str]] = []  # severity and text of a message and its details

    def ended() -> Iterator[Sent]:
        if messages and messages[0][0] == "LOG":
            detail = next((text for severity, text in messages[1:] if severity == "DETAIL"), "")
            yield from _logged(messages[0][1], detail, f"{path.name}:{begun}")

    for number, raw in enumerate(lines, start=1):
        line = raw.rstrip("\r\n")
        if line.startswith("\t") and messages:
            messages[-1][1] += "\n" + line[1:]
            continue
        match = _LINE.match(line)
        if match is None or match["severity"] not in _SEVERITIES:
            if messages:
                messages[-1][1] += "\n" + line
            continue
        if match["severity"] != "DETAIL":
            yield from ended()
            messages, begun = [], number
        messages.append([match["severity"], match["message"]])
    yield from ended()


def _logged(message: str, detail: str, where: str) -> Iterator[Sent]:
    match = _LOGGED.fullmatch(message)
    if match is None:
        return
    values: tuple[str | None, ...] = ()
    if given := _PARAMETERS.fullmatch(detail.strip()):
        values = tuple(
            m[1].replace("''", "'") if m[1] is not None else None
            for m in _PARAMETER.finditer(given["list"])
        )
    yield Sent(match["text"], where, 1, values=values)
