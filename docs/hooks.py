"""What mkdocs does not do itself: links out of docs/, help of the command line, no network."""

from __future__ import annotations

import re
from posixpath import dirname, join, normpath
from typing import Any

import click
from mkdocs.exceptions import PluginError

from runner.cli import cli

_LINK = re.compile(r"(?<=\]\()(\.\./[^)\s]+)(?=\))")
_WIDTH = 72
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
    """What `--help` prints, of the command and of each verb."""
    top = click.Context(cli, info_name="trueup")
    parts = [_help(cli, top)]
    for name in cli.list_commands(top):
        verb = cli.get_command(top, name)
        assert verb is not None
        parts.append(
            f"## trueup {name}\n\n{_help(verb, click.Context(verb, info_name=name, parent=top))}"
        )
    return "\n\n".join(parts)


def _help(command: click.Command, context: click.Context) -> str:
    context.terminal_width = _WIDTH
    return f"```text\n{command.get_help(context)}\n```"
