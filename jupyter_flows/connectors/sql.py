"""The connector SQL: any database that SQLAlchemy has a driver for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus
from uuid import UUID

import msgspec
import sqlalchemy
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from ..errors import ConnectorError, ExtraInputError, InvalidInputError, MissingInputError
from .connector import ConnectorContext, decode_inputs

_SECRET = re.compile("passw|pwd|secret|token|key", re.IGNORECASE)
# What an output can hold as it is.
_KEPT = (type(None), bool, int, float, str, bytes, datetime, date, time, timedelta, Decimal, UUID)


class SQLInputs(msgspec.Struct, frozen=True, kw_only=True):
    """What `connect(connector_type='SQL', …)` takes.

    `url` is SQLAlchemy's ("sqlite:///shop.db", "postgresql://user:password@host/name"); a relative path of
    an SQLite file starts from the flow's directory. Either `fetch`, a query, or `execute`, one statement
    or a list of them. `parameters` fill ``:name`` in the text; a list of them executes it once for each.
    """

    url: str
    fetch: str | None = None
    execute: str | list[str] | None = None
    parameters: dict[str, Any] | list[dict[str, Any]] | None = None


class SQLConnector:
    """Runs statements in one transaction, which is committed when all went well.

    Outputs: `result`, a list of rows as dicts; `columns`, their names in order; `rowcount`, the number of
    rows that were fetched or changed.
    """

    def run(self, inputs: Mapping[str, Any], context: ConnectorContext) -> dict[str, Any]:
        given = decode_inputs(inputs, SQLInputs, "SQL")
        statements = _statements(given)
        url = _url(given, Path(context.directory))
        outputs: dict[str, Any] = {"result": [], "columns": [], "rowcount": 0}
        with _errors(url), _connected(url) as connection:
            for statement in statements:
                # `None`, not {}: an empty dict would make a driver look for placeholders.
                answer = connection.execute(sqlalchemy.text(statement), given.parameters or None)
                rowcount = outputs["rowcount"]
                if answer.returns_rows:
                    columns = _distinct(list(answer.keys()))
                    rows = [dict(zip(columns, map(_kept, row), strict=True)) for row in answer]
                    outputs = {"result": rows, "columns": columns, "rowcount": rowcount + len(rows)}
                else:
                    outputs["rowcount"] = rowcount + max(answer.rowcount, 0)
        return outputs


def _statements(given: SQLInputs) -> list[str]:
    if given.fetch is not None and given.execute is not None:
        raise ExtraInputError("The connector SQL takes either fetch or execute, not both.")
    if given.fetch is None and given.execute is None:
        raise MissingInputError("The connector SQL needs fetch='SELECT …' or execute='INSERT …'.")
    asked = given.fetch if given.fetch is not None else given.execute
    statements = [asked] if isinstance(asked, str) else list(asked or ())
    if not statements or not all(statement.strip() for statement in statements):
        raise InvalidInputError("The connector SQL was given an empty statement.")
    return statements


def _url(given: SQLInputs, directory: Path) -> URL:
    try:
        url = make_url(given.url)
    except (ArgumentError, ValueError):
        # The text is not shown: it may hold a password.
        raise InvalidInputError(
            "The url is not one of a database. Write it like sqlite:///shop.db or "
            "postgresql://user:password@host/name."
        ) from None
    if url.drivername == "postgresql" and find_spec("psycopg"):
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() != "sqlite":
        return url
    database = url.database
    if not database or database == ":memory:" or database.startswith("file:"):
        return url
    path = directory / database
    if given.fetch is not None and not path.is_file():
        # SQLite would make an empty file and then miss the table in it.
        raise ConnectorError(
            f"There is no SQLite database {path}. A relative path starts from the "
            f"flow's directory, {directory}."
        )
    return url.set(database=str(path))


@contextmanager
def _connected(url: URL) -> Iterator[sqlalchemy.Connection]:
    engine = sqlalchemy.create_engine(url, poolclass=NullPool, hide_parameters=True)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def _errors(url: URL) -> Iterator[None]:
    """What a database or its driver raises as an error of ours, without its password."""
    shown = url.set(query={}).render_as_string(hide_password=True)
    try:
        yield
    except NoSuchModuleError:
        raise InvalidInputError(f"SQLAlchemy knows no database {url.drivername} (url {shown}).") from None
    except ModuleNotFoundError as error:
        raise InvalidInputError(
            f"The url {shown} needs the Python package {error.name}: install it where the worker runs."
        ) from None
    except DBAPIError as error:
        statement = f" The statement was: {error.statement}" if error.statement else ""
        raise ConnectorError(_without_password(f"{shown}: {error.orig}.{statement}", url)) from None
    except SQLAlchemyError as error:
        raise ConnectorError(_without_password(f"{shown}: {error}", url)) from None
    except (TypeError, ValueError, OSError) as error:
        message = f"{shown}: {type(error).__name__}: {error}"
        raise ConnectorError(_without_password(message, url)) from None


def _without_password(text: str, url: URL) -> str:
    secrets = [str(url.password or "")]
    for name, value in url.query.items():
        if _SECRET.search(name):
            secrets += [value] if isinstance(value, str) else value
    for secret in filter(None, secrets):
        for written in (secret, quote(secret, safe=""), quote_plus(secret)):
            text = text.replace(written, "***")
    return text


def _distinct(names: Sequence[str]) -> list[str]:
    """Column names that do not hide one another in a dict: a, a_2 for two columns called a."""
    found: list[str] = []
    for name in names:
        number, distinct = 1, name
        while distinct in found or (number > 1 and distinct in names):
            number += 1
            distinct = f"{name}_{number}"
        found.append(distinct)
    return found


def _kept(value: Any) -> Any:
    """A column's value as one that an output can hold: a driver's own types become their text."""
    if isinstance(value, _KEPT):
        return value
    if isinstance(value, memoryview | bytearray):
        return bytes(value)
    if isinstance(value, list | tuple):
        return [_kept(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _kept(item) for key, item in value.items()}
    return str(value)
