"""Connections to PostgreSQL that were lost, or are no good any more, cost nobody a transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from uuid import uuid4

import psycopg
import pytest

from jupyter_flows.errors import StoreError
from jupyter_flows.store import Store, connections, open_store

from .postgresql import Server
from .test_contract import execution


@pytest.fixture
def store(postgresql_server: Server) -> Iterator[Store]:
    store = open_store(postgresql_server.url(f"t{uuid4().hex}"))
    yield store
    store.close()


@pytest.fixture
def lost_after_commits(monkeypatch: pytest.MonkeyPatch) -> list[connections.Transmission]:
    """Every connection is gone as soon as its transaction is done; those that are."""
    lost: list[connections.Transmission] = []
    commit = connections.Transmission.commit

    def commit_and_lose(transmission: connections.Transmission) -> None:
        commit(transmission)
        lost.append(transmission)
        transmission.driver.pgconn.finish()

    monkeypatch.setattr(connections.Transmission, "commit", commit_and_lose)
    return lost


def insert(store: Store, *ids: str) -> None:
    with ExitStack() as open_together:
        for one in ids:
            open_together.enter_context(store.writing()).insert_execution(execution(one))


def found(store: Store, *ids: str) -> list[str]:
    with store.reading() as transaction:
        return [one for one in ids if transaction.execution(one) is not None]


def test_a_connection_that_is_lost_after_its_commit_is_not_used_again(
    store: Store, lost_after_commits: list[connections.Transmission]
) -> None:
    insert(store, "a")
    insert(store, "b")
    assert len(lost_after_commits) == 2
    assert found(store, "a", "b") == ["a", "b"]


def test_what_is_done_is_not_told_as_failed_when_its_connection_is_lost_and_too_many_are_kept(
    store: Store, lost_after_commits: list[connections.Transmission]
) -> None:
    ids = [f"e{number}" for number in range(connections._KEPT + 3)]
    insert(store, *ids)
    assert len(lost_after_commits) == len(ids)
    assert found(store, *ids) == ids


def test_a_session_from_the_middle_of_a_failover_is_let_go(store: Store) -> None:
    """It stays read-only although its server is not any more."""
    name = store.url.rpartition("/")[2]
    other = store.url.replace(f"/{name}", "/postgres").replace("+psycopg", "")
    insert(store, "before")
    with psycopg.connect(other, autocommit=True) as administration:
        administration.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        administration.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        refused = ""
        while "read-only" not in refused:  # at first it may hear of a connection that was ended
            with pytest.raises(StoreError) as caught:
                insert(store, "meanwhile")
            refused = str(caught.value)
        administration.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = off')
    insert(store, "after")
    assert found(store, "before", "meanwhile", "after") == ["before", "after"]
