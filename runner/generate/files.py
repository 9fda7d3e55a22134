"""Statements with a header -> the text of a migration and of its rollback."""

from __future__ import annotations

import hashlib
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from runner.errors import StandardError
from runner.generate import effects
from runner.generate.statement import Paragraph, Statement, comment, undone
from runner.postgres.locks import LockMode
from runner.quoting import one_line, quote_literal

_WIDTH = 120
# The number before the first file of a phase, when a phase has room for a hundred.
_PHASES = {
    "toolkit": 50,
    "check": 60,
    "expand": 100,
    "backfill": 200,
    "enforce": 300,
    "switch": 400,
    "contract": 500,
    "window": 600,
}
_END = 700
# Where the files of a phase go that always go to one place.
_FOLDERS = {
    "expand": "online",
    "backfill": "online",
    "enforce": "online",
    "switch": "online/switch",
    "contract": "online/contract",
    "window": "window",
}
_UNTIDY = re.compile(r"\n(?<=\s\n)")

# In a statement: the id of its file as a literal, which it has only when all files are known.
OWN_ID = "\0own id\0"

# How each transaction of ours begins: no name in it can mean what somebody else made, and nothing
# depends on what the role, the database or the server sets.
OWN_NAMES = Statement("SET LOCAL search_path = pg_catalog;")
HEAD = (Statement("CALL trueup.fix_transaction();"),)

# How the title of a file begins that changes nothing, as only its rollback has something to do.
FOR_ROLLBACK = "For the rollback: "

BRIEF = " for a few ms; gives up after 200 ms: run it again"
_WITHOUT_WAITING = {
    LockMode.ACCESS_SHARE: ", as any SELECT",
    LockMode.ROW_SHARE: ", as any SELECT FOR UPDATE",
    LockMode.ROW_EXCLUSIVE: ", as any UPDATE",
    LockMode.SHARE_UPDATE_EXCLUSIVE: ": reads and writes go on",
}


@dataclass(frozen=True, slots=True)
class MigrationText:
    """A generated migration: its id and the text of its two files."""

    id: str
    folder: str
    sql: str
    rollback: str


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class File:
    """A migration before it has its number.

    Args:
        phase: its phase.
        subject: the last part of its name.
        title: the first line of its header.
        does: what it does, in words.
        cost: what it costs.
        undo: what its rollback does and costs.
        body: its statements.
        back: what its rollback does, in words.
        back_locks: what the rollback's header says of locks where the statements cannot tell.
        back_cost: what it says of costs where they cannot.
        rollback: the rollback's statements; None where they are the statements' own undo.
        after: the files that must have run.
        held: how long its locks are held, as the header says it.
        locks_said: what the header says of locks where the statements cannot tell.
        unlike: what tells it apart from a file that would have the same name.
        head: how it begins, when it is a transaction.
        folder: where it goes, below the service's folder, if its phase does not tell.
    """

    phase: str
    subject: str
    title: str
    does: str
    cost: str
    undo: str
    body: Sequence[Paragraph]
    back: str
    back_locks: str = ""
    back_cost: str = ""
    rollback: Sequence[Paragraph] | None = None
    after: Sequence[File] = ()
    held: str = ""
    locks_said: str = ""
    unlike: str = ""
    head: Paragraph = HEAD
    folder: str = ""

    def __post_init__(self) -> None:
        """Fill the folder that its phase tells."""
        if not self.folder:
            object.__setattr__(self, "folder", _FOLDERS[self.phase])

    @property
    def strategy(self) -> str:
        """The strategy that it belongs to, or common."""
        return self.folder.partition("/")[0]

    @property
    def statements(self) -> Iterator[Statement]:
        """Its statements and those of its rollback."""
        for paragraph in (*self.body, *self.undone):
            yield from paragraph

    @property
    def undone(self) -> Sequence[Paragraph]:
        """What its rollback does."""
        return undone(self.body) if self.rollback is None else self.rollback

    @property
    def transactional(self) -> bool:
        """Whether it runs in a transaction."""
        return not any(s.alone for paragraph in self.body for s in paragraph)

    @property
    def locks(self) -> str:
        """What its statements lock, and for how long."""
        return self.locks_said or _locks(self.body, self.held)


def _locks(body: Iterable[Paragraph], how_long: str) -> str:
    held: dict[LockMode, list[str]] = {}
    for taken in effects.locks(s for p in body for s in p):
        held.setdefault(taken.mode, []).append(taken.names)
    if not held:
        return "none"
    modes = sorted(held, key=lambda mode: -mode.number)
    said = ", ".join(f"{mode} on {', '.join(held[mode])}" for mode in modes)
    weak = _WITHOUT_WAITING.get(modes[0])
    return said + (weak if weak is not None else how_long or BRIEF)


def number(
    files: Sequence[File],
    first: Mapping[str, File],
    baseline: str | None,
    existing: Iterable[str] = (),
    depends: Mapping[str, Sequence[str]] | None = None,
) -> list[MigrationText]:
    """Give files their numbers and write them.

    Args:
        files: all files of a service, in order within each phase.
        first: of each strategy, and of what is common to both, the file that all others come after.
        baseline: the id of the baseline, on which what depends on nothing else depends.
        existing: ids of files that are there: a file of the same name keeps its number, a new
            one comes behind them.
        depends: what those of them come after, where that is known: more of the toolkit may have
            come behind them.

    Returns:
        The migrations in the order of their ids.

    Raises:
        StandardError: the numbers of the files that are there leave no room.
    """
    names = _names(files)
    needed = Counter(file.phase for file in files)
    taken = {name: digits for digits, _, name in (i.partition("_") for i in existing)}
    ends = dict(zip(_PHASES, [*[*_PHASES.values()][1:], _END], strict=True))
    step = 1
    while any(needed[phase] >= (ends[phase] - base) * step for phase, base in _PHASES.items()):
        step *= 10
    width = max(4, len(str(step * _END)))
    if taken and {len(n) for n in taken.values()} != {width}:
        raise StandardError(
            f"the files need numbers of {width} digits, and those that are there have fewer",
            hint="Write the new tables' files into a service folder of their own.",
        )
    last = {phase: base * step for phase, base in _PHASES.items()}
    for name, digits in taken.items():
        phase = name.partition("_")[0]
        last[phase] = max(last.get(phase, 0), int(digits))
    ids: dict[File, str] = {}
    for file in files:
        name = names[file]
        if name not in taken:
            last[file.phase] += 1
            taken[name] = f"{last[file.phase]:0{width}}"
        ids[file] = f"{taken[name]}_{name}"
    after = {ids[file]: _depends(file, ids, baseline, first) for file in files}
    for id_, there in (depends or {}).items():
        found = after.get(id_, [])
        kit = {*there} - {*_without_toolkit(there)}
        if kit <= after.keys() and _without_toolkit(there) == _without_toolkit(found):
            after[id_] = [*there]
    texts = (_written(file, ids, after[ids[file]]) for file in files)
    return sorted(texts, key=lambda m: m.id)


def _depends(
    file: File, ids: Mapping[File, str], baseline: str | None, first: Mapping[str, File]
) -> list[str]:
    """The ids of the files that must have run."""
    after = [*file.after]
    strategy = file.strategy
    if file.phase != "toolkit" and not any(f.strategy == strategy for f in after):
        beginning = first.get(strategy) or (None if after else first.get("common"))
        after = [*after, *([beginning] if beginning else [])]
    return [ids[f] for f in after] or ([baseline] if baseline else [])


def _without_toolkit(ids: Iterable[str]) -> list[str]:
    return [id_ for id_ in ids if not id_.partition("_")[2].startswith("toolkit_")]


def as_subject(text: str) -> str:
    """A text as part of a file's name, which any file system and yoyo's `depends` take."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def _names(files: Sequence[File]) -> dict[File, str]:
    """A name for each file that any file system and yoyo's `depends` take."""
    names: dict[File, str] = {}
    given: set[str] = set()
    for file in files:
        name = f"{file.phase}_{as_subject(file.subject) or 'table'}"
        if name in given:
            name += "_" + hashlib.sha256(file.unlike.encode()).hexdigest()[:4]
        given.add(name)
        names[file] = name
    return names


def _written(file: File, ids: Mapping[File, str], depends: Sequence[str]) -> MigrationText:
    own = quote_literal(ids[file])
    # A file is at least one statement, also where only its rollback has something to do.
    body = (_text(_begun(file, file.body, file.head)) or _text([file.head])).replace(OWN_ID, own)
    _require_readable(ids[file], body)
    undone = file.undone
    back = _text(_begun(file, undone, HEAD))
    head = comment(file.back) if file.back.startswith("no-op") else _header_back(file, undone)
    rollback = f"{head}\n" + (f"\n{back}" if back else "")
    return MigrationText(
        ids[file], file.folder, f"{_header(file, depends)}\n\n{body}", rollback.replace(OWN_ID, own)
    )


def _require_readable(file: str, body: str) -> None:
    """What reads the file must find the same names in it."""
    for sign, what in (("\r", "a carriage return"), ('\\"', "a backslash at its end")):
        if sign in body:
            raise StandardError(
                f"{file} would hold a name with {what}, which yoyo reads as another one",
                hint="Give what it is the name of another name before.",
            )


def _begun(file: File, paragraphs: Sequence[Paragraph], head: Paragraph) -> list[Paragraph]:
    """The statements of a file behind its head, which those that run alone have not."""
    first, *others = [p for p in paragraphs if p] or [()]
    if not (first and file.transactional):
        return list(paragraphs)
    if all(s.is_setting for s in first):
        return [[*head, *first], *others]
    return [head, first, *others]


def _header(file: File, depends: Sequence[str]) -> str:
    does = file.does + effects.gifts(s for p in file.body for s in p)
    lines = _entries(file.title, does=does, locks=file.locks, cost=file.cost, undo=file.undo)
    if not file.transactional:
        lines.append("-- transactional: false")
    if depends:
        lines.append(f"-- depends: {' '.join(depends)}")
    return "\n".join(lines)


def _header_back(file: File, undone: Sequence[Paragraph]) -> str:
    cost = file.back_cost or effects.costs(s for p in undone for s in p)
    does = file.back[:1].lower() + file.back[1:].removesuffix(".")
    does += effects.gifts(s for p in undone for s in p)
    title = f"Undo: {file.title}".replace(f"Undo: {FOR_ROLLBACK}", "Rollback: ", 1)
    locks = file.back_locks or _locks(undone, file.held)
    return "\n".join(_entries(title, does=does, locks=locks, cost=cost))


def _entries(title: str, **entries: str) -> list[str]:
    lines = [comment(title), "--"]
    for key, text in entries.items():
        wrapped = _wrapped(one_line(text))
        lines.append(f"-- {key + ':':<9}{wrapped[0]}")
        lines += [comment(f"         {line}") for line in wrapped[1:]]
    return lines


@lru_cache(1 << 12)
def _wrapped(text: str) -> list[str]:
    """The lines of an entry of the header; most entries are those of many files."""
    if 0 < len(text) <= _WIDTH - 12:
        return [text]
    if " ".join(text.split()) == text != "":
        lines: list[str] = []
        for word in text.split(" "):
            if lines and len(lines[-1]) + len(word) < _WIDTH - 12:
                lines[-1] += f" {word}"
            else:
                lines.append(word)
        return lines
    return textwrap.wrap(text, _WIDTH - 12, break_long_words=False, break_on_hyphens=False)


def _text(paragraphs: Iterable[Paragraph]) -> str:
    text = "\n\n".join("\n".join(_tidy(s.text) for s in p) for p in paragraphs if p)
    return text.strip("\n") + "\n" if text else ""


def _tidy(text: str) -> str:
    """A statement without blanks that nobody sees, unless they belong to a name or a value."""
    if not (text[-1:].isspace() or _UNTIDY.search(text)):
        return text
    parts = re.findall(r"""--[^\n]*|'(?:[^']|'')*'|"(?:[^"]|"")*\"""", text)
    if any(re.search(r"\s\n|\n\n", part) for part in parts):
        return text
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in text.split("\n")))
