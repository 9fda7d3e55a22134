"""Who signed a certificate, and of which commit it is: an edited one lets nothing pass."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from support.migration_files import write_migration
from support.runs import query, run_trueup

from runner.errors import RehearsalError, UsageError
from runner.review import certificate as certificates
from runner.review import signing
from runner.review.approval import approval
from runner.review.certificate import Certificate
from runner.review.commit import Commit, commit_of

KEY = b"a" * 64


def test_an_edited_certificate_is_not_what_was_signed(
    hazardous: Certificate, tmp_path: Path
) -> None:
    path = tmp_path / "certificate.json"
    certificates.write_file(signing.sign(hazardous, KEY), path)
    signing.check(certificates.read_file(path), KEY, str(path))
    assert not hazardous.passed

    forged = replace(certificates.read_file(path), problems=())
    certificates.write_file(forged, path)
    assert certificates.read_file(path).passed  # as anybody can compute the fingerprint again
    with pytest.raises(RehearsalError, match="the signature is not this certificate's"):
        signing.check(certificates.read_file(path), KEY, str(path))

    assert forged.signature is not None
    for changed, reason in (
        (replace(forged, signature=None), "is not signed"),
        (replace(forged, signature=replace(forged.signature, hmac="")), "changed since"),
        (replace(forged, signature=replace(forged.signature, hmac="é\ud800")), "changed since"),
        (replace(forged, signature=replace(forged.signature, by="\ud800")), "changed since"),
        (signing.sign(forged, b"b" * 64), "signed with key [0-9a-f]{12}, expected"),
        (replace(hazardous, signature=replace(forged.signature, by="me@here")), "changed since"),
        (replace(hazardous, commit=Commit("0", "me"), signature=forged.signature), "changed since"),
    ):
        with pytest.raises(RehearsalError, match=reason):
            signing.check(changed, KEY, str(path))


def test_a_certificate_of_other_json_is_refused_by_one_message(hazardous: Certificate) -> None:
    value = certificates.to_json(hazardous)
    odd: tuple[object, ...] = (None, True, -1, 1e400, "x", [], {}, [[]], [None], {"a": []})
    for name in value:
        for other in odd:
            try:
                certificates.from_json({**value, name: other}, "it")
            except RehearsalError as error:
                assert "it" in error.message  # noqa: PT017


def test_a_signature_does_not_tell_the_key(hazardous: Certificate) -> None:
    signed = signing.sign(hazardous, KEY)
    assert signed.signature is not None
    assert signed.signature.key == signing.key_id(KEY)
    assert KEY.decode() not in json.dumps(certificates.to_json(signed))
    assert signed.fingerprint == hazardous.fingerprint


def test_a_key_is_read_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRUEUP_SIGN_KEY", raising=False)
    assert signing.read_key(None) is None
    monkeypatch.setenv("TRUEUP_SIGN_KEY", "b" * 40)
    assert signing.read_key(None) == b"b" * 40
    path = tmp_path / "key"
    path.write_bytes(KEY + b"\n")
    assert signing.read_key(path) == KEY
    path.write_text("\n")
    with pytest.raises(UsageError, match="fewer than 32") as raised:
        signing.read_key(path)
    assert "openssl rand" in raised.value.hint
    with pytest.raises(UsageError, match="cannot be read"):
        signing.read_key(tmp_path / "none")
    # A job that may not see the secret has an empty one: it can sign nothing, and let nothing pass.
    monkeypatch.setenv("TRUEUP_SIGN_KEY", "")
    assert signing.read_key(None) is None
    with pytest.raises(UsageError, match="no signature can be checked"):
        approval(None, [], None, print)


def _git(folder: Path, *arguments: str) -> str:
    author = ("-c", "user.name=Ada\x1b[31m L", "-c", "user.email=ada@example.org")
    done = subprocess.run(
        ["git", "-C", str(folder), *author, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_commit_and_its_author_are_named(tmp_path: Path) -> None:
    assert commit_of(tmp_path) == Commit()
    _git(tmp_path, "init", "--quiet")
    assert commit_of(tmp_path) == Commit()
    write_migration(tmp_path, "0001_a", "SELECT 1;")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "--quiet", "--message", "first")
    head = _git(tmp_path, "rev-parse", "HEAD")
    found = commit_of(tmp_path)
    assert found.id == head
    assert found.author.endswith("<ada@example.org>")
    assert found.author.isprintable()
    write_migration(tmp_path, "0001_a", "SELECT 2;")
    assert commit_of(tmp_path).id == f"{head}+changes"
    assert str(commit_of(tmp_path)).startswith(f"{head[:12]} and changes since, by Ada")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A file that is wrong: its way back loses a table."""
    folder = tmp_path / "migrations"
    write_migration(folder, "0001_drop", "DROP TABLE public.note;")
    return folder


def test_a_forged_certificate_lets_nothing_be_applied(
    tmp_path: Path, files: Path, database: str, server_dsn: str
) -> None:
    query(database, "CREATE TABLE public.note (id int PRIMARY KEY)")
    key, certificate = tmp_path / "key", tmp_path / "certificate.json"
    key.write_bytes(KEY)
    where = ("--sources", str(files))
    signed = run_trueup(
        *("rehearse", *where, "--scratch", server_dsn, "--no-clients", "--rows", "10"),
        *("--output", str(certificate), "--sign-key", str(key), "--json"),
        dsn=database,
    )
    assert signed.returncode == 1
    told = json.loads(signed.stdout)
    assert (told["version"], told["passed"]) == (1, False)
    assert told["signature"]["key"] == signing.key_id(KEY)
    require = ("apply", *where, "--require-rehearsal", str(certificate))
    honest = run_trueup(*require, "--sign-key", str(key), dsn=database)
    assert (honest.returncode, "the rehearsal failed" in honest.stderr) == (1, True)

    forged = replace(certificates.read_file(certificate), problems=())
    certificates.write_file(forged, certificate)
    refused = run_trueup(*require, dsn=database, TRUEUP_SIGN_KEY=KEY.decode())
    assert refused.returncode == 1
    assert "the signature is not this certificate's" in refused.stderr
    assert query(database, "SELECT to_regclass('note')::text") == [("note",)]
    # Without a key there is nothing to check it with, and that is said.
    trusted = run_trueup(*require, dsn=database)
    assert "is taken on trust" in trusted.stderr


def test_a_stored_certificate_of_somebody_else_is_refused(
    files: Path, database: str, server_dsn: str
) -> None:
    name = conninfo_to_dict(database)["dbname"]
    query(server_dsn, "CREATE ROLE trueup_test_mallory LOGIN")
    try:
        query(server_dsn, f'GRANT CREATE ON DATABASE "{name}" TO trueup_test_mallory')
        query(
            make_conninfo(database, user="trueup_test_mallory"),
            "CREATE SCHEMA trueup; CREATE TABLE trueup.rehearsal (fingerprint text,"
            " stored_at timestamptz DEFAULT now(), certificate jsonb);"
            "GRANT ALL ON SCHEMA trueup TO PUBLIC; GRANT ALL ON trueup.rehearsal TO PUBLIC",
        )
        done = run_trueup("apply", "--sources", str(files), "--require-rehearsal", dsn=database)
        assert done.returncode == 1
        assert "trueup" in done.stderr
        assert "trueup_test_mallory" in done.stderr
    finally:
        query(database, "DROP SCHEMA IF EXISTS trueup CASCADE")
        query(server_dsn, f'REVOKE ALL ON DATABASE "{name}" FROM trueup_test_mallory')
        query(server_dsn, "DROP ROLE trueup_test_mallory")


def test_a_key_without_a_certificate_to_check_is_refused(tmp_path: Path, files: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(KEY)
    done = run_trueup("apply", "--sources", str(files), "--sign-key", str(key), dsn="dbname=x")
    assert (done.returncode, "--require-rehearsal" in done.stderr) == (2, True)
