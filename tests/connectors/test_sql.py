"""The connector SQL with a real database file."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from jupyter_flows.connectors import ConnectorContext
from jupyter_flows.connectors.sql import SQLConnector, _distinct
from jupyter_flows.errors import (
    ConnectorError,
    ExtraInputError,
    InvalidInputError,
    MissingInputError,
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute(
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, region TEXT, price REAL, picture BLOB)"
        )
        database.executemany(
            "INSERT INTO orders (region, price, picture) VALUES (?, ?, ?)",
            [("north", 1.5, b"\xff\x00"), ("south", 2.5, None), ("north", 4.0, None)],
        )
    database.close()
    return tmp_path


@pytest.fixture
def run(directory: Path):
    context = ConnectorContext(execution_id="e1", idempotency_key="k1", directory=str(directory))

    def run(**inputs: Any) -> dict[str, Any]:
        return SQLConnector().run({"url": "sqlite:///shop.db", **inputs}, context)

    return run


def test_rows_come_as_dicts(run):
    outputs = run(fetch="SELECT id, region, picture FROM orders ORDER BY id LIMIT 2")
    assert outputs == {
        "result": [
            {"id": 1, "region": "north", "picture": b"\xff\x00"},
            {"id": 2, "region": "south", "picture": None},
        ],
        "columns": ["id", "region", "picture"],
        "rowcount": 2,
    }


def test_parameters_fill_the_statement(run):
    outputs = run(fetch="SELECT id FROM orders WHERE region = :region", parameters={"region": "north"})
    assert [row["id"] for row in outputs["result"]] == [1, 3]


def test_no_rows_still_have_columns(run):
    assert run(fetch="SELECT id FROM orders WHERE id > 99") == {
        "result": [],
        "columns": ["id"],
        "rowcount": 0,
    }


def test_what_is_executed_is_kept(run):
    assert run(execute="UPDATE orders SET price = 0 WHERE region = 'north'")["rowcount"] == 2
    inserted = run(
        execute="INSERT INTO orders (region) VALUES (:region)", parameters=[{"region": "a"}, {"region": "b"}]
    )
    assert inserted["rowcount"] == 2
    assert run(fetch="SELECT count(*) AS n FROM orders WHERE price = 0 OR region < 'c'")["result"] == [
        {"n": 4}
    ]


def test_returned_rows_are_kept_too(run):
    outputs = run(fetch="INSERT INTO orders (region) VALUES ('west') RETURNING id")
    assert outputs["result"] == [{"id": 4}]
    assert run(fetch="SELECT region FROM orders WHERE id = 4")["result"] == [{"region": "west"}]


def test_several_statements_are_one_transaction(run):
    with pytest.raises(ConnectorError, match="no such table: nowhere"):
        run(execute=["DELETE FROM orders", "DELETE FROM nowhere"])
    assert run(fetch="SELECT count(*) AS n FROM orders")["result"] == [{"n": 3}]
    done = run(execute=["DELETE FROM orders WHERE id = 1", "DELETE FROM orders WHERE id = 2"])
    assert done["rowcount"] == 2


def test_columns_of_the_same_name_hide_none(run):
    outputs = run(fetch="SELECT a.id, b.id FROM orders a, orders b WHERE a.id = 1 AND b.id = 2")
    assert outputs["result"] == [{"id": 1, "id_2": 2}]
    assert _distinct(["a", "a", "a_2"]) == ["a", "a_3", "a_2"]


def test_an_absolute_path_and_memory(run, tmp_path_factory):
    other = tmp_path_factory.mktemp("other") / "new.db"
    run(url=f"sqlite:///{other}", execute="CREATE TABLE t (x)")
    assert other.is_file()
    assert run(url="sqlite://", fetch="SELECT 1 AS one")["result"] == [{"one": 1}]


def test_a_missing_database_is_an_error_and_is_not_made(run, directory):
    with pytest.raises(ConnectorError, match=f"no SQLite database {directory}/none.db"):
        run(url="sqlite:///none.db", fetch="SELECT 1")
    assert not (directory / "none.db").exists()


def test_a_file_that_is_no_database(run, directory):
    (directory / "text.db").write_text("some words, long enough to be looked at" * 100)
    with pytest.raises(ConnectorError, match="not a database"):
        run(url="sqlite:///text.db", fetch="SELECT * FROM t")


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        ({}, MissingInputError, "fetch='SELECT"),
        ({"fetch": "SELECT 1", "execute": "SELECT 1"}, ExtraInputError, "not both"),
        ({"fetch": " "}, InvalidInputError, "empty statement"),
        ({"execute": []}, InvalidInputError, "empty statement"),
        ({"fetch": "SELECT 1", "fetched": 1}, ExtraInputError, r"fetched.*url \(required\), fetch"),
        ({"url": None, "fetch": "SELECT 1"}, MissingInputError, "url"),
        ({"url": "no url", "fetch": "SELECT 1"}, InvalidInputError, "not one of a database"),
        ({"url": "oops://host/db", "fetch": "SELECT 1"}, InvalidInputError, "no database oops"),
        ({"url": "oracle://h/db", "fetch": "SELECT 1"}, InvalidInputError, "needs the Python package"),
        ({"fetch": "SELECT :a"}, ConnectorError, "value is required for bind parameter 'a'"),
        ({"fetch": "SELEKT"}, ConnectorError, "syntax error"),
        ({"fetch": 5}, InvalidInputError, r"\$\.fetch"),
    ],
)
def test_bad_inputs(run, inputs, error, message):
    with pytest.raises(error, match=message):
        run(**inputs)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3cr%2Ft@127.0.0.1:1/db",
        "postgresql://127.0.0.1:1/db?user=me&password=s3cr%2Ft",
        "oracle://me:s3cr%2Ft@127.0.0.1:1/db",
        "oops://me:s3cr%2Ft@127.0.0.1:1/db",
        "postgresql://me:s3cr%2Ft@127.0.0.1:port/db",
    ],
)
def test_no_error_shows_a_password(run, url):
    with pytest.raises((ConnectorError, InvalidInputError)) as caught:
        run(url=url, fetch="SELECT 1")
    assert "s3cr" not in caught.value.message
    assert caught.value.__cause__ is None
