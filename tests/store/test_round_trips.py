"""What a transaction costs on the way to PostgreSQL and back."""

from __future__ import annotations

from uuid import uuid4

from jupyter_flows.store import open_store

from .postgresql import Server
from .proxy import Proxy
from .test_contract import execution


def test_a_transaction_that_only_writes_waits_for_the_server_once(postgresql_server: Server) -> None:
    url = postgresql_server.url(f"t{uuid4().hex}")
    proxy = Proxy(postgresql_server.port)
    store = open_store(url.replace(str(postgresql_server.port), str(proxy.port)))
    try:
        for number in range(8):  # the driver prepares a statement that comes often
            with store.writing() as transaction:
                transaction.insert_execution(execution(f"first{number}"))
        before = proxy.answers
        for number in range(20):
            with store.writing() as transaction:
                transaction.insert_execution(execution(f"e{number}"))
        # Row, search text, change, announcement and COMMIT: each answered by itself makes 100 and more.
        assert proxy.answers - before < 60
        with store.reading() as transaction:
            assert all(transaction.execution(f"e{number}") for number in range(20))
    finally:
        store.close()
        proxy.close()
