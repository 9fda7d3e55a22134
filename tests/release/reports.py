"""`make reports`: makes what docs/ shows of reports from real runs: the pages and their pictures.

The pictures need chromium; without it they stay as they are.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from runner.demo.data import fill
from runner.postgres.connect import connect
from runner.postgres.embedded import start_server

ROOT = Path(__file__).parents[2]
REPORTS = ROOT / "docs" / "reports"
SERVICE = ("--service", "model_orchestration")
HAZARDS = ("--sources", "tests/review/hazards/migrations")
ROWS = 200_000


def trueup(*arguments: str, dsn: str = "", may_fail: bool = False) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "TRUEUP_DSN"}
    subprocess.run(
        [sys.executable, "-m", "runner", *arguments],
        cwd=ROOT,
        env=environment | ({"TRUEUP_DSN": dsn} if dsn else {}),
        check=not may_fail,
    )


def picture(name: str, report: str, height: int, *more: str) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        print(f"no chromium: docs/{name} stays as it is")
        return
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *more)
    target = (f"--window-size=1280,{height}", f"--screenshot={ROOT / 'docs' / name}")
    subprocess.run(
        [browser, *options, *target, (REPORTS / report).as_uri()],
        check=True,
        stderr=subprocess.DEVNULL,
    )


def main() -> None:
    with start_server() as server, tempfile.TemporaryDirectory() as folder:
        certificate = f"{folder}/rehearsal.json"
        server.create_database("orders")
        dsn = server.dsn("orders")
        trueup("apply", *SERVICE, "--to", "baseline", dsn=dsn)
        with connect(dsn, application_name="trueup reports") as connection:
            fill(connection, ROWS)
        trueup("rehearse", *SERVICE, "--output", certificate, dsn=dsn)
        on = (*SERVICE, "--rehearsal", certificate)
        trueup("plan", *on, dsn=dsn)
        trueup("report", *on, "--output", f"{REPORTS}/model_orchestration.html", dsn=dsn)
        # It fails: that is what its report shows.
        base = ("--base", "0001_create_shop")
        trueup("rehearse", *HAZARDS, *base, "--output", certificate, may_fail=True)
        found = ("--rehearsal", certificate, "--output", f"{REPORTS}/hazards.html")
        trueup("report", *HAZARDS, *found)
    picture("report.png", "model_orchestration.html", 1790)
    picture("report-hazards.png", "hazards.html", 2700, "--blink-settings=preferredColorScheme=0")


if __name__ == "__main__":
    main()
