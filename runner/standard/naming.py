"""English plurals: what a plural table will be called."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from runner.errors import StandardError

# Words that look plural to a rule and are not, or whose plural is the name in use.
_AS_THEY_ARE = frozenset(
    """
    access address analysis atlas axis basis bias bus business campus canvas chaos class corpus
    data diagnosis ethos feedback focus gas glasses history index information kudos lens media
    metadata metrics_data news pass process progress radius sales_data series settings species
    stats status success synopsis tennis thesis usage virus
    """.split()
)
_IRREGULAR = {
    "criteria": "criterion",
    "indices": "index",
    "leaves": "leave",
    "matrices": "matrix",
    "vertices": "vertex",
    "appendices": "appendix",
}


def singular(name: str, words: Mapping[str, str] | None = None) -> str:
    """The singular of a table's name: `bottleneck_analyses` -> `bottleneck_analysis`.

    Args:
        name: a name of words joined by underscores; only its last word is a plural.
        words: the user's own list, from a whole name or a last word to its singular; it wins.

    Returns:
        The singular; the name itself when it is one already.
    """
    words = words or {}
    if name in words:
        return words[name]
    head, joint, last = name.rpartition("_")
    lower = last.lower()
    if last in words:
        found = words[last]
    elif lower in _AS_THEY_ARE:
        found = last
    elif lower in _IRREGULAR:
        found = _IRREGULAR[lower]
    else:
        found = _by_rule(lower) or last
    if found != last and last[:1].isupper():
        found = found[:1].upper() + found[1:]
    return head + joint + found


def read_words(path: Path) -> dict[str, str]:
    """Read a user's own list of plurals and their singulars.

    Args:
        path: a TOML file of lines such as `leaves = "leaf"`.

    Raises:
        StandardError: it cannot be read, or is no such list.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StandardError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StandardError(f"{path}: is no TOML: {error}") from error
    for plural, word in found.items():
        if not isinstance(word, str) or not word:
            raise StandardError(
                f"{path}: {plural} must be text, not {word!r}",
                hint='A line gives a plural its singular: leaves = "leaf".',
            )
    return found


def _by_rule(word: str) -> str:
    found = _inflect().singular_noun(word)  # type: ignore[attr-defined]
    return found if isinstance(found, str) and found.isidentifier() else ""


@cache
def _inflect() -> object:
    # Imported when it is needed: it takes longer than everything else that trueup does at start.
    import inflect

    return inflect.engine()
