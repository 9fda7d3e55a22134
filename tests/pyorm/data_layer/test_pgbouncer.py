"""Behind PgBouncer in transaction mode, with the settings that the page names."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import ConnectionPool

from pyorm import Database, Model, ModelStatus

from .entities import a_model

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed here")


@pytest.fixture(params=["new", "auto"])
def through(request: pytest.FixtureRequest) -> Iterator[str]:
    """The DSN of a database through a PgBouncer with two connections of the server."""
    name = "new_contract" if request.param == "new" else "old_contract"
    dsn: str = request.getfixturevalue(name)
    told = conninfo_to_dict(dsn)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
    server = f"host={told['host']} port={told.get('port', 5432)} user={told['user']}"
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = {server}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
        f"auth_type = any\npool_mode = transaction\ndefault_pool_size = 2\nunix_socket_dir =\n"
        f"ignore_startup_parameters = extra_float_digits\n"
    )
    account = os.geteuid()
    if account == 0:  # it refuses to run as root; the server's own account may use its socket
        host = str(told["host"])
        account = os.stat(host).st_uid if host.startswith("/") else pwd.getpwnam("nobody").pw_uid
        shutil.chown(folder, account)
    process = subprocess.Popen(
        [str(PGBOUNCER), "-q", str(folder / "pgbouncer.ini")],
        user=account,
        stderr=subprocess.DEVNULL,
    )
    through = make_conninfo(host="127.0.0.1", port=port, user=told["user"], dbname=told["dbname"])
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(through, connect_timeout=5).close()
                break
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    pytest.skip("PgBouncer reaches no server here")
                time.sleep(0.1)
        yield through
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def test_every_call_works_on_whichever_connection_it_meets(
    through: str, request: pytest.FixtureRequest
) -> None:
    contract = request.node.callspec.params["through"]
    options = {"autocommit": True, "prepare_threshold": None}
    failed: list[BaseException] = []
    with ConnectionPool(through, min_size=4, max_size=4, kwargs=options, timeout=60) as pool:
        db = Database(pool, contract=contract)

        def work(number: int) -> None:
            try:
                for turn in range(15):
                    model = db[Model].add(a_model(model_id=f"{number}-{turn}"))
                    assert db[Model].get(model.id) == model
                    db[Model].add_many([a_model(), a_model()])
                    assert len(db[Model].find(status=ModelStatus.ACTIVE, limit=2)) == 2
                    assert sum(1 for _ in db[Model].stream(limit=3)) == 3
                    assert db[Model].scalars(int, "SELECT count(*) FROM {table}")[0] > 2
                    with db.transaction(isolation="repeatable read") as tx:
                        tx[Model].get(model.id, lock="update")
                        tx[Model].update(model.id, description="x")
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert not failed
        assert db[Model].count(description="x") == 60
