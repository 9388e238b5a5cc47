"""Databases, HTTP clients, figures and widgets: rebuilt from what they were made with.

None of these libraries is imported here: their reducers are found by name when such an object turns up.
"""

from __future__ import annotations

import importlib
from typing import Any

from ..pickling import PROTOCOL, Saving
from ..references import is_importable
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


@builtin("sqlite3.Cursor")
def _reduce_sqlite_cursor(cursor: Any, _: Saving) -> Any:
    if cursor.description is not None:
        raise TypeError("a cursor with rows to fetch cannot be kept: fetch them, and make a new cursor")
    return _make_sqlite_cursor, (cursor.connection, cursor.arraysize, cursor.row_factory)


def _make_sqlite_cursor(connection: Any, size: int, row_factory: Any) -> Any:
    cursor = connection.cursor()
    cursor.arraysize, cursor.row_factory = size, row_factory
    return cursor


@builtin("sqlite3.Row")
def _reduce_sqlite_row(row: Any, _: Saving) -> Any:
    return _make_sqlite_row, (tuple(row.keys()), tuple(row))


def _make_sqlite_row(names: tuple[str, ...], values: tuple[Any, ...]) -> Any:
    import sqlite3

    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    connection = sqlite3.connect(":memory:")
    try:
        cursor = connection.execute("select " + ", ".join(f"null as {name}" for name in quoted))
        return sqlite3.Row(cursor, values)
    finally:
        connection.close()


@builtin("sqlalchemy.engine.base.Engine")
def _reduce_engine(engine: Any, _: Saving) -> Any:
    url = engine.url.render_as_string(hide_password=False)
    if engine.url.get_backend_name() == "sqlite" and engine.url.database in (None, "", ":memory:"):
        raise TypeError("an SQLite database in memory is gone with its process: use a file")
    execution_options = dict(engine.get_execution_options())
    state = {"echo": engine.echo, "execution_options": execution_options}
    return _make_engine, (url, _options_of_engine(engine)), state, None, None, _set_engine


#: What create_engine() takes of its pool, and where the pool keeps it.
_POOL = {
    "pool_size": ("_pool", "maxsize"),
    "max_overflow": ("_max_overflow",),
    "pool_timeout": ("_timeout",),
    "pool_recycle": ("_recycle",),
    "pool_pre_ping": ("_pre_ping",),
}


def _options_of_engine(engine: Any) -> dict[str, Any]:
    pool = engine.pool
    options: dict[str, Any] = {"poolclass": type(pool)}
    for name, places in _POOL.items():
        found: Any = pool
        for place in places:
            found = getattr(found, place, None)
        if found is not None and (
            name not in ("pool_size", "max_overflow", "pool_timeout") or places[0] in vars(pool)
        ):
            options[name] = found
    level = getattr(engine.dialect, "_on_connect_isolation_level", None)
    if level is not None:
        options["isolation_level"] = level
    options["connect_args"] = _connect_arguments(engine)
    return options


def _connect_arguments(engine: Any) -> dict[str, Any]:
    """The connect_args that differ from what the URL says; a `creator` of one's own cannot be kept."""
    creator = engine.pool._creator
    cells = dict(zip(creator.__code__.co_freevars, creator.__closure__ or (), strict=True))
    if "cparams" not in cells:
        raise TypeError("an engine with a `creator` of its own cannot be kept: make it again")
    _, of_url = engine.dialect.create_connect_args(engine.url)
    given: dict[str, Any] = cells["cparams"].cell_contents
    return {name: value for name, value in given.items() if name not in of_url or of_url[name] != value}


def _make_engine(url: str, options: dict[str, Any]) -> Any:
    return importlib.import_module("sqlalchemy").create_engine(url, **options)


def _set_engine(engine: Any, state: dict[str, Any]) -> None:
    engine.echo = state["echo"]
    engine.update_execution_options(**state["execution_options"])


def _set_echo(engine: Any, state: dict[str, Any]) -> None:
    """For savepoints of before."""
    engine.echo = state["echo"]


@builtin("sqlalchemy.orm.decl_api.DeclarativeAttributeIntercept", "sqlalchemy.orm.decl_api.DeclarativeMeta")
def _reduce_mapped_class(cls: Any, _: Saving) -> Any:
    if is_importable(cls):
        return NotImplemented
    raise TypeError(
        "a mapped class of SQLAlchemy that is defined in the flow cannot be kept: put it into a module and "
        "import it"
    )


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
        "max_redirects": client.max_redirects,
        "trust_env": client.trust_env,
        "event_hooks": client.event_hooks,
        "transport": client._transport,
    }
    cookies = [(cookie.name, cookie.value, cookie.domain, cookie.path) for cookie in client.cookies.jar]
    mounts = {pattern.pattern: transport for pattern, transport in client._mounts.items()}
    facts = (client.is_closed, mounts)
    return _make_http_client, (type(client), options, client.auth, cookies, facts)


def _make_http_client(
    cls: Any, options: dict[str, Any], auth: Any, cookies: list[Any], facts: tuple[bool, Any] = (False, None)
) -> Any:
    is_closed, mounts = facts
    if mounts is not None:
        options = {**options, "mounts": mounts}
    client = cls(auth=auth, **options)
    for name, value, domain, path in cookies:
        client.cookies.set(name, value, domain, path)
    if is_closed:
        client._state = type(client._state).CLOSED
    return client


@builtin("httpx.HTTPTransport", "httpx.AsyncHTTPTransport")
def _reduce_http_transport(transport: Any, _: Saving) -> Any:
    pool = transport._pool
    if type(pool).__name__ not in ("ConnectionPool", "AsyncConnectionPool"):
        raise TypeError("an HTTP transport through a proxy cannot be kept: make it again")
    options = {
        "verify": pool._ssl_context is None or pool._ssl_context.verify_mode != 0,
        "http1": pool._http1,
        "http2": pool._http2,
        "retries": pool._retries,
        "local_address": pool._local_address,
        "uds": pool._uds,
    }
    limits = (pool._max_connections, pool._max_keepalive_connections, pool._keepalive_expiry)
    return _make_http_transport, (type(transport), options, limits)


def _make_http_transport(cls: Any, options: dict[str, Any], limits: tuple[Any, ...]) -> Any:
    most, alive, expiry = limits
    unlimited = most is None or most >= 2**31
    made = importlib.import_module("httpx").Limits(
        max_connections=None if unlimited else most,
        max_keepalive_connections=alive if alive is None or alive < 2**31 else None,
        keepalive_expiry=expiry,
    )
    return cls(limits=made, **options)


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


@builtin("PIL.ImageDraw.ImageDraw")
def _reduce_drawing(drawing: Any, _: Saving) -> Any:
    return (
        _make_drawing,
        (drawing._image, drawing.mode),
        {"ink": drawing.ink, "fill": drawing.fill, "fontmode": drawing.fontmode, "font": drawing.font},
        None,
        None,
        _set_attributes,
    )


def _make_drawing(image: Any, mode: str) -> Any:
    return importlib.import_module("PIL.ImageDraw").ImageDraw(image, mode)


def _set_attributes(subject: Any, state: dict[str, Any]) -> None:
    subject.__dict__.update(state)


@builtin("pyarrow.lib.Tensor")
def _reduce_arrow_tensor(tensor: Any, _: Saving) -> Any:
    return _make_arrow_tensor, (tensor.to_numpy(), tensor.dim_names or None)


def _make_arrow_tensor(array: Any, names: Any) -> Any:
    return importlib.import_module("pyarrow").Tensor.from_numpy(array, names)


@builtin("pyarrow.lib.BufferReader")
def _reduce_arrow_reader(reader: Any, _: Saving) -> Any:
    if reader.closed:
        raise TypeError("a closed reader cannot be kept")
    place = reader.tell()
    reader.seek(0)
    content = reader.read()
    reader.seek(place)
    return _make_arrow_reader, (content, place)


def _make_arrow_reader(content: bytes, place: int) -> Any:
    reader = importlib.import_module("pyarrow").BufferReader(content)
    reader.seek(place)
    return reader


@builtin("polars.series.series.Series")
def _reduce_polars_series(series: Any, _: Saving) -> Any:
    if str(series.dtype) != "Object":
        return NotImplemented
    return _make_polars_series, (series.name, series.to_list())


def _make_polars_series(name: str, values: list[Any]) -> Any:
    polars = importlib.import_module("polars")
    return polars.Series(name, values, dtype=polars.Object)


@builtin("polars.dataframe.frame.DataFrame")
def _reduce_polars_frame(frame: Any, _: Saving) -> Any:
    if not any(str(dtype) == "Object" for dtype in frame.dtypes):
        return NotImplemented
    return _make_polars_frame, (type(frame), frame.get_columns())


def _make_polars_frame(cls: Any, columns: list[Any]) -> Any:
    return cls(columns)


@builtin("ipywidgets.widgets.widget.Widget", subclasses=True)
def _reduce_widget(widget: Any, _: Saving) -> Any:
    values = {
        name: getattr(widget, name)
        for name in widget.keys  # the traits that its view shows
        if not name.startswith("_") and widget.has_trait(name)
    }
    if "children" in values:
        values["children"] = tuple(values["children"])
    if "_options_full" in vars(type(widget)) or hasattr(widget, "_options_full"):
        values = {"options": widget.options, **values}
    handlers = [
        (handler, name, kind)
        for name, kinds in getattr(widget, "_trait_notifiers", {}).items()
        for kind, found in kinds.items()
        for handler in found
        if _is_observer_of_flow(handler, widget)
    ]
    listeners = {
        name: list(value.callbacks)
        for name, value in vars(widget).items()
        if type(value).__name__ == "CallbackDispatcher" and name != "_msg_callbacks"
    }
    return _make_bare_widget, (type(widget),), (values, handlers, listeners), None, None, _restore_widget


def _is_observer_of_flow(handler: Any, widget: Any) -> bool:
    """Those that the widget's own class set are set again when it is made."""
    if type(handler).__name__ == "ObserveHandler":
        return False
    return not (getattr(handler, "__self__", None) is widget and type(handler).__name__ == "method")


def _make_bare_widget(cls: Any) -> Any:
    return cls()


def _restore_widget(widget: Any, state: tuple[dict[str, Any], list[Any], dict[str, list[Any]]]) -> None:
    values, handlers, listeners = state
    _set_widget(widget, values)
    for handler, name, kind in handlers:
        widget.observe(handler, names=name, type=kind)
    for name, callbacks in listeners.items():
        dispatcher: Any = getattr(widget, name)
        for callback in callbacks:
            if callback not in dispatcher.callbacks:
                dispatcher.register_callback(callback)


def _set_widget(widget: Any, values: dict[str, Any]) -> None:
    """Some values are refused before others are set (options before the value): again while that helps."""
    waiting = dict(values)
    while waiting:
        refused = {}
        for name, value in waiting.items():
            try:
                setattr(widget, name, value)
            except Exception:
                refused[name] = value
        if len(refused) == len(waiting):
            return
        waiting = refused
