"""The rehearsal over time as SVG: phases, locks as bars, and what the clients saw, on one axis."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from markupsafe import Markup

from runner.ledger.files import Migration
from runner.postgres.locks import LockMode
from runner.review.certificate import Certificate
from runner.review.figures import seconds
from runner.review.measures import FileSpan, Load, LockSpan

WIDTH = 1120
_X, _RIGHT = 150, 1110
_BANDS, _LANES, _LANE = 26, 44, 26
_PLOT = 190
_NARROWEST = 2.5
_LETTER = 6.6  # width of a letter of a label
_CROSS = "\u00d7"
_FLOOR = 1e-4  # seconds at the bottom of the plot


@dataclass(frozen=True)
class _Scale:
    end: float

    def __call__(self, at: float) -> float:
        return _X + (_RIGHT - _X) * max(0.0, min(at, self.end)) / self.end


def kind_of(mode: LockMode) -> str:
    """The class of a lock mode: by what it stops."""
    if mode.stops == "reads and writes":
        return "stops-all"
    if mode.strong:
        return "stops-writes"
    return "stops-none" if mode is LockMode.SHARE_UPDATE_EXCLUSIVE else "weak"


def draw(certificate: Certificate, migrations: Sequence[Migration]) -> Markup:
    """The figure.

    Args:
        certificate: of a rehearsal with clients.
        migrations: for the statements.

    Returns:
        An SVG element whose colours are classes of the report's style sheet.
    """
    load = certificate.load
    assert load is not None
    last = [span.ended for span in load.files] + [b.at + load.width for b in load.buckets]
    scale = _Scale(max(last, default=1.0))
    tables = _tables(certificate)
    lanes = sorted({tables[key] for lock in load.locks if (key := _key(lock)) in tables})
    bottom = _LANES + _LANE * max(1, len(lanes))
    plot = bottom + 34
    height = plot + _PLOT + 30
    by_id = {migration.id: migration for migration in migrations}
    body = [
        *_bands(load.files, scale, plot + _PLOT),
        *_lanes(lanes),
        *_bars(load.locks, tables, lanes, scale, by_id),
        *_latency(load, scale, plot),
        *_axis(scale, plot + _PLOT),
    ]
    return Markup(
        '<svg class="timeline" viewBox="0 0 {} {}" role="group"'
        ' aria-label="Locks and client latency over the rehearsal">{}</svg>'
    ).format(WIDTH, height, Markup("").join(body))


def _tables(certificate: Certificate) -> dict[tuple[str, str, str], str]:
    """Which table of before a lock is on: by file, direction, and the name at that time."""
    return {
        (cost.migration, cost.direction, lock.relation): lock.table
        for cost in certificate.costs
        for statement in cost.statements
        for lock in statement.locks
        if lock.table
    }


def _key(lock: LockSpan) -> tuple[str, str, str]:
    return lock.migration, lock.direction, lock.relation


def _bands(files: Sequence[FileSpan], scale: _Scale, bottom: float) -> Iterator[Markup]:
    """A band for each phase; for each file when the files have no phases."""
    free = 0.0
    groups = groupby(files, key=lambda f: (f.phase or f.migration, f.direction))
    for index, ((name, direction), grouped) in enumerate(groups):
        spans = list(grouped)
        begin, end = scale(spans[0].begun), scale(spans[-1].ended)
        parity = "even" if index % 2 else "odd"
        label = f"{'↑' if direction == 'up' else '↓'} {name}"
        title = f"{name}, {direction}: {seconds(spans[-1].ended - spans[0].begun)}"
        yield Markup(
            '<g><title>{}</title><rect class="band {} {}" x="{:.1f}" y="{}" width="{:.1f}"'
            ' height="{:.0f}"/></g>'
        ).format(
            title, parity, direction, begin, _BANDS, max(_NARROWEST, end - begin), bottom - _BANDS
        )
        width = len(label) * _LETTER
        at = max(begin, free)
        # A label that would run far from its band is left to the band's title.
        if at + width <= _RIGHT + 4 and at - begin < 60:
            yield _text(at, _BANDS - 8, label, "phase")
            free = at + width + 20


def _lanes(lanes: Sequence[str]) -> Iterator[Markup]:
    yield _text(0, _LANES - 4, "locks on", "axis-title")
    for index, name in enumerate(lanes):
        y = _LANES + _LANE * index + _LANE / 2
        yield Markup('<line class="lane" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
            _X, _RIGHT, y + _LANE / 2, y + _LANE / 2
        )
        shown = name.removeprefix("public.")
        if len(shown) > 20:
            shown = shown[:19] + "…"
        yield _text(0, y + 5, shown, "lane-name")


def _bars(
    locks: Sequence[LockSpan],
    tables: Mapping[tuple[str, str, str], str],
    lanes: Sequence[str],
    scale: _Scale,
    by_id: Mapping[str, Migration],
) -> Iterator[Markup]:
    # The strong ones last, so that nothing hides them.
    for lock in sorted(locks, key=lambda k: k.mode.number):
        table = tables.get(_key(lock))
        if table is None or table not in lanes:
            continue
        begin, end = scale(lock.begun), scale(lock.ended)
        y = _LANES + _LANE * lanes.index(table) + 4
        held = seconds(lock.ended - lock.begun)
        statement = _statement(by_id.get(lock.migration), lock)
        title = (
            f"{lock.mode} on {lock.relation} for {held}\n"
            f"{lock.migration}, {lock.direction}, line {lock.line}\n{statement}"
        )
        yield Markup(
            '<a href="#{}"><title>{}</title>'
            '<rect class="lock {}" x="{:.1f}" y="{}" width="{:.1f}" height="{}" rx="2"/></a>'
        ).format(
            anchor(lock.migration),
            title,
            kind_of(lock.mode),
            begin,
            y,
            max(_NARROWEST, end - begin),
            _LANE - 8,
        )


def anchor(migration: str) -> str:
    """The place of a file in the report."""
    return f"file-{migration}"


def _statement(migration: Migration | None, lock: LockSpan) -> str:
    if migration is None:
        return ""
    up = lock.direction == "up"
    statements = migration.statements if up else migration.rollback_statements
    found = next((s.text for s in statements if s.line == lock.line), "")
    text = " ".join(found.split())
    return text if len(text) < 120 else text[:119] + "…"


def _latency(load: Load, scale: _Scale, top: float) -> Iterator[Markup]:
    highest = max([b.slowest for b in load.buckets] + [0.01])
    decades = math.ceil(math.log10(highest) - 1e-9)
    ceiling = 10.0**decades

    def y(value: float) -> float:
        share = math.log10(max(value, _FLOOR) / _FLOOR) / math.log10(ceiling / _FLOOR)
        return top + _PLOT * (1 - share)

    yield _text(0, top + 4, "client queries", "axis-title")
    yield _text(0, top + 24, "— median", "median-name")
    yield _text(0, top + 42, "▪ slowest", "slowest-name")
    yield _text(0, top + 60, f"{_CROSS} failed", "failed-name")
    for decade in range(-4, decades + 1):
        at = y(10.0**decade)
        yield Markup('<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(
            _X, _RIGHT, at, at
        )
        yield Markup('<text class="tick" x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(
            _X - 8, at + 4, seconds(10.0**decade)
        )
    yield Markup('<path class="median" d="{}"/>').format(
        "".join(
            # No line over a time in which no query came back.
            f"{'L' if before and bucket.at - before.at < load.width * 1.5 else 'M'}"
            f"{scale(bucket.at + load.width / 2):.1f} {y(bucket.median):.1f}"
            for before, bucket in pairwise([None, *load.buckets])
            if bucket
        )
    )
    for bucket in load.buckets:
        x = scale(bucket.at + load.width / 2)
        failed = f", {bucket.failed} failed" if bucket.failed else ""
        title = (
            f"{bucket.at:.1f} s: {bucket.queries} queries, median {seconds(bucket.median)},"
            f" slowest {seconds(bucket.slowest)}{failed}"
        )
        high = y(bucket.slowest)
        yield Markup(
            "<g><title>{}</title>"
            '<rect class="slowest" x="{:.1f}" y="{:.1f}" width="3" height="{:.1f}"/></g>'
        ).format(title, x - 1.5, high, max(2.0, y(bucket.median) - high))
        if bucket.failed:
            yield Markup(
                '<text class="failed" x="{:.1f}" y="{:.1f}" text-anchor="middle">{}'
                "<title>{}</title></text>"
            ).format(x, top - 4, _CROSS, title)


def _axis(scale: _Scale, y: float) -> Iterator[Markup]:
    yield Markup('<line class="axis" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(_X, _RIGHT, y, y)
    step = next((s for s in (0.5, 1, 2, 5, 10, 20, 60, 120, 300, 600) if scale.end / s <= 14), 1800)
    at = 0.0
    while at <= scale.end:
        yield Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="{}">{:g} s</text>').format(
            scale(at), y + 18, "end" if scale(at) > _RIGHT - 14 else "middle", at
        )
        at += step


def _text(x: float, y: float, text: str, kind: str) -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}">{}</text>').format(kind, x, y, text)
