"""Opening a store: from its URL to a database with the newest schema, or one clear error."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from ..errors import StoreError
from . import search
from .chunk_files import ChunkFiles
from .failures import explained
from .port import Store
from .sql import SqlStore, prepare_sqlite
from .tables import HEAD, metadata
from .watching import PostgresqlWatch, SqliteWatch

_MIGRATIONS = Path(__file__).with_name("migrations")
_HOW = "give sqlite:///PATH or postgresql://USER@HOST/DATABASE"
# A server whose machine has vanished says nothing: without these a worker would wait for it for hours.
_LOST_NETWORK = {
    "connect_timeout": 10,  # seconds
    "keepalives_idle": 10,  # seconds of silence before it is asked, every so many seconds, so many times
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # milliseconds until what was sent must be acknowledged
}
# Two processes that open a fresh PostgreSQL database at once make the tables one after the other.
_SCHEMA_LOCK = 7_304_118


def open_store(url: str) -> Store:
    """Open the store at `url`, which is ``sqlite:///PATH`` (or a plain path) or ``postgresql://…``.

    Makes the schema, or migrates it. Raises StoreError, with what to do, when it cannot be opened or
    written, or when it is of a newer version of jupyter_flows.
    """
    parsed = _parsed(url)
    shown = parsed.render_as_string(hide_password=True)
    try:
        engine = _engine(parsed)
        if not _is_newest(engine):
            with engine.begin() as connection:
                prepare_schema(connection, shown)
    except SQLAlchemyError as error:
        file = parsed.database if parsed.get_backend_name() == "sqlite" else None
        raise explained(error, f"cannot open the store {shown}", file) from error
    except OSError as error:
        raise StoreError(
            f"cannot open the store {shown}: {error.strerror or error}; check that its directory exists "
            "and that you may write there"
        ) from error
    if engine.dialect.name == "sqlite":
        path = Path(str(parsed.database))
        return SqlStore(
            engine, shown, ChunkFiles(path.with_name(path.name + ".chunks")), SqliteWatch(str(path))
        )
    return SqlStore(engine, shown, None, PostgresqlWatch(engine))


def _parsed(url: str) -> URL:
    if "://" not in url:
        url = "sqlite:///" + os.path.abspath(url)
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreError(f"{url!r} is not the URL of a store: {_HOW}") from error
    name = parsed.get_backend_name()
    if name in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if name != "sqlite":
        raise StoreError(f"a store cannot be kept in {name}: {_HOW}")
    if not parsed.database or parsed.database == ":memory:":
        raise StoreError(f"a store in memory would lose everything at its end: {_HOW}")
    return parsed.set(drivername="sqlite", database=os.path.abspath(parsed.database))


def _engine(parsed: URL) -> Engine:
    try:
        if parsed.get_backend_name() == "sqlite":
            Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
            engine = create_engine(
                parsed, pool_size=8, max_overflow=56, connect_args={"check_same_thread": False}
            )
            prepare_sqlite(engine)
            return engine
        return create_engine(
            parsed, pool_size=8, max_overflow=24, pool_pre_ping=True, connect_args=_LOST_NETWORK
        )
    except NoSuchModuleError as error:
        raise StoreError(f"no driver for {parsed.drivername}: {_HOW}") from error
    except ModuleNotFoundError as error:
        raise StoreError(
            f"the driver {error.name} is missing: install it with `pip install jupyter-flows[postgresql]`"
        ) from error


def prepare_schema(connection: Connection, shown: str) -> None:
    """Make the tables in an empty database, or bring older ones to this version's schema."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_SCHEMA_LOCK})"))
    version = _version(connection)
    if version == HEAD:
        return
    if version is None:
        if inspect(connection).get_table_names():
            raise StoreError(
                f"{shown} has tables of something else and none of ours: give the store a database of its own"
            )
        metadata.create_all(connection)
        search.make_index(connection)
        connection.execute(
            text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        )
        connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})
        return
    if not any((_MIGRATIONS / "versions").glob(f"{version}_*.py")):
        raise StoreError(
            f"{shown} was written by a newer version of jupyter_flows (schema {version}, this one knows "
            f"{HEAD}): upgrade with `pip install -U jupyter-flows`, or name another store"
        )
    migrate(connection)


def migrate(connection: Connection) -> None:
    """Run the migrations that the database has not seen, in the transaction of `connection`."""
    # Imported where needed: most openings find the newest schema, and alembic takes time to import.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _is_newest(engine: Engine) -> bool:
    """Looked at without the right to write: somebody may be writing for long."""
    with engine.connect() as fresh:
        connection = fresh.execution_options(is_reading=True)
        with connection.begin():
            return _version(connection) == HEAD


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if version is None else str(version)
