"""Write pyorm's sync modules from the async ones: `make sync`; with --check only tell what differs.

Each pyorm/NAME_async.py is the source of a twin, pyorm/NAME.py, without the waits. A name's twin is
the name without `Async` or `_async`; RENAMED has the others.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tokenize
from pathlib import Path

PYORM = Path(__file__).parents[2] / "pyorm"
RENAMED = {
    "StopAsyncIteration": "StopIteration",
    "aclose": "close",
    "aclosing": "closing",
    "anext": "next",
    "asynccontextmanager": "contextmanager",
    "AsyncExitStack": "ExitStack",
    "enter_async_context": "enter_context",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
}
# Imports in order and none that is not used; `yield from`, which async code has not.
FIXES = ["--select=I,F401,UP028", "--fix-only", "--unsafe-fixes"]


def sources() -> list[Path]:
    """The async modules that have a twin."""
    return sorted(PYORM.glob("*_async.py"))


def twin_of(source: Path) -> Path:
    """The sync module of an async one."""
    return source.with_name(source.name.replace("_async.py", ".py"))


def write_twin(source: Path) -> str:
    """The text of a source's twin."""
    lines = source.read_text().splitlines(keepends=True)
    for token in reversed(list(tokenize.generate_tokens(iter(lines).__next__))):
        if token.type == tokenize.NAME and token.string in ("async", "await"):
            (row, start), (_, end) = token.start, token.end
            line = lines[row - 1]
            lines[row - 1] = line[:start] + line[end:].lstrip(" ")
    text = re.sub(r"\w+", lambda word: renamed(word[0]), "".join(lines))
    text = re.sub(r"\bAwaitable\[(\w+)\]", r"\1", text)
    text = re.sub(r"\bCoroutine\[Any, Any, (\w+(?:\[\w+\])?)\]", r"\1", text)
    text = f"# Made from {source.name} by `make sync`: change that, not this.\n{text}"
    return ruff(ruff(text, "check", "--quiet", *FIXES), "format")


def renamed(name: str) -> str:
    """What a name is called in the twin."""
    return RENAMED.get(name) or re.sub(r"^(_*)Async(?=[A-Z])|_async$", r"\1", name)


def ruff(text: str, *arguments: str) -> str:
    """Source as ruff rewrites it."""
    command = [sys.executable, "-m", "ruff", *arguments, "--stdin-filename", "pyorm/twin.py", "-"]
    return subprocess.run(
        command, input=text, capture_output=True, text=True, check=True, cwd=PYORM.parent
    ).stdout


def outdated() -> list[Path]:
    """The twins that are not what their source makes."""
    twins = {twin_of(source): write_twin(source) for source in sources()}
    return [twin for twin, text in twins.items() if not twin.exists() or twin.read_text() != text]


def main(arguments: list[str]) -> int:
    """Write the twins, or with --check tell which are outdated."""
    found = outdated()
    for twin in found:
        print(f"{twin.relative_to(PYORM.parent)} is not what its source makes")
    if "--check" in arguments:
        return 1 if found else 0
    for source in sources():
        twin_of(source).write_text(write_twin(source))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
