"""`make pictures`: draws docs/phase-*.svg, what the database looks like in each phase."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
WIDTH, ROW, TOP, BOX = 720, 24, 74, 300
STYLE = """
.bg{fill:#fff}.box{fill:#f6f8fa;stroke:#d1d9e0}.view{fill:#fff;stroke:#59636e;stroke-dasharray:5 4}
text{font:14px system-ui,sans-serif;fill:#1f2328}.name{font-weight:600}
.soft{fill:#59636e;font-size:13px}
.code{white-space:pre;font-family:ui-monospace,Menlo,Consolas,monospace;font-size:13px}
.old{fill:#8a6100}.new{fill:#1a7f37}.pill{fill:#fff;font-weight:600}.arrow{stroke:#59636e;fill:none}
@media (prefers-color-scheme:dark){.bg{fill:#0d1117}.box{fill:#151b23;stroke:#3d444d}
.view{fill:#0d1117;stroke:#9198a1}text{fill:#f0f6fc}.soft{fill:#9198a1}.old{fill:#d29922}
.new{fill:#3fb950}.pill{fill:#0d1117}.arrow{stroke:#9198a1}}
"""


@dataclass(frozen=True)
class Thing:
    """A table or a view, who uses it, and its columns: text and the side that it is of."""

    title: str
    columns: tuple[tuple[str, str], ...]
    client: str = ""


def side(client: str) -> str:
    return "old" if client.startswith("old") else "new"


def draw(thing: Thing, left: int) -> str:
    is_view = thing.title.startswith("view")
    height = 34 + ROW * len(thing.columns)
    parts = []
    if thing.client:
        middle = left + BOX / 2
        parts.append(
            f'<rect class="{side(thing.client)}" x="{middle - 62}" y="12" width="124"'
            f' height="28" rx="14"/>'
            f'<text class="pill" x="{middle}" y="31" text-anchor="middle">{thing.client}</text>'
            f'<path class="arrow" d="M{middle} 42v24m-5-7 5 8 5-8"/>'
        )
    parts.append(
        f'<rect class="{"view" if is_view else "box"}" x="{left}" y="{TOP}" width="{BOX}"'
        f' height="{height}" rx="6"/>'
        f'<text class="name" x="{left + 14}" y="{TOP + 23}">{thing.title}</text>'
    )
    for number, (text, of) in enumerate(thing.columns):
        y = TOP + 47 + ROW * number
        parts.append(f'<text class="code {of}" x="{left + 14}" y="{y}">{escape(text)}</text>')
    return "".join(parts)


def picture(name: str, caption: str, *things: Thing) -> None:
    rows = max(len(thing.columns) for thing in things)
    height = TOP + 34 + ROW * rows + 46
    places = (20, WIDTH - BOX - 20) if len(things) > 1 else ((WIDTH - BOX) // 2,)
    body = "".join(draw(thing, left) for thing, left in zip(things, places, strict=True))
    views = [thing.title.startswith("view") for thing in things]
    if any(views):
        # From the view to the table that it shows.
        start, end = (WIDTH - BOX - 20, 320) if views[1] else (320, WIDTH - BOX - 20)
        head = "m7-5-8 5 8 5" if views[1] else "m-7-5 8 5-8 5"
        body += f'<path class="arrow" d="M{start} {TOP + 50}H{end}{head}"/>'
    middle = f'x="{WIDTH / 2}" y="{height - 16}" text-anchor="middle"'
    body += f'<text class="soft" {middle}>{caption}</text>'
    (DOCS / f"phase-{name}.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        f' aria-label="{escape(caption)}"><style>{STYLE}</style>'
        f'<rect class="bg" width="{WIDTH}" height="{height}"/>{body}</svg>\n',
        encoding="utf-8",
    )


OLD = (("id       varchar   A1B2…", "old"), ("status   varchar   active", "old"))
EMPTY = (("id__new      uuid      null", "new"), ("status__new  varchar   null", "new"))
FULL = (("id__new      uuid      a1b2…", "new"), ("status__new  varchar   ACTIVE", "new"))
NEW_VIEW = Thing("view model", (("id      = id__new", "new"), ("status  = status__new", "new")))


def main() -> None:
    old_release, new_release = "old release", "new release"
    picture("before", "the old release and its table", Thing("table models", OLD, old_release))
    picture(
        "expand",
        "new columns, still empty; a trigger fills them when a client writes",
        Thing("table models", (*OLD, *EMPTY), old_release),
        NEW_VIEW,
    )
    picture(
        "backfill",
        "page by page the rows get their new values",
        Thing(
            "table models",
            (
                ("A1B2…  active    a1b2…  ACTIVE", "new"),
                ("C3D4…  inactive  c3d4…  INACTIVE", "new"),
                ("E5F6…  active    null   null", "old"),
                ("0718…  active    null   null", "old"),
            ),
            old_release,
        ),
        NEW_VIEW,
    )
    picture(
        "enforce",
        "indexes and constraints stand on the new columns, too: both releases work",
        Thing("table models", (*OLD, *FULL), old_release),
        Thing(NEW_VIEW.title, NEW_VIEW.columns, new_release),
    )
    picture(
        "switch",
        "the names have changed places; the view counts its uses",
        Thing(
            "view models",
            (("id      = id__old", "old"), ("status  = status__old", "old")),
            old_release,
        ),
        Thing(
            "table model",
            (
                ("id           uuid      a1b2…", "new"),
                ("status       varchar   ACTIVE", "new"),
                ("id__old      varchar   A1B2…", "old"),
                ("status__old  varchar   active", "old"),
            ),
            new_release,
        ),
    )
    picture(
        "contract",
        "the reversal table keeps only what could not be derived again",
        Thing("table trueup.model_reversal", (("A1B2…, where it was in upper case", "old"),)),
        Thing(
            "table model",
            (("id      uuid      a1b2…", "new"), ("status  varchar   ACTIVE", "new")),
            new_release,
        ),
    )


if __name__ == "__main__":
    main()
