"""A program or a file of the server is used."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.lint import parser, tree
from runner.lint.blocks import block_text
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step

_FUNCTIONS = frozenset(
    """
    pg_read_file pg_read_binary_file pg_ls_dir pg_ls_logdir pg_ls_waldir pg_ls_tmpdir pg_stat_file
    pg_file_write pg_file_unlink pg_file_rename pg_file_read pg_logdir_ls lo_import lo_export
    dblink_connect dblink dblink_exec
    """.split()
)
_CALLS = parser.calls_in(_FUNCTIONS)
_NAMES = re.compile("|".join(sorted(_FUNCTIONS)), re.IGNORECASE)
_PROGRAM = re.compile(r"\bCOPY\b[^;]*\b(?:TO|FROM)\s+PROGRAM\b", re.IGNORECASE)
_UNTRUSTED = re.compile(r"(?:c|internal|pl\w+u|plsh|plr)", re.IGNORECASE)


def _what(step: Step) -> str:
    node = step.node
    if step.verb == "Copy":
        way = "FROM" if node.is_from else "TO"
        if node.is_program:
            return f"COPY {way} PROGRAM runs a command on the server, with the server's own rights"
        if node.filename:
            return f"COPY {way} {node.filename!r} uses a file of the server, not of the client"
    if step.verb in ("Do", "CreateFunction"):
        return _in_a_body(step)
    if step.verb in ("CreateForeignTable", "CreateForeignServer"):
        names = {tree.inner(option).defname for option in node.options}
        found = names & {"program", "filename"}
        return f"a foreign table with {min(found)!r} reads it on the server" if found else ""
    if step.verb == "CreateExtension":
        untrusted = _UNTRUSTED.fullmatch(node.extname) or node.extname in ("file_fdw", "adminpack")
        return f"{node.extname} lets SQL reach the server's files and programs" if untrusted else ""
    name = next((name for name in step.calls(_NAMES) if name in _FUNCTIONS), "")
    return f"{name}() reaches the server's files, or another server" if name else ""


def _in_a_body(step: Step) -> str:
    options = step.node.args if step.verb == "Do" else step.node.options
    language = tree.option(options, "language")
    name = tree.inner(language.arg).sval if language is not None else ""
    if _UNTRUSTED.fullmatch(name):
        return f"the language {name} can do on the server whatever its account can"
    body = block_text(step.node)
    if call := _CALLS.search(body):
        return f"{call[1].lower()}() reaches the server's files, or another server"
    if parser.has_escaped_names(body):
        return 'a name in escapes (U&"...") hides from who reads the file what is called'
    return "COPY ... PROGRAM runs a command on the server" if _PROGRAM.search(body) else ""


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if what := _what(step):
        yield Hit(what)


RULE = Rule(
    name="server-files",
    level="error",
    title="A program or a file of the server is used",
    why="It runs as the account of the server and sees its environment, its keys and all of its"
    " databases. It needs a superuser, works on one machine only, and in a pull request it is an"
    " attack on whoever runs the file.",
    instead="""-- with psql, files of the client: \\copy, outside of the migration; else INSERT""",
    flagged=(
        "COPY users TO PROGRAM 'gzip > /tmp/users.gz';",
        "COPY users FROM '/tmp/users.csv';",
        "SELECT pg_read_file('/etc/passwd');",
        "SELECT U&\"pg_read_\\0066ile\"('/etc/passwd');",
        "COPY (SELECT \"pg_read_file\" /* */ ('/etc/passwd')) TO STDOUT;",
        "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$ SELECT PG_READ_FILE/**/('a') $$;",
        "CREATE FUNCTION f() RETURNS text LANGUAGE sql\n"
        "AS $$ SELECT u&\"pg_r\\0065ad_file\"('a') $$;",
        "DO $$ BEGIN EXECUTE 'COPY users TO PROGRAM ''env'''; END $$;",
        "CREATE EXTENSION plpython3u;",
    ),
    passed=("COPY users (id, email) FROM STDIN;", "COPY users TO STDOUT;"),
    step=_check,
    verbs=frozenset(
        {
            *("Copy", "Do", "Select", "Insert", "Update", "Delete", "Merge", "CreateTableAs"),
            *("View", "Call"),
            *("CreateFunction", "CreateExtension", "CreateForeignTable", "CreateForeignServer"),
        }
    ),
    new_tables=True,
    rollback=True,
)
