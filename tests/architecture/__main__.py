"""Write docs/architecture.svg."""

from __future__ import annotations

from architecture.drawing import draw
from architecture.imports import ROOT, read_imports, read_sources

sources = read_sources()
path = ROOT / "docs" / "architecture.svg"
path.write_text(draw(sources, read_imports(sources)), encoding="utf-8")
print(f"wrote {path.relative_to(ROOT)}")
