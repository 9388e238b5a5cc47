"""The worker's side of the zygote: kernels forked from a process that has imported what they need.

A forked kernel is ready in a fraction of the time and memory of a started one (see `kernel.zygote`, which
runs in that process). Where it cannot be had, as on systems without fork or pidfd, kernels are started.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any, Protocol

#: How long the zygote may take for its imports, and for one fork: seconds.
READY_TIMEOUT = 60.0
FORK_TIMEOUT = 20.0


class KernelProcess(Protocol):
    """What is needed of a kernel's process, started or forked."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None: ...

    def kill(self) -> None: ...

    async def wait(self) -> int: ...


class ForkedProcess:
    """A process that the zygote forked and reaps. Its descriptor keeps a reused pid from being hit."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._descriptor = os.pidfd_open(pid)
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @property
    def returncode(self) -> int | None:
        return self._ended.result() if self._ended.done() else None

    def kill(self) -> None:
        if not self._ended.done():
            signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    def ended(self, returncode: int) -> None:
        if not self._ended.done():
            self._ended.set_result(returncode)
            os.close(self._descriptor)


class Zygote:
    """Forks kernels; `is_usable` is False from its first failure on."""

    def __init__(self, command: list[str] | None = None) -> None:
        self.is_usable = sys.platform == "linux" and hasattr(os, "pidfd_open")
        self._command = command or [sys.executable, "-m", "jupyter_flows.kernel.zygote"]
        self._process: Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[None] | None = None
        self._orders: dict[str, asyncio.Future[ForkedProcess]] = {}
        self._forked: dict[int, ForkedProcess] = {}

    async def start(self) -> None:
        """Begin its imports; `fork` waits for them."""
        if not self.is_usable:
            return
        self._ready = asyncio.get_running_loop().create_future()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=PIPE, stderr=None, start_new_session=True
            )
        except OSError:
            self.is_usable = False
            return
        self._reader = asyncio.get_running_loop().create_task(self._read(self._process))

    async def fork(self, socket_path: str, kernel_id: str, stderr: Path) -> ForkedProcess:
        """A new kernel. Raises OSError when the zygote cannot give one; it is then not asked again."""
        try:
            assert self._ready is not None
            await asyncio.wait_for(asyncio.shield(self._ready), READY_TIMEOUT)
            assert self._process is not None
            assert self._process.stdin is not None
            order = {"kernel_id": kernel_id, "socket": socket_path, "stderr": str(stderr)}
            forked = self._orders[kernel_id] = asyncio.get_running_loop().create_future()
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            await self._process.stdin.drain()
            return await asyncio.wait_for(forked, FORK_TIMEOUT)
        except (TimeoutError, ConnectionError) as error:
            self.is_usable = False
            raise OSError("the process that kernels are forked from does not answer") from error
        finally:
            self._orders.pop(kernel_id, None)

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            self._told(json.loads(line))
        # It is gone, and with it who could tell how its kernels end.
        self.is_usable = False
        lost = ConnectionError("the process that kernels are forked from ended")
        for future in (self._ready, *self._orders.values()):
            if future is not None and not future.done():
                future.set_exception(lost)
                future.exception()  # whether or not anybody waits for it
        for forked in list(self._forked.values()):
            with contextlib.suppress(ProcessLookupError):
                forked.kill()
            forked.ended(-signal.SIGKILL)
        self._forked.clear()

    def _told(self, message: dict[str, Any]) -> None:
        if "started" in message:
            forked = ForkedProcess(message["pid"])
            self._forked[forked.pid] = forked
            order = self._orders.get(message["started"])
            if order is None or order.done():  # nobody waits any more
                forked.kill()
            else:
                order.set_result(forked)
        elif "ended" in message:
            ended = self._forked.pop(message["ended"], None)
            if ended is not None:
                ended.ended(message["returncode"])
        elif self._ready is not None and not self._ready.done():
            self._ready.set_result(None)

    async def close(self) -> None:
        """After its kernels have ended."""
        if self._process is None or self._reader is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 5.0)
        except TimeoutError:
            self._process.kill()
        await self._reader
