"""Search: which executions say a text, in their name, flow, message, inputs or log, or have an id that begins
so; newest first.

The text may stand anywhere in a word, so that words are no help: both databases index three letters at a
time. A page must cost the same whether one execution of a million says it or all of them do, which an index
alone does not give: it finds all, and sorts them. Three things bring it about:

- Where the other conditions leave few executions, those are looked through, without the index.
- SQLite has one FTS5 table without content. Its row number is the execution's number in `searchable` and,
  below, that of the log line, so that it walks down from the newest and stops when the page is full. Only the
  word of the text that looks rarest is asked of it, since it reads the list of each three letters, and some
  stand everywhere; the whole text is compared afterwards. Triggers keep it.
- PostgreSQL has trigram indexes on `searchable` and `log` if the extension pg_trgm can be had; each of the
  two is read in the order of executions and stops early. Which way is cheaper is its planner's to say.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, bindparam, delete, insert, select, text, true, update
from sqlalchemy.exc import SQLAlchemyError

from ..model import Execution
from ..model.showing import masked
from .hot import Hot
from .tables import executions, log, searchable

#: Characters of an execution that are searched.
_LONGEST = 4000
_LEAST = 3  # characters that an index can find

_SQLITE = (
    # How long each text is would be kept for ranking by relevance, which nobody asks for.
    "CREATE VIRTUAL TABLE search_index USING fts5(text, content='', columnsize=0, tokenize='trigram')",
    "CREATE TRIGGER searchable_is_new AFTER INSERT ON searchable BEGIN "
    "INSERT INTO search_index(rowid, text) VALUES (new.number << 32, new.text); END",
    "CREATE TRIGGER searchable_is_changed AFTER UPDATE OF text ON searchable BEGIN "
    "INSERT INTO search_index(search_index, rowid, text) VALUES ('delete', old.number << 32, old.text); "
    "INSERT INTO search_index(rowid, text) VALUES (new.number << 32, new.text); END",
    "CREATE TRIGGER searchable_is_gone AFTER DELETE ON searchable BEGIN "
    "INSERT INTO search_index(search_index, rowid, text) VALUES ('delete', old.number << 32, old.text); END",
    "CREATE TRIGGER log_is_new AFTER INSERT ON log BEGIN INSERT INTO search_index(rowid, text) "
    "SELECT (number << 32) | (new.number & 4294967295), new.text FROM searchable "
    "WHERE execution_id = new.execution_id; END",
    "CREATE TRIGGER log_is_gone AFTER DELETE ON log BEGIN "
    "INSERT INTO search_index(search_index, rowid, text) "
    "SELECT 'delete', (number << 32) | (old.number & 4294967295), old.text FROM searchable "
    "WHERE execution_id = old.execution_id; END",
)
_TRIGGERS = ("searchable_is_new", "searchable_is_changed", "searchable_is_gone", "log_is_new", "log_is_gone")
_POSTGRESQL = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE INDEX ix_searchable_text ON searchable USING gin (text gin_trgm_ops)",
    "CREATE INDEX ix_log_text ON log USING gin (text gin_trgm_ops)",
)
_INDEX_LOG = (
    "INSERT INTO search_index(rowid, text) SELECT (searchable.number << 32) | "
    "(log.number & 4294967295), log.text FROM log JOIN searchable USING (execution_id)"
)
# CROSS JOIN: in this order, so that the newest are looked at first and the rest not at all.
_FOUND = """
    SELECT executions.id FROM search_index
    CROSS JOIN searchable ON searchable.number = search_index.rowid >> 32
    CROSS JOIN executions ON executions.id = searchable.execution_id
    WHERE search_index MATCH ? AND search_index.rowid < ? AND {conditions}
    AND CASE search_index.rowid & 4294967295 WHEN 0 THEN searchable.text LIKE ? ESCAPE '/'
    ELSE (SELECT log.text FROM log WHERE log.number = search_index.rowid & 4294967295) LIKE ? ESCAPE '/' END
    ORDER BY search_index.rowid DESC"""
_OF_IDS = re.compile("[0-9a-z]+")
_AFTER_ALL = "{"  # the character after "z"
#: So many executions are looked through without the index.
_FEW = 1000

_insert = Hot(insert(searchable).inline())
_update = Hot(update(searchable).where(searchable.c.execution_id == bindparam("own_id")))
_number = Hot(select(searchable.c.number).where(searchable.c.execution_id == bindparam("own_id")))
_forget_log = Hot(delete(log).where(log.c.execution_id == bindparam("own_id")))
_forget = Hot(delete(searchable).where(searchable.c.execution_id == bindparam("own_id")))


def make_index(connection: Connection) -> None:
    """Part of making the schema. What cannot be made is done without: then a search takes longer."""
    if connection.dialect.name == "sqlite":
        for statement in _SQLITE:
            connection.execute(text(statement))
        return
    with (
        contextlib.suppress(SQLAlchemyError),
        connection.begin_nested(),
    ):  # the right to have it may be missing
        for statement in _POSTGRESQL:
            connection.execute(text(statement))


def fill(connection: Connection) -> None:
    """Make older executions searchable, but for their inputs."""
    connection.execute(
        text(
            "INSERT INTO searchable (execution_id, text) SELECT id, id || ' ' || name || ' ' || "
            "coalesce(flow, '') || ' ' || coalesce(message, '') FROM executions ORDER BY id"
        )
    )
    if connection.dialect.name == "sqlite":
        connection.execute(text(_INDEX_LOG))


def renew_index(connection: Connection) -> None:
    """Make SQLite's index again from the texts that it was made of."""
    for trigger in _TRIGGERS:
        connection.execute(text(f"DROP TRIGGER IF EXISTS {trigger}"))
    connection.execute(text("DROP TABLE search_index"))
    make_index(connection)
    connection.execute(
        text(
            "INSERT INTO search_index(rowid, text) SELECT number << 32, text FROM searchable ORDER BY number"
        )
    )
    connection.execute(text(_INDEX_LOG))


def is_indexed(wanted: str) -> bool:
    return len(wanted) >= _LEAST


def add(connection: Connection, execution: Execution) -> None:
    _insert.run(connection, {"execution_id": execution.id, "text": _about(execution)})


def change(connection: Connection, old: Execution | None, new: Execution) -> None:
    if old is not None and _said(old) == _said(new):
        return
    about = _about(new)
    if old is None or _about(old) != about:  # no message and an empty one say the same
        _update.run(connection, {"text": about, "own_id": new.id})


def forget(connection: Connection, execution_id: str) -> None:
    """Before it is deleted: the log first, whose place in the index is found by the execution's."""
    _forget_log.run(connection, {"own_id": execution_id})
    _forget.run(connection, {"own_id": execution_id})


def find(
    connection: Connection, wanted: str, conditions: Iterable[Any], cursor: str | None, limit: int
) -> list[str]:
    """Ids of executions that say `wanted` and fulfil `conditions`, newest first, after `cursor`."""
    listed = list(conditions)
    if listed and (few := _few(connection, listed, cursor)) is not None:
        return _saying(connection, wanted, few)[:limit]
    named = _named(connection, wanted.lower(), listed, cursor, limit)
    look = _find_in_sqlite if connection.dialect.name == "sqlite" else _find_in_postgresql
    found = look(connection, wanted, listed, cursor, limit)
    return found if not named else sorted({*found, *named}, reverse=True)[:limit]


def _named(
    connection: Connection, wanted: str, conditions: list[Any], cursor: str | None, limit: int
) -> list[str]:
    """Those whose id begins so, newest first. In the index of texts the letters of ids, which all differ,
    would take more room than all else that an execution has there."""
    if not _OF_IDS.fullmatch(wanted):
        return []
    column = executions.c.id
    statement = select(column).where(column >= wanted, column < wanted + _AFTER_ALL, *conditions)
    if cursor is not None:
        statement = statement.where(column < cursor)
    return list(connection.execute(statement.order_by(column.desc()).limit(limit)).scalars())


def _few(connection: Connection, conditions: list[Any], cursor: str | None) -> list[str] | None:
    """The executions that fulfil the conditions; None when they are many."""
    statement = select(executions.c.id).where(*conditions).order_by(executions.c.id.desc()).limit(_FEW + 1)
    if cursor is not None:
        statement = statement.where(executions.c.id < cursor)
    found = list(connection.execute(statement).scalars())
    return found if len(found) <= _FEW else None


def _saying(connection: Connection, wanted: str, ids: list[str]) -> list[str]:
    """Those that say it, newest first."""
    found: set[str] = set()
    for table in (searchable, log):
        says = table.c.text.icontains(wanted, autoescape=True)
        statement = select(table.c.execution_id).where(table.c.execution_id.in_(ids), says).distinct()
        found.update(connection.execute(statement).scalars())
    return [one for one in ids if one in found or one.startswith(wanted.lower())]


def _find_in_sqlite(
    connection: Connection, wanted: str, conditions: list[Any], cursor: str | None, limit: int
) -> list[str]:
    before = 2**63 - 1
    if cursor is not None and (row := _number.row(connection, {"own_id": cursor})) is not None:
        before = row["number"] << 32
    rest: Any = and_(true(), *conditions).compile(dialect=connection.dialect)
    values = [rest.params[name] for name in rest.positiontup or ()]
    like = "%" + re.sub(r"([%_/])", r"/\1", wanted) + "%"
    parameters = [_anchor(wanted), before, *values, like, like]
    cursor_of_driver: Any = connection.connection.cursor()
    try:
        cursor_of_driver.execute(_FOUND.format(conditions=rest), parameters)
        return _first((row[0] for row in cursor_of_driver), limit)
    finally:
        cursor_of_driver.close()


def _anchor(wanted: str) -> str:
    """The part of the text that the index is asked for, as FTS5 writes it: what looks rarest."""
    words = re.findall(r"\w{3,}", wanted)
    rarest = max(words, key=lambda word: (any(map(str.isdigit, word)), len(word)), default=wanted)
    return '"' + rarest.replace('"', '""') + '"'


def _find_in_postgresql(
    connection: Connection, wanted: str, conditions: list[Any], cursor: str | None, limit: int
) -> list[str]:
    ids: set[str] = set()
    for table in (searchable, log):
        statement = (
            select(table.c.execution_id)
            .join(executions, executions.c.id == table.c.execution_id)
            .where(table.c.text.icontains(wanted, autoescape=True), *conditions)
            .order_by(table.c.execution_id.desc())
            .limit(limit)
        )
        if table is log:
            statement = statement.distinct()
        if cursor is not None:
            statement = statement.where(table.c.execution_id < cursor)
        ids.update(connection.execute(statement).scalars())
    return sorted(ids, reverse=True)[:limit]


def _first(ids: Iterator[str], limit: int) -> list[str]:
    """The first `limit` different ids; equal ones stand together."""
    found: list[str] = []
    for one in ids:
        if not found or found[-1] != one:
            if len(found) == limit:
                break
            found.append(one)
    return found


def _said(execution: Execution) -> tuple[Any, ...]:
    return execution.name, execution.message, execution.error, execution.inputs


def _about(execution: Execution) -> str:
    error = f"{execution.error.type}: {execution.error.message}" if execution.error else None
    inputs = masked({name: value.shown() for name, value in execution.inputs.items()})
    written = msgspec.json.encode(inputs).decode() if inputs else None
    flow = execution.flow if execution.flow != execution.name else None
    said = (execution.name, flow, execution.message, error, written)
    return "\n".join(part for part in said if part)[:_LONGEST]
