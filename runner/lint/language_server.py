"""Lint in an editor: findings while one types, their fixes and ignores as quick fixes (LSP)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path

from runner.errors import TrueupError
from runner.lint.baseline import unknown
from runner.lint.engine import lint
from runner.lint.model import Edit, Finding
from runner.lint.settings import find_settings

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_PAUSE = 0.2  # seconds without a key before the text is looked at
_SEVERITIES = {
    "error": lsp.DiagnosticSeverity.Error,
    "warning": lsp.DiagnosticSeverity.Warning,
    "style": lsp.DiagnosticSeverity.Information,
}


class Server(LanguageServer):
    """Looks at migration files as the editor shows them, saved or not."""

    def __init__(self) -> None:
        super().__init__("trueup", version("trueup"))
        self._waiting: dict[str, asyncio.Task[None]] = {}
        self._found: dict[str, list[tuple[lsp.Diagnostic, Finding]]] = {}

    async def look_soon(self, uri: str) -> None:
        """Look at a document once nobody has typed for a moment."""
        if waiting := self._waiting.pop(uri, None):
            waiting.cancel()

        async def later() -> None:
            await asyncio.sleep(_PAUSE)
            self.look(uri)

        self._waiting[uri] = asyncio.create_task(later())

    def look(self, uri: str, *, saved: bool = False) -> None:
        """Look at a document and publish what was found.

        Args:
            uri: of the document.
            saved: its text is that of the file, so that Squawk can be asked too.
        """
        document = self.workspace.get_text_document(uri)
        found: list[Finding] = []
        path = _path(uri)
        if path is not None and path.suffix == ".sql" and path.is_file():
            try:
                found = self._findings(path, saved=saved)
            except TrueupError as error:
                self.window_log_message(lsp.LogMessageParams(lsp.MessageType.Error, str(error)))
                return
        lines = _lines(document.source)
        self._found[uri] = [(self._diagnostic(lines, finding), finding) for finding in found]
        shown = [diagnostic for diagnostic, _ in self._found[uri]]
        self.text_document_publish_diagnostics(
            lsp.PublishDiagnosticsParams(uri, shown, document.version)
        )

    def _findings(self, path: Path, *, saved: bool) -> list[Finding]:
        settings = find_settings(path.parent)
        squawk = settings.squawk if saved else False
        report = lint([path], with_squawk=squawk, settings=settings, opened=self._opened())
        return list(unknown(report, settings).findings)

    def _opened(self) -> Mapping[Path, str]:
        documents = self.workspace.text_documents.items()
        return {path: doc.source for uri, doc in documents if (path := _path(uri)) is not None}

    def forget(self, uri: str) -> None:
        """Take back what was told of a document that is closed."""
        if waiting := self._waiting.pop(uri, None):
            waiting.cancel()
        self._found.pop(uri, None)
        self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, []))

    def _diagnostic(self, lines: list[str], finding: Finding) -> lsp.Diagnostic:
        end = min(finding.end_line, len(lines)) - 1
        text = lines[end].rstrip("\r\n") if 0 <= end < len(lines) else ""
        start = lsp.Position(finding.line - 1, finding.column - 1)
        told = [finding.message, finding.why]
        if finding.instead:
            told.append(f"safe:\n{finding.instead}")
        return lsp.Diagnostic(
            range=lsp.Range(self._sent(lines, start), self._sent(lines, _at(end, text, start))),
            message="\n\n".join(told),
            severity=_SEVERITIES[finding.level],
            code=finding.rule,
            source="trueup",
        )

    def _sent(self, lines: list[str], position: lsp.Position) -> lsp.Position:
        return self.workspace.position_codec.position_to_client_units(lines, position)

    def actions(self, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        """The fixes of the findings at a place, and for each the comment that judges it."""
        uri = params.text_document.uri
        lines = _lines(self.workspace.get_text_document(uri).source)
        found: list[lsp.CodeAction] = []
        for diagnostic, finding in self._found.get(uri, ()):
            if not _touch(diagnostic.range, params.range):
                continue
            if finding.edits:
                edits = [self._edit(lines, edit) for edit in finding.edits]
                title = f"Make it safe ({finding.rule})"
                found.append(_action(uri, title, edits, diagnostic, preferred=True))
            line = lsp.Position(max(0, finding.line - 1), 0)
            comment = f"-- trueup: ignore {finding.rule} because \n"
            edit = lsp.TextEdit(lsp.Range(line, line), comment)
            title = f"Ignore {finding.rule} here: say why"
            found.append(_action(uri, title, [edit], diagnostic, preferred=False))
        return found

    def _edit(self, lines: list[str], edit: Edit) -> lsp.TextEdit:
        text = "".join(lines)
        places = []
        for offset in (edit.start, edit.end):
            line = text.count("\n", 0, offset)
            column = offset - (text.rfind("\n", 0, offset) + 1)
            places.append(self._sent(lines, lsp.Position(line, column)))
        return lsp.TextEdit(lsp.Range(places[0], places[1]), edit.text)


def _lines(text: str) -> list[str]:
    """The lines as findings count them; str.splitlines ends one at a form feed, too."""
    return _LINE.findall(text)


def _at(line: int, text: str, start: lsp.Position) -> lsp.Position:
    """The end of a line; one character on when that is where it starts."""
    if line < start.line or (line == start.line and len(text) <= start.character):
        return lsp.Position(start.line, start.character + 1)
    return lsp.Position(line, len(text))


def _path(uri: str) -> Path | None:
    name = to_fs_path(uri) if uri.startswith("file:") else None
    return Path(name) if name else None


def _touch(one: lsp.Range, other: lsp.Range) -> bool:
    return one.start.line <= other.end.line and other.start.line <= one.end.line


def _action(
    uri: str, title: str, edits: list[lsp.TextEdit], of: lsp.Diagnostic, *, preferred: bool
) -> lsp.CodeAction:
    return lsp.CodeAction(
        title=title,
        kind=lsp.CodeActionKind.QuickFix,
        diagnostics=[of],
        is_preferred=preferred,
        edit=lsp.WorkspaceEdit(changes={uri: edits}),
    )


def make_server() -> Server:
    """A server with its features; `start_io` runs it on standard input and output."""
    server = Server()

    @server.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: lsp.DidOpenTextDocumentParams) -> None:
        server.look(params.text_document.uri, saved=True)

    @server.feature(lsp.TEXT_DOCUMENT_DID_SAVE)
    def saved(params: lsp.DidSaveTextDocumentParams) -> None:
        server.look(params.text_document.uri, saved=True)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    async def changed(params: lsp.DidChangeTextDocumentParams) -> None:
        await server.look_soon(params.text_document.uri)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: lsp.DidCloseTextDocumentParams) -> None:
        server.forget(params.text_document.uri)

    @server.feature(
        lsp.TEXT_DOCUMENT_CODE_ACTION,
        lsp.CodeActionOptions(code_action_kinds=[lsp.CodeActionKind.QuickFix]),
    )
    def actions(params: lsp.CodeActionParams) -> list[Any]:
        return list(server.actions(params))

    return server
