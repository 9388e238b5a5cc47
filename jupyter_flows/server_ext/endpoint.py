"""A call of REST: what it takes, what it gives, who may make it.

A handler's method is a plain function of the engine, and runs in a thread, so that a slow database
never holds the server up. `endpoint` says what the method takes and gives; from that one statement the
request is decoded and checked, the answer encoded, and the OpenAPI description made.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from tornado import web

from ..errors import EngineException, InvalidInputError, ResourceNotFoundError
from .problems import body_of, body_of_code, code_of
from .service import FlowsService

RESOURCE = "flows"  # what Jupyter's authorizer is asked about
PREFIX = "flows/v1"

Given = TypeVar("Given", bound=msgspec.Struct)

_ID = re.compile(r"[\w.-]{1,200}")
# What Jupyter's own clients add to a query: credentials, and a number against caches.
_NOT_OURS = re.compile(r"token|_xsrf|_|no_track_activity|\d+")


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path. `action` is what the authorizer is asked: read, write or execute."""

    action: str
    summary: str
    gives: Any
    status: int = 200
    query: type[msgspec.Struct] | None = None
    body: type[msgspec.Struct] | None = None


def endpoint(
    action: str,
    summary: str,
    gives: Any,
    *,
    status: int = 200,
    query: type[msgspec.Struct] | None = None,
    body: type[msgspec.Struct] | None = None,
) -> Callable[[Callable[..., Any]], Any]:
    """Makes a handler's method of ``method(self, engine, *ids, query or body)``, which may block."""
    described = Endpoint(action=action, summary=summary, gives=gives, status=status, query=query, body=body)

    def decorate(method: Callable[..., Any]) -> Any:
        @wraps(method)
        async def handle(self: FlowsHandler, *ids: str) -> None:
            try:
                given = [*map(self.checked_id, ids), *self.given(described)]
                engine = await self.service.engine()
                answer = await asyncio.to_thread(method, self, engine, *given)
            except EngineException as error:
                self.refuse(error)
            else:
                self.answer(answer, status)

        # Both named: without them the decorator would keep those of its first call for all.
        guarded: Any = web.authenticated(authorized(action, RESOURCE)(handle))
        guarded.endpoint = described
        return guarded

    return decorate


class Refusing(JupyterHandler):
    """A handler whose every refusal has a message and a type of our tree of errors, in JSON."""

    @property
    def service(self) -> FlowsService:
        service: FlowsService = self.settings["jupyter_flows_service"]
        return service

    def refuse(self, error: EngineException) -> None:
        code = code_of(error)
        if code >= 500:
            self.log.warning("%s %s: %s", self.request.method, self.request.path, error)
        self._refuse_with(code, body_of(error))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None))[1]
        message = HTTPStatus(status_code).phrase
        if isinstance(error, web.HTTPError):
            message = error.log_message or error.reason or message
        elif error is not None:
            message = f"The server failed: {type(error).__name__}. Its log says where."
        self._refuse_with(status_code, body_of_code(status_code, message))

    def _refuse_with(self, code: int, body: dict[str, Any]) -> None:
        self.set_status(code)
        self.set_header("Content-Type", "application/json")
        self.finish(msgspec.json.encode(body))


class FlowsHandler(Refusing, APIHandler):
    """Speaks JSON in both directions."""

    @property
    def person(self) -> str:
        """Who asks: the owner of what is started."""
        return str(self.current_user.username)

    def given(self, described: Endpoint) -> list[msgspec.Struct]:
        """The decoded query or body. Raises InvalidInputError."""
        if described.query is not None:
            return [decode_query(self.request.query_arguments, described.query)]
        if described.body is not None:
            return [decode_body(self.request.body, described.body)]
        return []

    def checked_id(self, text: str) -> str:
        """An id as it came in the path. Raises ResourceNotFoundError for what cannot be one."""
        if not _ID.fullmatch(text):
            raise ResourceNotFoundError(f"There is no {self.request.path}: that is not an id.")
        return text

    def answer(self, value: Any, status: int = 200) -> None:
        self.set_status(status)
        self.finish(msgspec.json.encode(value))


class UnknownCall(FlowsHandler):
    """All other paths below the prefix: an answer in JSON instead of Jupyter's page."""

    async def _refuse(self, path: str | None) -> None:  # noqa: ARG002
        self.refuse(ResourceNotFoundError(f"There is no call {self.request.method} {self.request.path}."))

    get = web.authenticated(authorized("read", RESOURCE)(_refuse))
    post = put = patch = delete = web.authenticated(authorized("write", RESOURCE)(_refuse))


def decode_query(arguments: Mapping[str, Sequence[bytes]], into: type[Given]) -> Given:
    """The query as a struct. Raises InvalidInputError for unknown names and unfit values."""
    plain = {
        name: values[-1].decode(errors="replace")
        for name, values in arguments.items()
        if not _NOT_OURS.fullmatch(name)
    }
    # An empty value means "not given": forms and simple clients send it so.
    return _converted({name: value for name, value in plain.items() if value}, into, strict=False)


def decode_body(content: bytes, into: type[Given]) -> Given:
    """The JSON body as a struct; no body is an empty object. Raises InvalidInputError."""
    try:
        plain = msgspec.json.decode(content or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"The body is not JSON: {error}") from None
    return _converted(plain, into, strict=True)


def _converted(plain: Any, into: type[Given], strict: bool) -> Given:
    known = ", ".join(field.name for field in msgspec.structs.fields(into)) or "nothing"
    if _holds_null(plain):
        raise InvalidInputError("A text holds the character U+0000, which no store can keep.")
    try:
        return msgspec.convert(plain, into, strict=strict)
    except msgspec.ValidationError as error:
        raise InvalidInputError(f"The request cannot be used: {error}. Known are: {known}.") from None


def _holds_null(plain: Any) -> bool:
    if isinstance(plain, str):
        return "\0" in plain
    if isinstance(plain, dict):
        return any(_holds_null(key) or _holds_null(value) for key, value in plain.items())
    return isinstance(plain, list) and any(map(_holds_null, plain))
