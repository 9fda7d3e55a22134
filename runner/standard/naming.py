"""English plurals: what a plural table will be called."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from runner import toml
from runner.errors import StandardError

# Words that look plural to a rule and are not, or whose plural is the name in use.
_AS_THEY_ARE = frozenset(
    """
    access address agenda alias analytics atlas bias bios business canvas chaos class cosmos data
    diagnostics economics electronics ethos feedback gas glasses goods history https index
    information jenkins kubernetes kudos lens logistics macos mathematics means media metadata news
    opera pass physics politics postgres process progress series settings species statistics stats
    status success thanks usage
    """.split()
)
# The same at the end of words that are written as one: `rtdata`, `opstatus`.
_ENDINGS = ("data", "media", "news", "series", "settings", "stats")
_IRREGULAR = {
    "addenda": "addendum",
    "appendices": "appendix",
    "axes": "axis",
    "criteria": "criterion",
    "curricula": "curriculum",
    "formulae": "formula",
    "indices": "index",
    "leaves": "leave",
    "matrices": "matrix",
    "memoranda": "memorandum",
    "radii": "radius",
    "schemata": "schema",
    "vertices": "vertex",
}
# Few words in -us and -is are plurals, and few of three letters: `bonus`, `oasis`, `gps`.
_SHORT = frozenset("ads cds dbs ids ips ops pcs prs tvs vms".split())
# A word, and what joins it to the one before: capitals and a small s are a plural, `IDs`.
_WORD = re.compile(
    r"([\W_]*)([^\W\d_a-z]+s(?![^\W_A-Z])|[^\W\d_a-z]+(?![^\W\d_A-Z])|[^\W\d_]?[^\W\d_A-Z]+|\d+)"
)
_US = ("menus", "gurus", "cpus", "gpus", "skus", "emus")
_IS = ("apis", "emojis", "guis", "kpis", "skis", "taxis", "uis", "uris", "wikis")


def words_of(name: str) -> list[str]:
    """The words of a name, in whichever convention: `userRoles` -> `user`, `Roles`."""
    return [word for _, word in _parts(name)]


def with_prefix(name: str, prefix: str) -> str:
    """Another name for a table, in its own convention: `userRole` of `svc` -> `svcUserRole`.

    Args:
        name: the name that cannot be.
        prefix: a name in any convention.
    """
    before = [w.lower() for w in words_of(prefix)]
    if not before:
        return name
    joints = [joint for joint, _ in _parts(name)[1:]]
    shouts = name.isupper()
    joint = next(filter(None, joints), "")
    if not joint and (shouts or name.islower()):
        joint = "_"
    if shouts:
        before = [w.upper() for w in before]
    elif name[:1].isupper():
        before = [w.capitalize() for w in before]
    elif not joint:
        before = [before[0], *(w.capitalize() for w in before[1:])]
    return joint.join([*before, name if joint else name[:1].upper() + name[1:]])


def singular(name: str, words: Mapping[str, str] | None = None) -> str:
    """The singular of a table's name: `bottleneck_analyses` -> `bottleneck_analysis`.

    Args:
        name: a name of words joined by underscores, blanks or capitals; its last word alone is
            taken for a plural, and keeps its case.
        words: the user's own list, from a whole name or a last word to its singular; it wins.

    Returns:
        The singular; the name itself when it is one already.
    """
    words = words or {}
    if name in words:
        return words[name]
    last = (words_of(name) or [""])[-1]
    lower = last.lower()
    if not last:
        return name
    if last in words:
        found = words[last]
    elif lower in words:
        found = _cased_as(last, words[lower])
    elif lower in _AS_THEY_ARE or lower.endswith(_ENDINGS) or _only_looks_plural(lower):
        found = last
    else:
        found = _cased_as(last, _IRREGULAR.get(lower) or _by_rule(lower) or lower)
    return name.removesuffix(last) + found if name.endswith(last) else name


def table_names(names: Iterable[str], words: Mapping[str, str] | None = None) -> dict[str, str]:
    """What tables will be called: beside `hosts`, `hosts_groups` becomes `host_group`.

    Args:
        names: the tables of one schema.
        words: as for singular().

    Returns:
        The new name of each.
    """
    words = words or {}
    found = {name: singular(name, words) for name in names}
    for name in sorted(found, key=len):
        if found[name] == name or name in words:
            continue
        parts = _parts(name)
        starts = (
            "".join(j + w for j, w in parts[:count]) for count in range(len(parts) - 1, 0, -1)
        )
        head = next((h for h in starts if found.get(h, h) != h), "")
        if head:
            found[name] = found[head] + found[name][len(head) :]
    return found


def read_words(path: Path) -> dict[str, str]:
    """Read a user's own list of plurals and their singulars.

    Args:
        path: a TOML file of lines such as `leaves = "leaf"`.

    Raises:
        StandardError: it cannot be read, or is no such list.
    """
    try:
        found = toml.parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StandardError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StandardError(f"{path}: is not TOML: {error}") from error
    for plural, word in found.items():
        if not isinstance(word, str) or not word:
            raise StandardError(
                f"{path}: {plural} must be text, not {word!r}",
                hint='A line gives a plural its singular: leaves = "leaf".',
            )
    return found


def _parts(name: str) -> list[tuple[str, str]]:
    """A name's words, each with what joins it to the one before."""
    return [(m[1], m[2]) for m in _WORD.finditer(name)]


def _cased_as(model: str, word: str) -> str:
    """A word in the case of another: `PEOPLE` -> `PERSON`, `IDs` -> `ID`."""
    if model.lower().startswith(word.lower()):
        return model[: len(word)]
    if model.isupper():
        return word.upper()
    return word[:1].upper() + word[1:] if model[:1].isupper() else word


def _only_looks_plural(word: str) -> bool:
    if len(word) <= 3:
        return word.endswith("s") and word not in _SHORT
    return (word.endswith("us") and not word.endswith(_US)) or (
        word.endswith("is") and not word.endswith(_IS)
    )


def _by_rule(word: str) -> str:
    found = _inflect().singular_noun(word)  # type: ignore[attr-defined]
    return found if isinstance(found, str) and found.isidentifier() else ""


@cache
def _inflect() -> object:
    # Imported when it is needed: it takes longer than everything else that trueup does at start.
    import inflect

    return inflect.engine()
