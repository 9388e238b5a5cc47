"""Kernel processes: started, kept warm, watched and stopped.

A kernel runs one execution and ends. One is always kept ready: its start (a second or two of imports) is
over before an execution needs it. Where there is a zygote, kernels are forked from it instead. What a
kernel says on stderr before it speaks with us is kept, since it is all that tells why it did not start.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from asyncio.subprocess import DEVNULL
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path

from .. import protocol
from ..errors import KernelDiedError
from . import memory
from .identifiers import new_id
from .zygotes import UNKNOWN, KernelProcess, Zygote

#: How long a kernel may take to say Hello, and to end when it is asked to: seconds.
START_TIMEOUT = 120.0
STOP_TIMEOUT = 5.0
#: How long a kernel may take to be made fresh after its execution: seconds.
BACK_TIMEOUT = 10.0
#: How long a used kernel waits for another execution of its flow: seconds.
IDLE_TIMEOUT = 60.0
_TAIL_BYTES = 4000
#: So many forked kernels may end before they say Hello until their execution has to bear it.
_START_TRIES = 3

#: What a kernel may be used again for: the same owner, flow, version and directory.
Kind = tuple[str | None, ...]

logger = logging.getLogger(__name__)


class Kernel:
    """One kernel: a process of ours, or (`process` None) that of a notebook.

    `gone` is done, with the reason, when it cannot be spoken with any more.
    """

    def __init__(self, kernel_id: str, process: KernelProcess | None, stderr: Path | None) -> None:
        self.id = kernel_id
        self.process = process
        self.pid = process.pid if process else 0
        loop = asyncio.get_running_loop()
        self.connected: asyncio.Future[None] = loop.create_future()
        self.gone: asyncio.Future[str] = loop.create_future()
        self.is_stopping = False
        self.was_forked = False
        #: The most memory that it was seen to take, in bytes.
        self.peak = 0
        self._kills_before = memory.kills()
        #: Done when it is fresh again after an execution.
        self.is_fresh: asyncio.Future[None] = loop.create_future()
        self._stderr = stderr
        self._writer: asyncio.StreamWriter | None = None

    def attach(self, writer: asyncio.StreamWriter, pid: int) -> None:
        """It said Hello on this connection."""
        self._writer = writer
        self.pid = self.pid or pid
        if not self.connected.done():
            self.connected.set_result(None)

    async def send(self, message: protocol.WorkerMessage) -> None:
        """To one that has gone nothing is sent: whoever holds it learns by `gone`."""
        if self._writer is None or self.gone.done():
            return
        with contextlib.suppress(ConnectionError):
            self._writer.write(protocol.encode(message))
            await self._writer.drain()

    def tell(self, message: protocol.WorkerMessage) -> None:
        """Send a small message without waiting for room."""
        if self._writer is not None and not self.gone.done():
            self._writer.write(protocol.encode(message))

    def lost(self, reason: str) -> None:
        if not self.gone.done():
            self.gone.set_result(reason)
        if self._writer is not None:
            self._writer.close()

    async def stop(self, reason: str) -> None:
        """No more code of the flow runs after this. A notebook's process belongs to its person, and stays."""
        self.is_stopping = True
        await self.send(protocol.Stop(reason=reason))
        if self.process is None:
            return
        self.kill()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.process.wait(), STOP_TIMEOUT)

    def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()

    async def leave(self) -> None:
        """It has done its work and ends by itself; if not, it is ended."""
        self.is_stopping = True
        if self.process is not None:
            try:
                await asyncio.wait_for(self.process.wait(), STOP_TIMEOUT + 2)
            except TimeoutError:
                self.kill()

    def explain(self, returncode: int | None) -> str:
        """Why the process ended, with the end of what it said."""
        is_known = returncode is not None and returncode != UNKNOWN
        how = f"ended with exit code {returncode}" if is_known else "ended"
        if returncode is not None and returncode < 0:
            how = f"was killed by signal {-returncode}"
            if returncode == -9 and memory.kills() > self._kills_before:
                return f"killed: out of memory, peak {memory.size(self.peak)}"
        tail = self._tail()
        return f"the kernel process {how}" + (f"; it said: {tail}" if tail else "")

    def _tail(self) -> str:
        if self._stderr is None or not self._stderr.exists():
            return ""
        with open(self._stderr, "rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - _TAIL_BYTES))
            return stream.read().decode(errors="replace").strip()

    def tidy(self) -> None:
        if self._stderr is not None:
            self._stderr.unlink(missing_ok=True)


class KernelPool:
    """Starts kernels that connect to `socket_path`; keeps `warm` of them ready.

    They are forked from `zygote` as long as that works, else started with `command`. Of those that are
    fresh again after an execution, up to `most_used` are kept for others of the same kind.
    """

    def __init__(
        self,
        socket_path: Path,
        warm: int = 1,
        command: Callable[[str, str], list[str]] | None = None,
        zygote: Zygote | None = None,
        most_used: int = 2,
    ) -> None:
        self._most_used = most_used
        #: Used kernels and their kinds, the longest idle first. Some are not fresh yet.
        self._used: dict[Kernel, Kind] = {}
        self._socket_path = socket_path
        self._warm = warm
        self._command = command or _kernel_command
        self._zygote = zygote
        self._ready: deque[Kernel] = deque()
        self._started: dict[str, Kernel] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False
        self._refilling = 0

    def find(self, kernel_id: str) -> Kernel | None:
        """The kernel that was started with this id."""
        return self._started.get(kernel_id)

    async def take(self, kind: Kind) -> Kernel:
        """A kernel that is ready. Raises KernelDiedError, with what it said, when none can be started."""
        while (kernel := self._same(kind)) is not None:
            if not kernel.is_fresh.done() and self._ready and len(self._used) < self._most_used:
                break  # two that take turns: one is made fresh while the other one works
            del self._used[kernel]
            # It is made fresh in less time than another one would take to start.
            waiting: set[asyncio.Future[None] | asyncio.Future[str]] = {kernel.is_fresh, kernel.gone}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if not kernel.gone.done():
                kernel.is_stopping = False
                return kernel
        return await self._take_new()

    def _same(self, kind: Kind) -> Kernel | None:
        """One that is fresh already, if there is one."""
        same = [one for one, its_kind in self._used.items() if its_kind == kind and not one.gone.done()]
        return next((one for one in same if one.is_fresh.done()), next(iter(same), None))

    async def _take_new(self) -> Kernel:
        for tries_left in reversed(range(_START_TRIES)):
            while self._ready:
                kernel = self._ready.popleft()
                if not kernel.gone.done():
                    break
            else:
                kernel = await self._start()
            try:
                await self._wait_until_ready(kernel)
                break
            except KernelDiedError:
                # Nothing of the execution has run in it: it was killed by somebody, or cannot start at all.
                if not tries_left or not kernel.was_forked:
                    raise
        # The next one is started when this one is at work: not before, or both would be slow.
        self.refill()
        return kernel

    def expect_back(self, kernel: Kernel, kind: Kind) -> None:
        """Its execution ended well: it says Ready, or ends."""
        kernel.is_stopping = True
        kernel.is_fresh = is_fresh = asyncio.get_running_loop().create_future()
        self._used[kernel] = kind
        asyncio.get_running_loop().call_later(BACK_TIMEOUT, self._end_unless, kernel, is_fresh.done)
        asyncio.get_running_loop().call_later(
            IDLE_TIMEOUT,
            self._end_unless,
            kernel,
            lambda: kernel not in self._used or kernel.is_fresh is not is_fresh,
        )
        while len(self._used) > self._most_used:
            self._end_unless(next(iter(self._used)), lambda: False)

    def _end_unless(self, kernel: Kernel, holds: Callable[[], bool]) -> None:
        if not holds():
            self._used.pop(kernel, None)
            kernel.kill()

    def refill(self) -> None:
        """Start what is missing from the ready ones."""
        if self._is_closed:
            return
        for _ in range(self._warm - len(self._ready) - self._refilling):
            self._refilling += 1
            self._keep(self._refill())

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _refill(self) -> None:
        try:
            kernel = await self._start()
        except OSError as error:
            logger.warning("no kernel could be started in advance: %s", error)
            return
        finally:
            self._refilling -= 1
        if self._is_closed:
            kernel.kill()
        else:
            self._ready.append(kernel)

    async def _start(self) -> Kernel:
        while self._zygote is not None and self._zygote.is_usable:
            with contextlib.suppress(OSError):
                return await self._made(self._zygote.fork, was_forked=True)
        return await self._made(self._spawn)

    async def _made(
        self, make: Callable[[str, str, Path], Awaitable[KernelProcess]], was_forked: bool = False
    ) -> Kernel:
        """Raises OSError."""
        kernel_id = new_id()
        stderr = self._socket_path.with_name(f"{kernel_id}.err")
        # Known before it lives: a forked one may say Hello before its fork is reported.
        kernel = self._started[kernel_id] = Kernel(kernel_id, None, stderr)
        kernel.was_forked = was_forked
        try:
            process = await make(str(self._socket_path), kernel_id, stderr)
        except BaseException:
            del self._started[kernel_id]
            kernel.tidy()
            raise
        kernel.process, kernel.pid = process, process.pid
        self._keep(self._watch(kernel, process))
        return kernel

    async def _spawn(self, socket_path: str, kernel_id: str, stderr: Path) -> KernelProcess:
        with open(stderr, "wb") as stream:
            return await asyncio.create_subprocess_exec(
                *self._command(socket_path, kernel_id),
                stdin=DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )

    async def _watch(self, kernel: Kernel, process: KernelProcess) -> None:
        returncode = await process.wait()
        self._started.pop(kernel.id, None)
        self._used.pop(kernel, None)
        if kernel in self._ready:
            self._ready.remove(kernel)
        kernel.lost(kernel.explain(returncode))
        kernel.tidy()

    async def _wait_until_ready(self, kernel: Kernel) -> None:
        waiting: set[asyncio.Future[None] | asyncio.Future[str]] = {kernel.connected, kernel.gone}
        await asyncio.wait(waiting, timeout=START_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
        if kernel.gone.done():
            raise KernelDiedError(f"a kernel did not start: {kernel.gone.result()}")
        if not kernel.connected.done():
            await kernel.stop("it took too long to start")
            raise KernelDiedError(f"a kernel did not say Hello within {START_TIMEOUT:g} s")

    async def close(self) -> None:
        """Stop all that are left."""
        self._is_closed = True
        await asyncio.gather(*(kernel.stop("the worker stops") for kernel in list(self._started.values())))
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)


def _kernel_command(socket_path: str, kernel_id: str) -> list[str]:
    return [sys.executable, "-m", "jupyter_flows.kernel", "--socket", socket_path, "--kernel-id", kernel_id]
