"""Databases, HTTP clients, figures and widgets: rebuilt from what they were made with.

None of these libraries is imported here: their reducers are found by name when such an object turns up.
"""

from __future__ import annotations

import sys
from typing import Any

from ..pickling import PROTOCOL, Saving
from ..registry import builtin


@builtin("sqlite3.Connection")
def _reduce_sqlite_connection(connection: Any, _: Saving) -> Any:
    if connection.in_transaction:
        raise TypeError("a sqlite3 connection in a transaction cannot be kept: commit or roll back first")
    (path,) = (row[2] for row in connection.execute("PRAGMA database_list") if row[1] == "main")
    content = None if path else connection.serialize()
    facts = (connection.isolation_level, connection.row_factory)
    return _connect_sqlite, (path or ":memory:", content, *facts)


def _connect_sqlite(path: str, content: bytes | None, isolation_level: Any, row_factory: Any) -> Any:
    import os
    import sqlite3

    from ...errors import SavepointError

    if content is None and not os.path.exists(path):
        raise SavepointError(f"the database {path} is not there any more")
    connection = sqlite3.connect(path, isolation_level=isolation_level)
    if content is not None:
        connection.deserialize(content)
    connection.row_factory = row_factory
    return connection


@builtin("sqlalchemy.engine.base.Engine")
def _reduce_engine(engine: Any, _: Saving) -> Any:
    url = engine.url.render_as_string(hide_password=False)
    if engine.url.get_backend_name() == "sqlite" and engine.url.database in (None, "", ":memory:"):
        raise TypeError("an SQLite database in memory is gone with its process: use a file")
    return sys.modules["sqlalchemy"].create_engine, (url,), {"echo": engine.echo}, None, None, _set_echo


def _set_echo(engine: Any, state: dict[str, Any]) -> None:
    engine.echo = state["echo"]


@builtin("sqlalchemy.engine.base.Connection")
def _reduce_engine_connection(connection: Any, _: Saving) -> Any:
    if connection.closed or connection.in_transaction():
        raise TypeError("a database connection in a transaction cannot be kept: commit or close it first")
    return _connect, (connection.engine,)


def _connect(engine: Any) -> Any:
    return engine.connect()


@builtin("sqlalchemy.orm.session.Session")
def _reduce_orm_session(session: Any, _: Saving) -> Any:
    if session.new or session.dirty or session.deleted:
        raise TypeError("a Session with unsaved changes cannot be kept: commit first")
    return type(session), (session.bind,)


@builtin("httpx.Client", "httpx.AsyncClient")
def _reduce_http_client(client: Any, _: Saving) -> Any:
    options = {
        "headers": list(client.headers.multi_items()),
        "params": list(client.params.multi_items()),
        "base_url": str(client.base_url),
        "timeout": client.timeout,
        "follow_redirects": client.follow_redirects,
        "trust_env": client.trust_env,
    }
    cookies = [(cookie.name, cookie.value, cookie.domain, cookie.path) for cookie in client.cookies.jar]
    return _make_http_client, (type(client), options, client.auth, cookies)


def _make_http_client(cls: Any, options: dict[str, Any], auth: Any, cookies: list[Any]) -> Any:
    client = cls(auth=auth, **options)
    for name, value, domain, path in cookies:
        client.cookies.set(name, value, domain, path)
    return client


@builtin("matplotlib.cbook.CallbackRegistry")
def _reduce_callbacks(callbacks: Any, _: Saving) -> Any:
    # Its __getstate__ draws a number from a counter of the living figure: the counter is put back.
    generator = callbacks._cid_gen
    number = int(repr(generator).removeprefix("count(").removesuffix(")"))
    reduced = callbacks.__reduce_ex__(PROTOCOL)
    callbacks._cid_gen = type(generator)(number)
    return reduced


@builtin("matplotlib.figure.Figure")
def _reduce_figure(figure: Any, _: Saving) -> Any:
    reduced = figure.__reduce_ex__(PROTOCOL)
    state = reduced[2]
    if isinstance(state, dict):  # no window is opened again for a figure of pyplot
        state = {**state, "_restore_to_pylab": False}
    return (*reduced[:2], state, *reduced[3:])


@builtin("ipywidgets.widgets.widget.Widget", subclasses=True)
def _reduce_widget(widget: Any, _: Saving) -> Any:
    values = {
        name: getattr(widget, name)
        for name in widget.keys  # the traits that its view shows
        if not name.startswith("_") and widget.has_trait(name)
    }
    if "children" in values:
        values["children"] = tuple(values["children"])
    return _make_bare_widget, (type(widget),), values, None, None, _set_widget


def _make_bare_widget(cls: Any) -> Any:
    return cls()


def _set_widget(widget: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        try:
            setattr(widget, name, value)
        except Exception:
            continue
