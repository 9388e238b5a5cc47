"""Liveness, readiness and metrics of a worker over HTTP, for whoever watches it without Jupyter's server.

Three paths and GET: a web framework would be a dependency for thirty lines.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .metrics import CONTENT_TYPE, Metrics

_REQUEST_TIMEOUT = 10.0  # seconds
_MOST_BYTES = 8192

Probe = Callable[[], str | None]


class HealthServer:
    """Serves ``/health/live``, ``/health/ready`` and ``/metrics``.

    `what_is_dead` and `what_is_missing` say why the worker does not live, or cannot take work now; None
    when all is well.
    """

    def __init__(self, metrics: Metrics, what_is_dead: Probe, what_is_missing: Probe) -> None:
        self._metrics = metrics
        self._probes = {"/health/live": what_is_dead, "/health/ready": what_is_missing}
        self._server: asyncio.Server | None = None

    async def start(self, port: int, host: str = "127.0.0.1") -> int:
        """Listen; returns the port (a free one for 0). Raises OSError when it is taken."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=_MOST_BYTES)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _REQUEST_TIMEOUT)
            method, target, *_ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
            status, kind, body = await self._answer(method, target.partition("?")[0])
            lines = (
                f"HTTP/1.1 {status}",
                f"Content-Type: {kind}",
                f"Content-Length: {len(body)}",
                "Connection: close",
            )
            writer.write("\r\n".join((*lines, "", "")).encode())
            if method != "HEAD":
                writer.write(body)
            await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, OSError, TimeoutError):
            pass  # whoever asked is gone, or does not speak HTTP
        finally:
            writer.close()

    async def _answer(self, method: str, path: str) -> tuple[str, str, bytes]:
        plain = "text/plain; charset=utf-8"
        if method not in ("GET", "HEAD"):
            return "405 Method Not Allowed", plain, b"only GET\n"
        if path == "/metrics":
            return "200 OK", CONTENT_TYPE, await asyncio.to_thread(self._metrics.exposition)
        if (probe := self._probes.get(path)) is None:
            return "404 Not Found", plain, b"/health/live, /health/ready or /metrics\n"
        trouble = probe()
        if trouble is None:
            return "200 OK", plain, b"ok\n"
        return "503 Service Unavailable", plain, f"{trouble}\n".encode()
