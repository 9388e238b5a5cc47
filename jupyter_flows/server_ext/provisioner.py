"""Kernels of notebooks in a tenth of a second: forked by a process that has made their imports.

Jupyter asks a *kernel provisioner* for the process behind a kernel; the Flows kernel's specification names
this one. In a server with the Flows extension it has the kernel forked (see `kernel.notebook_zygote`);
everywhere else, and whenever an order is unusual (other interpreter, redirected output, an environment that
Python reads only when it starts), it starts one as Jupyter's own provisioner does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

#: How long a fork may take until its kernel is started in the ordinary way, and how long a kernel is waited
#: for until its sockets are bound (it is used after that in any case): seconds.
FORK_TIMEOUT = 5.0
BIND_TIMEOUT = 10.0

_COMMAND = ["-m", "jupyter_flows.kernel"]
#: Variables with such names work at the start of a process only.
_EARLY_VARIABLES = ("PYTHON", "LD_", "MALLOC_", "LC_", "LANG", "GLIBC_")


class FlowsProvisioner(LocalProvisioner):
    """Forks the kernel where `prepare` was called in this process, else starts it."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        forked = await _fork(cmd, kwargs)
        if forked is None:
            return await super().launch_kernel(cmd, **kwargs)
        self.process = cast(Any, forked)
        self.pid = self.pgid = forked.pid  # it leads a group of its own
        self.cwd = kwargs.get("cwd") or Path.cwd()
        return self.connection_info


class ForkedKernel:
    """As much of `subprocess.Popen` as a provisioner uses, for a kernel that the zygote forked and reaps."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int, messages: socket.socket, zygote_ended: Callable[[], bool]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._messages = messages
        self._zygote_ended = zygote_ended
        self._descriptor = os.pidfd_open(pid)  # a pid that is used again must not be hit

    def poll(self) -> int | None:
        """How it ended, or None while it runs."""
        if self.returncode is not None:
            return self.returncode
        # Asked before the messages are read: what is missing from them afterwards will never come.
        is_told_of = not self._zygote_ended()
        has_ended = bool(select.select([self._descriptor], [], [], 0)[0])
        for message in _read(self._messages):
            self.returncode = message.get("returncode", self.returncode)
        if self.returncode is None and has_ended and not is_told_of:
            self.returncode = 1
        if self.returncode is not None:
            os.close(self._descriptor)
            self._messages.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Until it has ended. Raises subprocess.TimeoutExpired after `timeout` seconds."""
        while (returncode := self.poll()) is None:
            if not select.select([self._messages.fileno(), self._descriptor], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("jupyter_flows.kernel", timeout or 0)
        return returncode

    def send_signal(self, signum: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, signum)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


class _Zygote:
    """This process's end of the zygote; its imports go on while the server starts."""

    def __init__(self) -> None:
        self._orders, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._environment = _early(os.environ)
        self._is_ready = False
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jupyter_flows.kernel.notebook_zygote"],
                stdin=other.fileno(),
                cwd="/",  # no module of the user's stands in for one of Python's
                start_new_session=True,
            )

    @property
    def is_ready(self) -> bool:
        if not self._is_ready:
            self._is_ready = bool(_read(self._orders))
        return self._is_ready

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def suits(self, environment: Mapping[str, str]) -> bool:
        return not self.has_ended() and self.is_ready and _early(environment) == self._environment

    async def fork(self, argv: list[str], environment: Mapping[str, str], cwd: str) -> ForkedKernel:
        """A kernel whose sockets are bound. Raises OSError."""
        order = {"argv": argv, "env": dict(environment), "cwd": cwd}
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            socket.send_fds(
                self._orders, [json.dumps(order).encode()], [theirs.fileno()], socket.MSG_NOSIGNAL
            )
        try:
            kernel = ForkedKernel((await _message(ours, FORK_TIMEOUT))["pid"], ours, self.has_ended)
        except BaseException:
            ours.close()  # should it start after all, that ends it
            raise
        with contextlib.suppress(OSError):
            kernel.returncode = (await _message(ours, BIND_TIMEOUT)).get("returncode")
        return kernel

    def close(self) -> None:
        """It ends; kernels that it forked go on until their own sockets close."""
        self._orders.close()
        self._process.wait()


_zygote: _Zygote | None = None


def prepare() -> None:
    """Have kernels of notebooks forked from now on; done by the server. Does nothing where that cannot be."""
    global _zygote
    if sys.platform == "linux" and hasattr(os, "pidfd_open") and (_zygote is None or _zygote.has_ended()):
        with contextlib.suppress(OSError):
            _zygote = _Zygote()


def close() -> None:
    """The opposite of `prepare`."""
    global _zygote
    if _zygote is not None:
        _zygote.close()
        _zygote = None


def _renew() -> None:
    """Another zygote for one that was killed, as soon as that is seen; one that never worked stays away."""
    global _zygote
    if _zygote is not None and _zygote.is_ready and _zygote.has_ended():
        _zygote.close()
        _zygote = None
        prepare()


async def _fork(cmd: list[str], options: dict[str, Any]) -> ForkedKernel | None:
    """None where the kernel has to be started instead."""
    environment = options.get("env")
    environment = os.environ if environment is None else environment
    _renew()
    if _zygote is None or not _zygote.suits(environment) or not _is_usual(cmd, options):
        return None
    cwd = os.path.abspath(options.get("cwd") or os.getcwd())
    try:
        return await _zygote.fork(cmd[3:], environment, cwd)
    except OSError:
        _renew()
        return None


def _is_usual(cmd: list[str], options: dict[str, Any]) -> bool:
    redirected = any(options.get(name) is not None for name in ("stdin", "stdout", "stderr"))
    return (
        cmd[1:3] == _COMMAND
        and os.path.realpath(cmd[0]) == os.path.realpath(sys.executable)
        and not redirected
        and not options.get("independent")
    )


def _early(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_EARLY_VARIABLES)}


def _read(messages: socket.socket) -> list[dict[str, Any]]:
    """What has come."""
    read = []
    with contextlib.suppress(OSError):  # nothing more for now
        while packet := messages.recv(4096, socket.MSG_DONTWAIT):
            read.append(json.loads(packet))
    return read


async def _message(messages: socket.socket, seconds: float) -> dict[str, Any]:
    """The next one. Raises OSError if none comes in time."""
    messages.setblocking(False)
    async with asyncio.timeout(seconds):  # its TimeoutError is an OSError
        packet = await asyncio.get_running_loop().sock_recv(messages, 4096)
    if not packet:
        raise ConnectionError("the process that kernels are forked from has ended")
    return cast(dict[str, Any], json.loads(packet))
