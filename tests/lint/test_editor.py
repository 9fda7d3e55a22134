"""An editor asks `trueup lsp`, and shows the findings of the command line and their fixes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from lsprotocol import types as lsp
from pygls.lsp.client import LanguageClient

from runner.lint import lint

TEXT = "SELECT '€ 𝄞'; DROP TABLE users;\n"
_SECONDS = 120


class Editor(LanguageClient):
    """A client that keeps the newest findings of each document."""

    def __init__(self) -> None:
        super().__init__("test", "1")
        self.told: asyncio.Queue[lsp.PublishDiagnosticsParams] = asyncio.Queue()

        @self.feature(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)  # type: ignore[untyped-decorator]
        def publish(params: lsp.PublishDiagnosticsParams) -> None:
            self.told.put_nowait(params)

    async def next(self) -> list[lsp.Diagnostic]:
        told = await asyncio.wait_for(self.told.get(), _SECONDS)
        return list(told.diagnostics)


def edit(folder: Path, use: Callable[[Editor, str], Awaitable[None]]) -> None:
    """Start a server, open the file, and use the editor."""

    async def run() -> None:
        editor = Editor()
        await editor.start_io(sys.executable, "-m", "runner", "lsp")
        try:
            await editor.initialize_async(
                lsp.InitializeParams(
                    capabilities=lsp.ClientCapabilities(), root_uri=folder.as_uri()
                )
            )
            editor.initialized(lsp.InitializedParams())
            path = folder / "0001_a.sql"
            item = lsp.TextDocumentItem(path.as_uri(), "sql", 1, path.read_text("utf-8"))
            editor.text_document_did_open(lsp.DidOpenTextDocumentParams(item))
            await use(editor, path.as_uri())
        finally:
            await editor.shutdown_async(None)
            editor.exit(None)
            server = editor._server
            assert server is not None
            assert await asyncio.wait_for(server.wait(), _SECONDS) == 0
            await editor.stop()  # type: ignore[no-untyped-call]

    asyncio.run(run())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "0001_a.sql").write_text(TEXT, encoding="utf-8")
    return tmp_path


def test_an_editor_shows_what_the_command_line_tells(project: Path) -> None:
    found = [f.rule for f in lint([project]).findings]

    async def use(editor: Editor, uri: str) -> None:
        diagnostics = await editor.next()
        assert sorted(str(d.code) for d in diagnostics) == sorted(found)
        drop = next(d for d in diagnostics if d.code == "drop-table")
        # Positions are counted in UTF-16: the clef takes two.
        assert (drop.range.start.line, drop.range.start.character) == (0, 15)
        assert drop.severity == lsp.DiagnosticSeverity.Error
        assert drop.source == "trueup"

    edit(project, use)


def test_what_is_typed_counts_before_it_is_saved(project: Path) -> None:
    async def use(editor: Editor, uri: str) -> None:
        assert await editor.next()
        typed = lsp.TextDocumentContentChangeWholeDocument("SELECT 1;\n")
        document = lsp.VersionedTextDocumentIdentifier(uri=uri, version=2)
        editor.text_document_did_change(lsp.DidChangeTextDocumentParams(document, [typed]))
        assert await editor.next() == []
        # What Python takes for a line's end and no editor does moves nothing.
        typed.text = "SELECT 1\x0c;\u2028\x85\nSELECT '\x1c';\n DROP TABLE users;"
        editor.text_document_did_change(lsp.DidChangeTextDocumentParams(document, [typed]))
        drop = next(d for d in await editor.next() if d.code == "drop-table")
        assert (drop.range.start, drop.range.end) == (lsp.Position(2, 1), lsp.Position(2, 18))
        # What is closed before it was looked at is not told of again.
        editor.text_document_did_change(lsp.DidChangeTextDocumentParams(document, [typed]))
        closed = lsp.TextDocumentIdentifier(uri)
        editor.text_document_did_close(lsp.DidCloseTextDocumentParams(closed))
        assert await editor.next() == []
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(editor.told.get(), 1)

    edit(project, use)


def test_a_finding_can_be_judged_by_a_quick_fix(project: Path) -> None:
    async def use(editor: Editor, uri: str) -> None:
        diagnostics = await editor.next()
        actions = await editor.text_document_code_action_async(
            lsp.CodeActionParams(
                lsp.TextDocumentIdentifier(uri),
                diagnostics[0].range,
                lsp.CodeActionContext(diagnostics),
            )
        )
        titles = [action.title for action in actions or []]
        assert "Ignore drop-table here: say why" in titles
        ignore = next(a for a in actions or [] if a.title.startswith("Ignore drop-table"))
        assert isinstance(ignore, lsp.CodeAction)
        assert ignore.edit is not None
        assert ignore.edit.changes is not None
        (change,) = ignore.edit.changes[uri]
        assert change.new_text == "-- trueup: ignore drop-table because \n"

    edit(project, use)


def test_the_settings_of_the_project_count(project: Path) -> None:
    (project / "trueup.toml").write_text('[rules]\ndrop-table = "off"\n', encoding="utf-8")

    async def use(editor: Editor, uri: str) -> None:
        assert "drop-table" not in [diagnostic.code for diagnostic in await editor.next()]

    edit(project, use)
