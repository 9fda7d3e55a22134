"""What mkdocs does not do by itself: links out of docs/ lead to the repository."""

from __future__ import annotations

import re
from posixpath import dirname, join, normpath
from typing import Any

_LINK = re.compile(r"(?<=\]\()(\.\./[^)\s]+)(?=\))")


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Make links to what lies outside of docs/ absolute."""

    def absolute(match: re.Match[str]) -> str:
        path = normpath(join("docs", dirname(page.file.src_uri), match[1]))
        if path.startswith("docs/"):
            return match[1]
        return f"{config.repo_url}/blob/main/{path}"

    return _LINK.sub(absolute, markdown)
