"""`python -m chaos`: everything at once for MINUTES, by SEED; exits with 1 if a thing is wrong."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.variants import SHIPPED

from chaos.nemesis import FAULTS
from chaos.servers import start_servers
from chaos.story import Figures, Story

DISK_MB = 120


@contextmanager
def small_disk() -> Iterator[Path | None]:
    """A disk in memory that may be filled; None where one cannot be mounted."""
    folder = Path(tempfile.mkdtemp(prefix="trueup-chaos-"))
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    try:
        folder.chmod(0o755)
        yield None if made.returncode else folder
    finally:
        if not made.returncode:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)
        folder.rmdir()


def describe(figures: Figures) -> str:
    """The figures as text."""

    def listed(title: str, counts: dict[str, int]) -> str:
        inner = "".join(f"\n  {n:8,}  {name}" for name, n in sorted(counts.items()))
        return f"{title}:{inner or ' none'}"

    return "\n".join(
        [
            f"seed {figures.seed}, {figures.seconds:.0f} s, compared {figures.compared} times,"
            f" {sum(figures.moves.values())} moves from phase to phase",
            listed("writes by what the client was told", dict(figures.writes)),
            listed("statements that were acknowledged", dict(figures.statements)),
            listed("faults", dict(figures.faults)),
            listed("runs by their end", dict(figures.runs)),
            listed("errors of clients", dict(figures.errors)),
            f"wrong: {len(figures.wrong)}",
            *(f"  {line}" for line in figures.wrong[:20]),
        ]
    )


def _say(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
    minutes = float(os.environ.get("MINUTES") or 10)
    print(f"chaos for {minutes:g} minutes; again with: make chaos SEED={seed}", flush=True)
    with tempfile.TemporaryDirectory() as kept, small_disk() as one, small_disk() as two:
        if one is None:
            print("no small disk can be mounted here, so none is filled", flush=True)
        # The files must not change while they are walked.
        folder = Path(shutil.copytree(SHIPPED, Path(kept) / SHIPPED.name))
        Path(kept).chmod(0o755)
        data = Path(kept) / "data"
        data.mkdir()
        with start_servers(data, (one, two)) as servers:
            story = Story(servers, folder, seed, faults=tuple(FAULTS), say=_say)
            try:
                figures = story.run(minutes * 60)
            except BaseException:
                _say("".join(servers.live.log.read_text(errors="replace").splitlines(True)[-60:]))
                raise
    print(describe(figures))
    sys.exit(bool(figures.wrong))


if __name__ == "__main__":
    main()
