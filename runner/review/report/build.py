"""Brings what is known of a migration together, and renders it as one HTML file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from runner.ledger.files import Migration
from runner.ledger.records import runner_version
from runner.postgres.locks import LockMode
from runner.review import figures
from runner.review.certificate import Certificate
from runner.review.measures import FileCost, LockCost
from runner.review.report import contract, timeline
from runner.review.report.listing import Line, Remark, listing

if TYPE_CHECKING:
    from runner.preflight.report import Report
    from runner.review.plan import Blocker


_PHASES = {
    "baseline": "the schema that is there",
    "toolkit": "creates what the files call, in a schema of its own",
    "check": "stops here if a row cannot be converted",
    "expand": "adds the new contract beside the old one",
    "backfill": "converts the rows that are there",
    "enforce": "proves the new contract, and guards it",
    "switch": "gives the tables to the new contract; the old names become views",
    "contract": "removes the old contract once nobody uses it",
    "window": "all at once, while the service is stopped",
}


@dataclass(frozen=True)
class Odometer:
    """The proof of use of one compat view, as the live database shows it now.

    Args:
        view: its name.
        queries: how often it was used since statistics began.
        unused_since: when it was used last, in words; empty when nothing proves that.
    """

    view: str
    queries: int
    unused_since: str


@dataclass(frozen=True)
class Facts:
    """What the report shows.

    Args:
        migrations: the files, in order.
        certificate: of their rehearsal, None when they were not rehearsed.
        remarks: what lint says, by path of the file; None when it was not asked.
        preflight: of the live data, None when it was not read.
        odometers: of the live database, None when no database was named.
        sessions: open transactions in the live database.
        database: its name, empty when none was named.
        stale: ids of files that changed since the rehearsal; its costs are not theirs.
    """

    migrations: Sequence[Migration]
    certificate: Certificate | None = None
    remarks: Mapping[Path, Sequence[Remark]] | None = None
    preflight: Report | None = None
    odometers: Sequence[Odometer] | None = None
    sessions: Sequence[Blocker] = ()
    database: str = ""
    stale: Collection[str] = ()


@dataclass(frozen=True)
class Figure:
    """A figure at the top of the report: good, bad or neither."""

    value: str
    label: str
    kind: str = ""


@dataclass(frozen=True)
class Step:
    """What to do next: in words, and the command or the place on the page that helps."""

    text: str
    command: str = ""
    place: str = ""


@dataclass(frozen=True)
class File:
    """One migration as the report shows it."""

    migration: Migration
    anchor: str
    up: FileCost | None
    down: FileCost | None
    forward: Sequence[Line]
    rollback: Sequence[Line]
    remarks: Sequence[Remark]
    locks: Sequence[LockCost]
    bad: bool = field(default=False)

    @property
    def strongest(self) -> LockCost | None:
        """The strongest lock on a table that was there before, None when it stops nothing."""
        return next((lock for lock in self.locks if lock.mode.stops), None)


def render(facts: Facts) -> str:
    """The report.

    Args:
        facts: what it shows.

    Returns:
        HTML that needs nothing beside itself.
    """
    environment = Environment(
        loader=PackageLoader("runner.review.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        seconds=figures.seconds,
        span=figures.span,
        size=figures.size,
        count=figures.count,
        version=figures.version,
        plural=figures.plural,
        kind=timeline.kind_of,
        short_type=contract.short_type,
    )
    found = facts.certificate
    pairs = contract.pairs(found.before, found.after) if found else []
    service = facts.migrations[0].service if facts.migrations else ""
    shown = [_file(migration, facts) for migration in facts.migrations]
    values: dict[str, Any] = {
        "facts": facts,
        "certificate": found,
        "title": (found.service if found else service).replace("_", " "),
        "created": datetime.now(UTC).strftime("%d %B %Y, %H:%M UTC"),
        "trueup": runner_version(),
        "figures": _figures(facts, shown),
        "steps": _next_steps(facts, shown),
        "phases": _PHASES,
        "phased": any(migration.phase for migration in facts.migrations),
        "pairs": pairs,
        "contract": contract.draw(pairs) if pairs else None,
        "contract_summary": contract.summary(pairs) if pairs else "",
        "timeline": timeline.draw(found, facts.migrations) if found and found.load else None,
        "files": shown,
        "style": Markup(_resource("report.css")),
        "script": Markup(_resource("report.js")),
    }
    return environment.get_template("report.html.j2").render(values)


def _resource(name: str) -> str:
    return files("runner.review.report").joinpath(name).read_text(encoding="utf-8")


def _file(migration: Migration, facts: Facts) -> File:
    found = facts.certificate if migration.id not in facts.stale else None
    up = found.cost(migration.id) if found else None
    down = found.cost(migration.id, "down") if found else None
    remarks = facts.remarks or {}
    forward = list(remarks.get(migration.path, ()))
    back = list(remarks.get(migration.rollback_path, ())) if migration.rollback_path else []
    bad = any(r.level == "error" for r in (*forward, *back)) or bool(up and up.failed)
    return File(
        migration,
        timeline.anchor(migration.id),
        up,
        down,
        listing(migration.text, migration.statements, up, forward),
        listing(migration.rollback_text, migration.rollback_statements, down, back),
        (*forward, *back),
        [lock for lock in up.locks if lock.table] if up else [],
        bad or migration.rollback_path is None,
    )


def _next_steps(facts: Facts, shown: Sequence[File]) -> list[Step]:
    """What stands between these files and the live database, the nearest first."""
    found = facts.certificate
    steps = []
    errors = sum(r.level == "error" for rs in (facts.remarks or {}).values() for r in rs)
    if errors:
        text = f"Fix {figures.plural(errors, 'lint error')}: each is shown beside its line"
        steps.append(Step(text, place="files"))
    if facts.preflight is not None and not facts.preflight.ready:
        steps.append(Step("Correct the data, which is not ready", "trueup check", "before"))
    if found is not None and found.problems:
        problems = figures.plural(len(found.problems), "problem")
        steps.append(Step(f"Fix {problems} that the rehearsal found, listed above"))
    if found is None:
        steps.append(Step("Rehearse the files: nothing was measured", "trueup rehearse"))
    elif found.problems or facts.stale or errors:
        steps.append(Step("Rehearse again", "trueup rehearse"))
    elif unmeasured := [file for file in shown if file.up is None]:
        text = f"Rehearse {figures.plural(len(unmeasured), 'file')} that nobody measured"
        steps.append(Step(text, "trueup rehearse"))
    elif found.live_server and found.live_server // 10000 != found.server // 10000:
        live = found.live_server // 10000
        text = f"Rehearse on PostgreSQL {live}, as the live server is: this was on another one"
        steps.append(Step(text, "trueup rehearse --scratch DSN"))
    if steps:
        return steps
    assert found is not None
    if facts.sessions:
        text = f"Wait for {figures.plural(len(facts.sessions), 'lock')} of open transactions"
        steps.append(Step(text, place="before"))
    if found.signature is None:
        text = "Have the certificate signed, so that nobody can edit it unnoticed"
        steps.append(Step(text, "trueup rehearse --sign-key FILE"))
    text = "Approve, then apply: files that are not these are refused"
    return [*steps, Step(text, "trueup apply --require-rehearsal trueup-rehearsal.json", "files")]


def _figures(facts: Facts, shown: Sequence[File]) -> list[Figure]:
    found = facts.certificate
    result = [Figure(str(len(shown)), "files, each with its rollback")]
    if any(not file.migration.rollback_path for file in shown):
        result = [Figure(str(len(shown)), "files, not all with a rollback", "bad")]
    if found is not None:
        if found.load is not None:
            failed = found.load.failed
            result.append(
                Figure(
                    f"{failed:,}",
                    f"of {found.load.queries:,} client queries failed",
                    "bad" if failed else "good",
                )
            )
        result.append(_longest_block(found, shown))
        for direction, label in (("up", "the way up"), ("down", "the way back")):
            costs = [c for c in found.costs if c.direction == direction]
            live = [c.at_live for c in costs]
            taken = sum(e.likely if e else c.seconds for e, c in zip(live, costs, strict=True))
            about = "at live size" if costs and all(live) else "on the sample"
            result.append(Figure(figures.seconds(taken), f"{label}, {about}"))
    if facts.remarks is not None:
        errors = sum(r.level == "error" for rs in facts.remarks.values() for r in rs)
        total = sum(len(rs) for rs in facts.remarks.values())
        label = f"lint errors, {total - errors} lesser findings"
        result.append(Figure(str(errors), label, "bad" if errors else "good"))
    if facts.preflight is not None:
        stopped = len(facts.preflight.stops)
        label = "findings in the data stop the conversion"
        result.append(Figure(str(stopped), label, "bad" if stopped else "good"))
    return result


def _longest_block(found: Certificate, shown: Sequence[File]) -> Figure:
    """The longest time that a lock on the way up keeps clients from reading a table."""
    missing = any(file.up is None for file in shown)
    blocks = [
        lock
        for cost in found.costs
        if cost.direction == "up"
        for lock in cost.locks
        if lock.table and lock.mode is LockMode.ACCESS_EXCLUSIVE
    ]
    known = all(lock.at_live for lock in blocks) and not missing
    longest = max((k.at_live.likely if k.at_live else k.held for k in blocks), default=0.0)
    kind = "bad" if longest >= 1 else "good" if known else ""
    where = "" if known else ", as far as it was measured" if missing else ", on the sample"
    return Figure(
        figures.seconds(longest), f"is the longest that nobody can read a table{where}", kind
    )
