"""Opening a store gives the newest schema, or one clear error that says what to do."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event, inspect

from jupyter_flows.errors import StoreError
from jupyter_flows.model import LogLevel
from jupyter_flows.store import open_store
from jupyter_flows.store.opening import migrate, prepare_schema
from jupyter_flows.store.sql import SqlStore

from .test_contract import NOON, execution, found, put


def plain(index: Any) -> str:
    """Conditions of partial indexes come as objects, which equal only themselves."""
    options = {name: str(value) for name, value in index.pop("dialect_options", {}).items()}
    return f"{sorted(index.items())} {options}"


def schema(url: str) -> dict[str, Any]:
    """All that the database knows of its tables."""
    engine = create_engine(url)
    found = {}
    inspector = inspect(engine)
    for table in sorted(inspector.get_table_names()):
        if table == "alembic_version":
            continue
        found[table] = {
            "columns": [(c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns(table)],
            "key": inspector.get_pk_constraint(table),
            "foreign": inspector.get_foreign_keys(table),
            "unique": sorted(inspector.get_unique_constraints(table), key=lambda one: str(one["name"])),
            "checks": sorted((c["name"], c["sqltext"]) for c in inspector.get_check_constraints(table)),
            "indexes": sorted(map(plain, inspector.get_indexes(table))),
        }
    engine.dispose()
    return found


def test_a_fresh_schema_equals_a_migrated_one(
    url: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    open_store(url).close()
    if url.startswith("sqlite"):
        migrated = f"sqlite:///{tmp_path}/migrated.db"
        fresh = url
    else:
        migrated = request.getfixturevalue("postgresql_server").url(f"m{os.urandom(8).hex()}")
        migrated, fresh = (one.replace("postgresql://", "postgresql+psycopg://") for one in (migrated, url))
    engine = create_engine(migrated)
    with engine.begin() as connection:
        migrate(connection)
    engine.dispose()
    assert schema(migrated) == schema(fresh)
    with engine.begin() as connection:
        prepare_schema(connection, "it")  # finds it as new as can be
    engine.dispose()


def test_what_was_written_is_there_when_it_is_opened_again(url: str) -> None:
    store = open_store(url)
    with store.writing() as transaction:
        transaction.put_chunks({"some-chunk": b"abc"})
    store.close()
    again = open_store(url)
    with again.reading() as transaction:
        assert transaction.read_chunks(["some-chunk"]) == {"some-chunk": b"abc"}
    again.close()
    with pytest.raises(StoreError, match="closed"), again.reading():
        pass


def test_a_plain_path_is_an_sqlite_file(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "new" / "directory" / "store.db"))
    assert store.url == f"sqlite:///{tmp_path}/new/directory/store.db"
    assert store.chunk_directory == f"{tmp_path}/new/directory/store.db.chunks"
    store.close()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://x/y", "cannot be kept in mysql"),
        ("sqlite://", "store in memory"),
        ("://", "not the URL of a store"),
        ("postgresql://flows@127.0.0.1:1/none", "nobody listens there"),
        ("sqlite:////proc/nowhere/store.db", "check that its directory exists"),
    ],
)
def test_a_wrong_url_says_what_to_do(url: str, says: str) -> None:
    with pytest.raises(StoreError, match=says.replace("(", r"\(")):
        open_store(url)


def test_a_newer_schema_is_refused(url: str) -> None:
    open_store(url).close()
    driver = url.replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(driver)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    with pytest.raises(StoreError, match=r"newer version of jupyter_flows.*upgrade"):
        open_store(url)


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "theirs.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE orders (id)")
    with pytest.raises(StoreError, match="a database of its own"):
        open_store(f"sqlite:///{file}")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "notes.db"
    file.write_text("these are notes, and no database at all" * 100)
    with pytest.raises(StoreError, match="name another file"):
        open_store(f"sqlite:///{file}")


def test_a_locked_database_says_who_and_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_flows.store.sql.BUSY_TIMEOUT", 50)
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    holder = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another program keeps it locked"), store.writing():
        pass
    holder.execute("ROLLBACK")
    with store.writing() as transaction:
        transaction.put_chunks({"after-all": b"x"})
    holder.close()
    store.close()


def test_a_full_disk_takes_the_transaction_back(tmp_path: Path) -> None:
    """SQLite's own limit of pages stands for the disk's."""
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    assert isinstance(store, SqlStore)
    limit = "PRAGMA max_page_count=60"
    event.listen(store._engine, "connect", lambda connection, _: connection.execute(limit))
    store._engine.dispose()
    large = {f"chunk-{number}": os.urandom(4000) for number in range(100)}
    with pytest.raises(StoreError, match="free some space") as caught, store.writing() as transaction:
        transaction.put_chunks(large)
    assert caught.value.is_temporary
    with store.writing() as transaction:
        assert transaction.read_chunks(large) == {}
        transaction.put_chunks({"small-one": b"x"})
    store.close()


def test_what_an_older_version_wrote_is_found_after_the_migration(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    store = open_store(url)
    put(store, execution("e1", message="the needle"), execution("e2", message="hay"))
    with store.writing() as transaction:
        transaction.append_log("e2", NOON, LogLevel.INFO, "another needle", {})
    store.close()
    with sqlite3.connect(tmp_path / "store.db") as connection:
        (made,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'search_index'").fetchone()
        assert "columnsize" in made
        # As it was until 0006.
        connection.execute("DROP TABLE search_index")
        connection.execute(made.replace(", columnsize=0", ""))
        connection.execute("UPDATE alembic_version SET version_num = '0006'")
    store = open_store(url)
    assert found(store, "needle") == ["e2", "e1"]
    with store.writing() as transaction:
        transaction.delete_execution("e1")
    put(store, execution("e3", message="a needle more"))
    assert found(store, "needle") == ["e3", "e2"]
    store.close()
    with sqlite3.connect(tmp_path / "store.db") as connection:
        (renewed,) = connection.execute(
            "SELECT sql FROM sqlite_master WHERE name = 'search_index'"
        ).fetchone()
        assert renewed == made
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
