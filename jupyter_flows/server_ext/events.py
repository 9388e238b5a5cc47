"""The WebSocket that tells changes to panels."""

from __future__ import annotations

import asyncio
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.websocket import WebSocketMixin
from tornado import web, websocket

from ..errors import EngineException
from .endpoint import RESOURCE, Refusing, decode_query
from .messages import EventsQuery

_TRY_AGAIN = 1013  # the close code that says so


class EventsHandler(WebSocketMixin, websocket.WebSocketHandler, Refusing):
    """``events?after=SEQ``: each later change as one JSON text; without `after` from now on.

    Nothing is expected from the client. It is sent as much as it takes: the next part is read when the
    one before it has gone out.
    """

    auth_resource = RESOURCE
    _sender: asyncio.Task[None] | None = None

    @ws_authenticated
    async def get(self, *args: Any, **kwargs: Any) -> None:
        is_allowed = await ensure_async(
            self.authorizer.is_authorized(self, self.current_user, "read", RESOURCE)
        )
        if not is_allowed:
            raise web.HTTPError(403, f"You may not read {RESOURCE}.")
        try:
            query = decode_query(self.request.query_arguments, EventsQuery)
            engine = await self.service.engine()
            newest = await asyncio.to_thread(engine.newest_change)
        except EngineException as error:
            self.refuse(error)
            return
        # A seq from the future belongs to a store that was replaced.
        self._seen = newest if query.after is None else min(query.after, newest)
        await super().get(*args, **kwargs)

    def open(self, *args: Any, **kwargs: Any) -> None:
        super().open(*args, **kwargs)
        self._sender = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        try:
            while True:
                for seq, message in await self.service.hub.after(self._seen):
                    await self.write_message(message.decode())
                    self._seen = seq
        except websocket.WebSocketClosedError:
            pass  # the client went away
        except EngineException as error:
            self.close(_TRY_AGAIN, error.message.encode()[:120].decode(errors="ignore"))
        except Exception:
            self.log.exception("telling changes failed")
            self.close(1011, "The server failed; its log says where.")

    def on_message(self, message: str | bytes) -> None:
        """Clients have nothing to say here."""

    def on_close(self) -> None:
        if self._sender is not None:
            self._sender.cancel()
        super().on_close()
