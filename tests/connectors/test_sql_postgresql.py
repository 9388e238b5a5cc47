"""The connector SQL with a real PostgreSQL: its types, and what it says when it refuses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from jupyter_flows.connectors import ConnectorContext
from jupyter_flows.connectors.sql import SQLConnector
from jupyter_flows.errors import ConnectorError
from tests.store import postgresql

CONTEXT = ConnectorContext(execution_id="e1", idempotency_key="k1", directory="/")


@pytest.fixture(scope="module")
def server() -> Iterator[postgresql.Server]:
    try:
        with postgresql.server() as server:
            yield server
    except LookupError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture
def url(server: postgresql.Server) -> str:
    return server.url(f"c{uuid4().hex}")


def run(url: str, **inputs: Any) -> dict[str, Any]:
    return SQLConnector().run({"url": url, **inputs}, CONTEXT)


def test_each_type_comes_as_pythons_own_or_as_text(url):
    (row,) = run(
        url,
        fetch="""SELECT 1.50::numeric AS price, true AS is_paid, 'words' AS text, NULL AS nothing,
        '2026-01-02'::date AS day, '2026-01-02 03:04:05+00'::timestamptz AS moment, '90 s'::interval AS span,
        '\\xff00'::bytea AS picture, '{"a": [1]}'::jsonb AS document, ARRAY[1, 2] AS numbers,
        '12345678-1234-5678-1234-567812345678'::uuid AS id, '127.0.0.1'::inet AS address""",
    )["result"]
    assert row == {
        "price": Decimal("1.50"),
        "is_paid": True,
        "text": "words",
        "nothing": None,
        "day": date(2026, 1, 2),
        "moment": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "span": timedelta(seconds=90),
        "picture": b"\xff\x00",
        "document": {"a": [1]},
        "numbers": [1, 2],
        "id": UUID("12345678-1234-5678-1234-567812345678"),
        "address": "127.0.0.1",
    }
    assert type(row["address"]) is str


def test_parameters_and_a_transaction(url):
    run(url, execute=["CREATE TABLE orders (id serial, region text)"])
    many = [{"region": "north"}, {"region": "south"}]
    assert run(url, execute="INSERT INTO orders (region) VALUES (:region)", parameters=many)["rowcount"] == 2
    with pytest.raises(ConnectorError, match='relation "nowhere" does not exist'):
        run(url, execute=["DELETE FROM orders", "DELETE FROM nowhere"])
    found = run(url, fetch="SELECT region FROM orders WHERE id = CAST(:id AS int)", parameters={"id": 2})
    assert found["result"] == [{"region": "south"}]


def test_a_server_that_refuses(url):
    with pytest.raises(ConnectorError, match=r'database ".*_none" does not exist') as caught:
        run(f"{url.replace('flows@', 'flows:s3cret@')}_none", fetch="SELECT 1")
    assert "s3cret" not in caught.value.message
