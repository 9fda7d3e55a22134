"""What a team has settled for its migrations: trueup.toml, or [tool.trueup] of pyproject.toml."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal, cast, get_args

from runner.errors import UsageError
from runner.layouts import layout_named
from runner.lint.model import LEVELS, Level
from runner.lint.registry import rule_names

FILENAME = "trueup.toml"
_PYPROJECT = "pyproject.toml"
Setting = Literal["off", "error", "warning", "style"]
_OLDEST, _NEWEST = 14, 18


@dataclass(frozen=True)
class Settings:
    """The settings of a project.

    Args:
        file: where they stand; None for none.
        postgresql: the major version of the servers; 0 when it is not told.
        layout: how the files are laid out; None to find it out.
        paths: what is read when the command line names nothing.
        exclude: patterns of paths that are not reported.
        baseline: the file of findings that are known.
        strict: a warning fails, too.
        squawk: whether to ask Squawk; None: when it is installed.
        rules: level of each rule that has another one, or off.
        per_file: rules that are off in files whose path matches a pattern.
    """

    file: Path | None = None
    postgresql: int = 0
    layout: str | None = None
    paths: tuple[Path, ...] = ()
    exclude: tuple[str, ...] = ()
    baseline: Path | None = None
    strict: bool = False
    squawk: bool | None = None
    rules: Mapping[str, Setting] = field(default_factory=dict)
    per_file: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """What its patterns are relative to."""
        return self.file.parent if self.file else Path.cwd()

    def excludes(self, path: Path) -> bool:
        """Whether a file is not to be reported."""
        return bool(self.exclude) and self._matches(path, self.exclude)

    def level(self, rule: str, path: Path, level: Level) -> Level | None:
        """The level of a finding here.

        Args:
            rule: its rule.
            path: its file.
            level: the rule's own.

        Returns:
            The level; None when the rule is off.
        """
        setting = self.rules.get(rule, level)
        if setting == "off":
            return None
        off = [p for p, rules in self.per_file.items() if rule in rules or "all" in rules]
        return None if off and self._matches(path, off) else setting

    def _matches(self, path: Path, patterns: Any) -> bool:
        name = self.relative(path)
        return any(
            fnmatch(name, pattern) or name.startswith(pattern.rstrip("/") + "/")
            for pattern in patterns
        )

    def relative(self, path: Path) -> str:
        """A path as patterns and reports name it: from the project's folder where it is below."""
        absolute = Path.cwd() / path
        folder = Path.cwd() / self.folder
        try:
            found = absolute.relative_to(folder)
        except ValueError:
            try:
                found = absolute.resolve().relative_to(folder.resolve())
            except ValueError:
                found = path
        return in_utf8(found.as_posix())


def in_utf8(name: str) -> str:
    """The name of a file as reports can hold it, whatever its bytes are."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def find_settings(start: Path) -> Settings:
    """The settings of the closest file in a folder or above it; the usual ones without a file."""
    for folder in (start, *start.parents):
        for name in (FILENAME, _PYPROJECT):
            path = folder / name
            if path.is_file() and (name == FILENAME or _section(path) is not None):
                return read_settings(path)
    return Settings()


def read_settings(path: Path) -> Settings:
    """Read a trueup.toml, or the section [tool.trueup] of a pyproject.toml.

    Args:
        path: the file.

    Raises:
        UsageError: when it cannot be read, or says what cannot be.
    """
    values = _section(path)
    if values is None:
        raise UsageError(f"{path} has no section [tool.trueup]")
    return _Reader(path, values).settings()


def _section(path: Path) -> dict[str, Any] | None:
    try:
        text = path.read_text("utf-8")
        if path.name == _PYPROJECT and "trueup" not in text:
            return None
        from runner import toml

        values = toml.parse(text)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:  # of TOML, or of UTF-8
        raise UsageError(f"{path} cannot be read: {error}") from None
    if path.name != _PYPROJECT:
        return values
    section = values.get("tool", {}).get("trueup")
    return section if isinstance(section, dict) else None


@dataclass
class _Reader:
    path: Path
    values: dict[str, Any]

    def settings(self) -> Settings:
        self._known(self.values, KEYS, "setting")
        layout = self._of("layout", str, None)
        rules = self._of("rules", dict, {})
        per_file = self._of("per-file-ignores", dict, {})
        known = rule_names()
        for name, setting in rules.items():
            self._rule(name, known, "rules")
            if setting not in get_args(Setting):
                raise self._wrong(f"rules.{name}", setting, " or ".join(("off", *LEVELS)))
        for pattern, names in per_file.items():
            for name in self._strings(f"per-file-ignores.{pattern}", names):
                if name != "all":
                    self._rule(name, known, f"per-file-ignores.{pattern}")
        version = self._of("postgresql", int, 0)
        if version and not _OLDEST <= version <= _NEWEST:
            raise self._wrong("postgresql", version, f"a major version, {_OLDEST} to {_NEWEST}")
        baseline = self._of("baseline", str, None)
        return Settings(
            file=self.path,
            postgresql=version,
            layout=layout_named(layout) if layout else None,
            paths=tuple(self.path.parent / p for p in self._list("paths")),
            exclude=tuple(self._list("exclude")),
            baseline=self.path.parent / baseline if baseline else None,
            strict=self._of("strict", bool, False),
            squawk=self._of("squawk", bool, None),
            rules=cast("dict[str, Setting]", rules),
            per_file={pattern: tuple(names) for pattern, names in per_file.items()},
        )

    def _of(self, key: str, kind: type, default: Any) -> Any:
        value = self.values.get(key, default)
        if value is not default and (
            not isinstance(value, kind) or (kind is int and isinstance(value, bool))
        ):
            raise self._wrong(key, value, KEYS[key])
        return value

    def _list(self, key: str) -> list[str]:
        return self._strings(key, self.values.get(key, []))

    def _strings(self, key: str, value: Any) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._wrong(key, value, "a list of texts")
        return value

    def _rule(self, name: str, known: frozenset[str], where: str) -> None:
        if name not in known and not name.startswith("squawk-"):
            meant = _close(name, known)
            raise UsageError(
                f"{self.path}: {where} names {name!r}, which is not a rule",
                hint=f"did you mean {meant[0]}?" if meant else "`trueup lint --rules` lists them",
            )

    def _known(self, values: Mapping[str, Any], keys: Mapping[str, str], what: str) -> None:
        for key in values:
            if key not in keys:
                meant = _close(key, keys)
                raise UsageError(
                    f"{self.path}: there is no {what} {key!r}",
                    hint=f"did you mean {meant[0]}?" if meant else f"{what}s: {', '.join(keys)}",
                )

    def _wrong(self, key: str, value: object, expected: str) -> UsageError:
        try:
            shown = repr(value)
        except ValueError:  # a number of thousands of digits
            shown = "too large"
        return UsageError(f"{self.path}: {key} is {shown}, expected {expected}")


def _close(name: str, known: Iterable[str]) -> list[str]:
    from difflib import get_close_matches

    return get_close_matches(name, list(known), n=1)


KEYS = {
    "postgresql": f"a major version, {_OLDEST} to {_NEWEST}",
    "layout": "a text: a tool such as goose or prisma",
    "paths": "a list of texts: files and folders to read when none is named",
    "exclude": "a list of texts: patterns of files that are not reported",
    "baseline": "a text: the file of findings that are known",
    "strict": "true or false: a warning fails, too",
    "squawk": "true or false: ask Squawk, too",
    "rules": "a table: off, error, warning or style for each rule",
    "per-file-ignores": "a table: a list of rules for each pattern of files",
}


def schema() -> dict[str, Any]:
    """The JSON schema of trueup.toml, for editors."""
    names = {"type": "array", "items": {"type": "string"}}
    kinds: dict[str, dict[str, Any]] = {
        "postgresql": {"type": "integer", "minimum": _OLDEST, "maximum": _NEWEST},
        "layout": {"type": "string"},
        "paths": names,
        "exclude": names,
        "baseline": {"type": "string"},
        "strict": {"type": "boolean"},
        "squawk": {"type": "boolean"},
        "rules": {
            "type": "object",
            "properties": {
                name: {"enum": list(get_args(Setting))} for name in sorted(rule_names())
            },
            "patternProperties": {"^squawk-": {"enum": list(get_args(Setting))}},
            "additionalProperties": False,
        },
        "per-file-ignores": {"type": "object", "additionalProperties": names},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "trueup.toml",
        "type": "object",
        "properties": {
            key: {"description": described, **kinds[key]} for key, described in KEYS.items()
        },
        "additionalProperties": False,
    }
