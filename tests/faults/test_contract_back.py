"""The rollback of contract while clients of the new contract work, and when it is broken off."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psycopg
import pytest
from bench.clients import acknowledged, clients, write_ids
from support.databases import DatabaseFactory
from support.processes import eventually
from support.runs import applied, query, run_yoyo, start_trueup
from support.variants import ODD, TEXT, Service

from faults.outcome import assert_at_rest
from runner.execute.engine import Settings, rollback

FIRST = "0501_contract_model_close"
FILL = "0515_contract_request_fill"


def by_trueup(service: Service) -> None:
    rollback(
        service.dsn,
        service.migrations("online"),
        to="switch",
        settings=Settings(deadline=60.0),
    )


def by_yoyo(service: Service) -> None:
    """A file that cannot have its lock within 200 ms is run again, as the manual says."""
    for attempt in range(40):
        try:
            run_yoyo("rollback", "--revision", FIRST, *_sources(service), dsn=service.dsn)
        except subprocess.CalledProcessError as error:
            if attempt == 39:
                raise AssertionError(error.stderr) from error
            if "locked" in error.stderr:
                # The run that was killed left it.
                run_yoyo("break-lock", dsn=service.dsn)
            time.sleep(0.2)
        else:
            return


def _sources(service: Service) -> list[str]:
    names = ("legacy", "common", "online", "online/switch", "online/contract")
    return [str(service.folder / name) for name in names]


RUNNERS = pytest.mark.parametrize("roll_back", [by_trueup, by_yoyo])
Rollback = Callable[[Service], None]


@RUNNERS
def test_clients_of_the_new_contract_notice_nothing(
    database_factory: DatabaseFactory, service_folder: Path, tmp_path: Path, roll_back: Rollback
) -> None:
    service = Service(database_factory(partial(TEXT.load, filled=True)), service_folder)
    write_ids(service.dsn, tmp_path)
    service.up("contract")
    before = query(service.dsn, "SELECT sum(daily_tokens_used) FROM public.provider_quota")[0][0]
    with clients("new", service.dsn, tmp_path, rate=40, connections=3) as new:
        time.sleep(1)
        roll_back(service)
        time.sleep(0.5)
    assert len(new.samples) > 20
    assert [f"{s.name}: {s.error}" for s in new.samples if s.error] == []
    counted = query(service.dsn, "SELECT sum(daily_tokens_used) FROM public.provider_quota")
    assert counted == [(before + acknowledged(new.samples),)]
    assert_both_sides_agree(service)
    assert_at_rest(service.dsn)


@pytest.fixture
def contracted(database_factory: DatabaseFactory, service_folder: Path) -> Service:
    """A service at the new contract alone, with more requests than one batch fills."""
    service = Service(database_factory(partial(ODD.load, filled=True)), service_folder)
    query(
        service.dsn,
        "INSERT INTO public.requests (id, request_id, request_type, model_id, provider,"
        " request_data, success, error_message)"
        " SELECT upper(gen_random_uuid()::text), 'many_' || n, 'Chat',"
        " (SELECT min(id) FROM public.models), 'OpenAI', '{}', true, repeat('x', 600)"
        " FROM generate_series(1, 4000) AS n",
    )
    service.up("contract")
    return service


@pytest.fixture
def spellings(contracted: Service) -> dict[str, list[str]]:
    return {
        key: spelled
        for key, *spelled in query(
            contracted.dsn,
            "SELECT request_id, r.id__old, r.provider__old FROM public.request"
            " JOIN trueup.request_reversal AS r USING (id)",
        )
    }


@RUNNERS
def test_a_backfill_that_is_broken_off_is_taken_up(
    contracted: Service, spellings: dict[str, list[str]], roll_back: Rollback
) -> None:
    service, dsn = contracted, contracted.dsn
    where = ("--service", str(service.folder), "--to", "switch")
    service.down("online", to=FILL)
    with psycopg.connect(dsn) as holder:
        # The last pages wait for this client.
        holder.execute("SELECT FROM public.request ORDER BY ctid DESC LIMIT 1 FOR UPDATE")
        with start_trueup("rollback", *where, dsn=dsn) as process:
            eventually(lambda: process.poll() is not None or _is_underway(dsn))
            assert process.poll() is None, process.communicate(timeout=60)
            process.kill()
            process.communicate(timeout=60)
    assert applied(dsn)[-1] == FILL
    assert _unfilled(dsn) > 0
    with psycopg.connect(dsn, autocommit=True) as client:
        # Moves rows to pages that are filled already, or behind the last one.
        client.execute(
            "UPDATE public.request SET error_message = repeat('y', 900), provider = 'OLLAMA'"
            " WHERE request_id LIKE 'many_3_9_'"
        )
        client.execute("DELETE FROM public.request WHERE request_id LIKE 'many_3_8_'")
    roll_back(service)
    assert _unfilled(dsn) == 0
    assert_both_sides_agree(service)
    found = query(dsn, "SELECT request_id, id__old, provider__old FROM public.request")
    for key, *spelled in found:
        if key in spellings:
            changed = key.startswith("many_3") and key[7:8] == "9" and len(key) == 9
            assert spelled[0] == spellings[key][0]
            assert spelled[1] == ("ollama" if changed else spellings[key][1]), key
    service.down("online")


def _is_underway(dsn: str) -> bool:
    """Whether the rollback has filled some rows and waits for others."""
    columns = query(
        dsn,
        "SELECT 1 FROM pg_attribute WHERE attrelid = 'public.request'::regclass"
        " AND attname = 'id__old' AND NOT attisdropped",
    )
    ((total,),) = query(dsn, "SELECT count(*) FROM public.request")
    return bool(columns) and 0 < _unfilled(dsn) < total


def _unfilled(dsn: str) -> int:
    ((count,),) = query(dsn, "SELECT count(*) FROM public.request WHERE id__old IS NULL")
    assert isinstance(count, int)
    return count


def assert_both_sides_agree(service: Service) -> None:
    """Each row means the same on both sides, and each reference is spelled as its parent."""
    assert query(
        service.dsn,
        "SELECT count(*) FROM public.request AS r JOIN public.model AS m ON m.id = r.model_id"
        " WHERE (r.id, r.provider, r.request_type)"
        " IS DISTINCT FROM (r.id__old::uuid, upper(r.provider__old), upper(r.request_type__old))"
        " OR r.model_id__old <> m.id__old",
    ) == [(0,)]
    assert query(
        service.dsn,
        "SELECT count(*) FROM pg_constraint WHERE contype IN ('c', 'f')"
        " AND NOT convalidated AND connamespace = 'public'::regnamespace",
    ) == [(0,)]
