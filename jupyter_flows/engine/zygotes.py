"""The worker's side of the zygote: kernels forked from a process that has imported what they need.

A forked kernel is ready in a fraction of the time and memory of a started one (see `kernel.zygote`, which
runs in that process). Where it cannot be had, as on systems without fork or pidfd, kernels are started.

The zygote may be killed at any time. Another one is started at once; the kernels of the last one go on, but
nobody can say how they end any more. One that dies again and again before it gives a kernel is given up.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any, Protocol

#: How long the zygote may take for its imports, and for one fork: seconds.
READY_TIMEOUT = 60.0
FORK_TIMEOUT = 20.0
#: How long one that has closed its output may take to end: seconds.
END_TIMEOUT = 2.0
#: So many zygotes in a row may end without having given a kernel.
MOST_DEATHS = 3
#: The return code of a kernel whose zygote died before it.
UNKNOWN = 1 << 16


logger = logging.getLogger(__name__)


class KernelProcess(Protocol):
    """What is needed of a kernel's process, started or forked."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None: ...

    def kill(self) -> None: ...

    async def wait(self) -> int: ...


class ForkedProcess:
    """A process that the zygote forked and reaps. Its descriptor keeps a reused pid from being hit; there is
    none if it had ended before it was known."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._descriptor: int | None = None
        with contextlib.suppress(ProcessLookupError):
            self._descriptor = os.pidfd_open(pid)
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = self._loop.create_future()

    @property
    def returncode(self) -> int | None:
        return self._ended.result() if self._ended.done() else None

    def kill(self) -> None:
        if self._descriptor is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    def ended(self, returncode: int) -> None:
        if self._descriptor is not None:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None
        if not self._ended.done():
            self._ended.set_result(returncode)

    def orphaned(self) -> None:
        """Nobody will tell how it ends, so that it is seen here when."""
        if self._descriptor is None:
            self.ended(UNKNOWN)
        else:
            self._loop.add_reader(self._descriptor, self.ended, UNKNOWN)


class Zygote:
    """Forks kernels; `is_usable` is False when it cannot be had."""

    def __init__(self, command: list[str] | None = None) -> None:
        self.is_usable = sys.platform == "linux" and hasattr(os, "pidfd_open")
        self._command = command or [sys.executable, "-m", "jupyter_flows.kernel.zygote"]
        self._process: Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[None] | None = None
        self._orders: dict[str, asyncio.Future[ForkedProcess]] = {}
        self._forked: dict[int, ForkedProcess] = {}
        self._deaths = 0
        self._is_closing = False

    async def start(self) -> None:
        """Begin its imports; `fork` waits for them."""
        if self.is_usable:
            self._ready = asyncio.get_running_loop().create_future()
            await self._begin()
            self._reader = asyncio.get_running_loop().create_task(self._keep())

    async def _begin(self) -> None:
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=PIPE, stderr=None, start_new_session=True
            )
        except OSError as error:
            self._give_up(str(error))

    async def fork(self, socket_path: str, kernel_id: str, stderr: Path) -> ForkedProcess:
        """A new kernel. Raises OSError when the zygote did not give one. While it `is_usable` it can be
        asked again, for a kernel with another id: this one may have begun all the same."""
        process: Process | None = None
        try:
            assert self._ready is not None
            await asyncio.wait_for(asyncio.shield(self._ready), READY_TIMEOUT)
            process = self._process
            assert process is not None
            assert process.stdin is not None
            order = {"kernel_id": kernel_id, "socket": socket_path, "stderr": str(stderr)}
            forked = self._orders[kernel_id] = asyncio.get_running_loop().create_future()
            process.stdin.write(json.dumps(order).encode() + b"\n")
            await process.stdin.drain()
            return await asyncio.wait_for(forked, FORK_TIMEOUT)
        except (TimeoutError, ConnectionError) as error:
            if isinstance(error, TimeoutError):
                self._kill(process or self._process)
            raise OSError("the process that kernels are forked from does not answer") from error
        finally:
            self._orders.pop(kernel_id, None)

    def _kill(self, process: Process | None) -> None:
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    async def _keep(self) -> None:
        """Hear what it tells; when it has ended, start another one."""
        while self._process is not None and self.is_usable:
            process = self._process
            await self._read(process)
            with contextlib.suppress(TimeoutError):
                # asyncio loses the exit status of a process that ends while it is killed, and says so.
                await asyncio.wait_for(process.wait(), END_TIMEOUT)
            self._kill(process)  # one that only closed its output cannot be heard
            await process.wait()
            self._lost()
            if self._is_closing:
                return
            self._deaths += 1
            if self._deaths >= MOST_DEATHS:
                self._give_up(f"it ended {self._deaths} times before it had given a kernel")
                return
            await self._begin()

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None
        while (line := await process.stdout.readline()).endswith(b"\n"):
            self._told(json.loads(line))

    def _lost(self) -> None:
        """It is gone, and with it who could tell how its kernels end."""
        lost = ConnectionError("the process that kernels are forked from ended")
        if self._ready is not None and self._ready.done() and not self._is_closing:
            self._ready = asyncio.get_running_loop().create_future()
        for order in self._orders.values():
            if not order.done():
                order.set_exception(lost)
                order.exception()  # whether or not anybody waits for it
        for forked in list(self._forked.values()):
            forked.orphaned()
        self._forked.clear()

    def _give_up(self, reason: str) -> None:
        self.is_usable = False
        logger.warning("kernels are started one by one from now on, since they cannot be forked: %s", reason)
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(ConnectionError(reason))
            self._ready.exception()

    def _told(self, message: dict[str, Any]) -> None:
        if "started" in message:
            self._deaths = 0
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
        self._is_closing = True
        if self._process is None or self._reader is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(asyncio.shield(self._reader), 5.0)
        except TimeoutError:
            self._kill(self._process)
        await self._reader
