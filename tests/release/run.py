"""`make release`: builds both distributions into dist, and tries them as a user would.

The wheels go into an environment that holds nothing else, and run in an empty folder: the version,
the demo, lint, and a service of its own from a dump to the standard.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist"
SCHEMA = """
CREATE TABLE public.parcels (
    id text PRIMARY KEY,
    state text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'sent', 'lost'))
);
"""


def run(*command: str | Path, where: Path = ROOT, **environment: str) -> None:
    print("$", *(str(word).replace(f"{where}/", "") for word in command), flush=True)
    subprocess.run(
        [str(word) for word in command], cwd=where, env={**os.environ, **environment}, check=True
    )


def build() -> None:
    shutil.rmtree(DIST, ignore_errors=True)
    for project in (ROOT / "pyorm", ROOT):
        run(sys.executable, "-m", "hatchling", "build", "-d", DIST, where=project)
    run(sys.executable, "-m", "twine", "check", "--strict", *sorted(DIST.iterdir()))


def try_it(folder: Path) -> None:
    """Install the wheels in an empty folder and use them."""
    binaries = folder / "environment" / "bin"
    run(sys.executable, "-m", "venv", folder / "environment", where=folder)
    pip = (binaries / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    (wheel,) = DIST.glob("trueup-*.whl")
    constraints = ("-c", ROOT / "constraints.txt", "--find-links", DIST)
    run(*pip, *constraints, f"{wheel}[review]", where=folder)
    trueup = binaries / "trueup"
    run(trueup, "--version", where=folder)
    run(trueup, "demo", "--rows", "20000", where=folder)
    (folder / "schema.sql").write_text(SCHEMA, encoding="utf-8")
    standard = "sql/post/standard.toml"
    run(trueup, "propose", "post", "--dump", "schema.sql", "--output", standard, where=folder)
    migrations = folder / "sql" / "post" / "legacy"
    migrations.mkdir()
    (migrations / "0001_baseline_post.sql").write_text(
        f"-- The tables as they are.\n{SCHEMA}", encoding="utf-8"
    )
    (migrations / "0001_baseline_post.rollback.sql").write_text(
        "-- Drop them.\nDROP TABLE public.parcels;\n", encoding="utf-8"
    )
    run(trueup, "generate", "--service", "post", where=folder)
    run(trueup, "lint", "sql/post/online", where=folder)
    run(trueup, "review", "--service", "post", where=folder)
    completion = subprocess.run(
        [trueup],
        env={**os.environ, "_TRUEUP_COMPLETE": "bash_source"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "complete -o nosort -F _trueup_completion trueup" in completion.stdout


if __name__ == "__main__":
    build()
    with tempfile.TemporaryDirectory(prefix="trueup-release-") as empty:
        try_it(Path(empty))
    print("dist:", *sorted(path.name for path in DIST.iterdir()))
