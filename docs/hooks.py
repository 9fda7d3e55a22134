"""What mkdocs does not do itself: links out of docs/, help of the command line, no network."""

from __future__ import annotations

import re
from posixpath import dirname, join, normpath
from typing import Any

import click
from mkdocs.exceptions import PluginError

from runner.cli import cli
from runner.cli.manual import TOPICS, whole
from runner.cli.root import all_shared

_LINK = re.compile(r"(?<=\]\()(\.\./[^)\s]+)(?=\))")
_LOADED = re.compile(r"<(?:script|img|iframe)[^>]+src=\"?https?:|<link[^>]+stylesheet[^>]+https?:")


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Make links to what lies outside of docs/ absolute, and fill in the verbs."""

    def absolute(match: re.Match[str]) -> str:
        path = normpath(join("docs", dirname(page.file.src_uri), match[1]))
        if path.startswith("docs/"):
            return match[1]
        return f"{config.repo_url}/blob/main/{path}"

    return _LINK.sub(absolute, markdown).replace("<!-- verbs -->", _verbs())


def on_post_page(output: str, *, page: Any, config: Any) -> str:
    """Refuse a page that loads something from elsewhere when it is read."""
    if found := _LOADED.search(output):
        raise PluginError(f"{page.file.src_uri} needs the network: {found[0]}")
    return output


def _verbs() -> str:
    """What `trueup help` prints, of the command, of each topic and verb."""
    top = click.Context(cli, info_name="trueup")
    parts = [_block(whole(top, "", all_shared)), "## Options of most verbs"]
    parts += [_block(whole(top, topic, all_shared)) for topic in ("options", *TOPICS)]
    for name in cli.list_commands(top):
        parts += [f"## trueup {name}", _block(whole(top, name, all_shared))]
    return "\n\n".join(parts)


def _block(text: str) -> str:
    return f"```text\n{text}\n```"
