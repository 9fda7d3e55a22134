"""Reads chains of migration files and lets every rule look at every step."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

from runner.errors import MigrationFileError, UsageError
from runner.layouts import find_files, read_chains
from runner.lint import parser
from runner.lint.blocks import shown, shown_sql, told_names
from runner.lint.changes import apply
from runner.lint.context import Chain, Context, Transaction
from runner.lint.counted import counted
from runner.lint.ignores import apply_ignores
from runner.lint.layouts import parsed
from runner.lint.looked_at import notes_on, unreadable
from runner.lint.model import Finding, Hit, Rule
from runner.lint.newer import newer_than
from runner.lint.parallel import over_chains, size_of
from runner.lint.registry import (
    RULES_ELSEWHERE,
    all_rules,
    chain_rules,
    rule_named,
    rule_names,
    script_rules,
    step_rules,
)
from runner.lint.settings import Settings
from runner.lint.squawk import find_program, squawk
from runner.lint.suggest import fill

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from runner.lint.layouts import Pair, Script
    from runner.lint.steps import Step


@dataclass(frozen=True)
class Report:
    """What lint found.

    Args:
        findings: by file and line.
        files: how many files were read for findings.
        notes: what could not be looked at, and why.
        texts: of the files that were read.
    """

    findings: tuple[Finding, ...]
    files: int
    notes: tuple[str, ...] = ()
    texts: Mapping[Path, str] = field(default_factory=dict, repr=False)


_USUAL = Settings()
MOST_CHANGES = 20_000  # in one file; beyond it, comparing each with all others takes minutes
_OF_ROWS = frozenset({"Insert", "Update", "Delete", "Merge", "Select", "Copy", "VariableSet"})
_WORTH_KEEPING = 20_000  # characters that take longer to look at than the cache to be asked


def lint(
    paths: Iterable[Path],
    *,
    layout: str | None = None,
    with_squawk: bool | None = None,
    traced: bool = False,
    schema: Path | None = None,
    jobs: int = 1,
    settings: Settings = _USUAL,
    only: Collection[Path] | None = None,
    opened: Mapping[Path, str] | None = None,
    cache: Path | None = None,
) -> Report:
    """Look for what could hurt a live database in migration files.

    Args:
        paths: files and folders. The other files of a file's folder are read as what comes before
            and after it, and not reported.
        layout: how the files are laid out; found out by itself when None.
        with_squawk: also ask Squawk for what our rules do not look at; None: when it is installed.
        traced: also run the files on an embedded server.
        schema: SQL that makes what was there before the first file; for traced.
        jobs: processes at most; more than one forks this one.
        settings: of the project.
        only: report these files alone, by their resolved paths; None for all.
        opened: texts that count instead of those of the files, as an editor shows them.
        cache: the folder with findings of earlier runs; None for no such folder.

    Returns:
        The findings.

    Raises:
        MigrationFileError: for a path that is missing.
        UsageError: when there is no file, and when Squawk is asked for and not installed.
    """
    wanted, notes = _wanted(list(paths), settings, only)
    names = set(wanted)
    reading = read_chains(wanted, layout or settings.layout, opened)
    read = [parsed(chain) for chain in reading.chains]
    reported = frozenset(s for pairs in read for s in _scripts_of(pairs) if s.path in names)
    scripts = _by_path(s for pairs in read for s in _scripts_of(pairs) if s in reported)
    found: dict[tuple[object, ...], Finding] = {
        (*finding.place, finding.message): finding for finding in unreadable(reading, names)
    }
    notes += notes_on(reading, names, scripts)

    def look(pairs: Sequence[Pair]) -> Iterator[Finding]:
        yield from _lint_chain(Chain(pairs), reported)
        for script in _scripts_of(pairs) if settings.postgresql else ():
            if script in reported:
                yield from newer_than(script, settings.postgresql)

    for finding in _looked_at(look, read, names, settings, jobs, cache):
        found.setdefault((*finding.place, finding.message), finding)
    program = find_program() if with_squawk is not False else None
    if with_squawk and program is None:
        raise UsageError("squawk is not installed", hint="pip install 'trueup[lint]'")
    if program:
        every = [script for parts in scripts.values() for script in parts]
        generic, problem = squawk(program, every, settings.postgresql)
        found |= {(*finding.place, finding.message): finding for finding in generic}
        notes += [problem] if problem else []
    if traced:
        from runner.lint.trace import trace

        seen, remarks = trace(read, names, schema)
        found |= {(*finding.place, finding.message): finding for finding in seen}
        notes += remarks
    judged = apply_ignores(found.values(), scripts, rule_names(), _is_forward_only)
    kept = sorted(_settled(judged, settings), key=lambda finding: finding.place)
    looked_at = scripts.keys() | {finding.path for finding in kept}
    texts = {path: parts[0].content for path, parts in scripts.items()}
    return Report(tuple(kept), len(looked_at), tuple(notes), texts)


def _looked_at(
    look: Callable[[Sequence[Pair]], Iterable[Finding]],
    chains: Sequence[Sequence[Pair]],
    names: Collection[Path],
    settings: Settings,
    jobs: int,
    folder: Path | None,
) -> Iterator[Finding]:
    """The findings of all chains; those of earlier runs are not looked for again."""
    if folder is None or sum(map(size_of, chains)) < _WORTH_KEEPING:
        for found in over_chains(look, chains, jobs, _prepare):
            yield from found
        return
    from runner.lint.cache import Cache

    cache = Cache(folder)
    keys = [cache.key(pairs, names, settings.postgresql) for pairs in chains]
    new: list[int] = []
    for number, key in enumerate(keys):
        known = cache.get(key)
        if known is None:
            new.append(number)
        else:
            yield from known
    found_now = over_chains(look, [chains[number] for number in new], jobs, _prepare)
    for number, found in zip(new, found_now, strict=True):
        cache.put(keys[number], found)
        yield from found
    if new:
        cache.clean()


def _prepare() -> None:
    """Import what many files will ask for."""
    parser.parse("SELECT 1")
    all_rules()


def _wanted(
    paths: Sequence[Path], settings: Settings, only: Collection[Path] | None
) -> tuple[list[Path], list[str]]:
    """The files to report, and notes on those left out."""
    found = find_files(paths)
    if paths and not found:
        raise UsageError(f"there is nothing to lint: no .sql file in {', '.join(map(str, paths))}")
    wanted = [path for path in found if not settings.excludes(path)]
    notes = []
    if len(wanted) < len(found):
        left_out = len(found) - len(wanted)
        notes.append(f"excluded by the settings: {left_out} of {counted(len(found), 'file')}")
    if only is not None:
        wanted = [path for path in wanted if path.resolve() in only]
    return wanted, notes


def _settled(findings: Iterable[Finding], settings: Settings) -> Iterator[Finding]:
    """The findings at the levels that the settings give them."""
    for finding in findings:
        level = settings.level(finding.rule, finding.path, finding.level)
        if level is not None:
            yield finding if level == finding.level else replace(finding, level=level)


def _scripts_of(pairs: Sequence[Pair]) -> Iterator[Script]:
    """The scripts of a chain, each way back after its way there."""
    for pair in pairs:
        yield pair.up
        if pair.down is not None:
            yield pair.down


def _by_path(scripts: Iterable[Script]) -> dict[Path, list[Script]]:
    """The scripts of each file, each once."""
    found: dict[Path, list[Script]] = {}
    for script in scripts:
        # A file of the baseline is in the chains of both strategies.
        parts = found.setdefault(script.path, [])
        if (script.id, script.up) not in [(part.id, part.up) for part in parts]:
            parts.append(script)
    return found


def _lint_chain(chain: Chain, reported: Collection[Script]) -> Iterator[Finding]:
    downs: list[Context] = []
    for pair in chain.pairs:
        context = Context(chain, pair, pair.up, chain.world, _transaction(pair.up))
        yield from _lint_script(context, pair.up in reported)
        if pair.down is not None:
            downs.append(
                Context(chain, pair, pair.down, chain.world.as_it_is(), _transaction(pair.down))
            )
    for context in downs:
        yield from _lint_script(context, context.script in reported)
    for rule in chain_rules():
        for hit in rule.chain(chain) if rule.chain is not None else ():
            for script in _scripts_of(chain.pairs):
                if script.path == hit.path and script in reported:
                    yield _finding(rule, hit, script)
                    break


def _transaction(script: Script) -> Transaction:
    return Transaction(single=not script.transactional)


def _lint_script(context: Context, reported: bool) -> Iterator[Finding]:
    script, world, standing = context.script, context.world, context.chain.standing
    changes = sum(step.verb not in _OF_ROWS for step in script.steps)
    if reported and changes > MOST_CHANGES:
        raise MigrationFileError(
            f"{script.path} makes {changes:,} changes, more than {MOST_CHANGES:,}: lint would"
            " compare each with all others",
            hint="divide it, or leave it out by `exclude` in trueup.toml",
        )
    up, is_window = script.up, script.phase == "window"
    for rule, check in _reading(up, is_window) if reported else ():
        for hit in check(context):
            yield _finding(rule, hit, script)
    for step in script.steps:
        context.follow(step)
        if reported:
            is_new = bool(step.table) and context.is_new(step.table)
            for rule, look in _looking(step.verb, up, is_window, is_new):
                for hit in look(step, context):
                    yield _finding(rule, hit, script, step)
        context.transaction.steps.append(step)
        if script.up:
            apply(world, step, script)
            standing.note(world, step, script)


def _is_forward_only(name: str) -> bool:
    """Whether a rule does not look at rollbacks."""
    return name not in RULES_ELSEWHERE and not rule_named(name).rollback


@cache
def _looking(
    verb: str, up: bool, is_window: bool, is_new: bool
) -> tuple[tuple[Rule, Callable[[Step, Context], Iterable[Hit]]], ...]:
    """The rules that look at such a step, each with what looks."""
    return tuple(
        (rule, rule.step)
        for rule in step_rules(verb)
        if rule.step and (rule.new_tables or not is_new) and _applies(rule, up, is_window)
    )


@cache
def _reading(
    up: bool, is_window: bool
) -> tuple[tuple[Rule, Callable[[Context], Iterable[Hit]]], ...]:
    """The rules that look at the whole of such a script, each with what looks."""
    return tuple(
        (rule, rule.script)
        for rule in script_rules()
        if rule.script is not None and _applies(rule, up, is_window)
    )


def _applies(rule: Rule, up: bool, is_window: bool) -> bool:
    return (rule.window or not is_window) if up else rule.rollback


def _finding(rule: Rule, hit: Hit, script: Script, step: Step | None = None) -> Finding:
    """A finding of what a rule tells, its line found and the safe way filled in."""
    step = hit.step or step
    offset = hit.offset if hit.offset is not None else (step.offset if step else 0)
    text = script.content
    line = text.count("\n", 0, offset) + 1
    column = offset - (text.rfind("\n", 0, offset) + 1) + 1
    end = offset
    if step is not None:
        end = max(offset, step.statement.offset + len(step.statement.text.rstrip()))
    values = {"table": "the_table", "column": "the_column", "name": "the_name"}
    if step is not None:
        values |= {k: v for k, v in (("table", step.table), ("name", step.name)) if v}
        values |= {"column": step.name} if step.name else {}
    values |= hit.names
    instead = fill(rule.instead if hit.instead is None else hit.instead, values)
    if step is not None and step.hidden and instead:
        instead = told_names(hit.message, *values.values()) + shown_sql(instead)
    return Finding(
        rule=rule.name,
        level=hit.level or rule.level,
        path=script.path,
        line=line,
        column=column,
        end_line=line + text.count("\n", offset, end),
        message=shown(hit.message, step.table if step is not None else ""),
        why=rule.why,
        instead=instead,
        edits=hit.edits,
    )
