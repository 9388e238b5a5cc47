"""Kernels of notebooks that are forked: what Jupyter does with a kernel works, and none is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import KernelProvisionerFactory

from jupyter_flows.server_ext import provisioner

ROOT = Path(__file__).parents[2]
PATIENCE = 120

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux")


@pytest.fixture(autouse=True)
def zygote() -> Iterator[Any]:
    """A zygote whose imports are done."""
    provisioner.prepare()
    made = provisioner._zygote
    assert made is not None
    made._orders.settimeout(PATIENCE)
    assert made._orders.recv(4096)
    made._is_ready = True
    yield made
    provisioner.close()


@pytest.fixture
def manager(tmp_path: Path) -> AsyncKernelManager:
    """For the kernel that this checkout specifies."""
    shutil.copytree(ROOT / "jupyter-config" / "kernels" / "flows", tmp_path / "kernels" / "flows")
    KernelProvisionerFactory.instance().provisioners["flows-provisioner"] = EntryPoint(
        "flows-provisioner",
        "jupyter_flows.server_ext.provisioner:FlowsProvisioner",
        KernelProvisionerFactory.GROUP_NAME,
    )
    specifications = KernelSpecManager(kernel_dirs=[str(tmp_path / "kernels")])
    return AsyncKernelManager(kernel_name="flows", kernel_spec_manager=specifications)


@contextlib.asynccontextmanager
async def running(manager: AsyncKernelManager, **options: Any) -> AsyncIterator[Any]:
    await manager.start_kernel(**options)
    client = manager.client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=PATIENCE)
        yield client
    finally:
        client.stop_channels()
        await manager.shutdown_kernel(now=True)


async def value(client: Any, expression: str) -> Any:
    reply = await client.execute_interactive(
        "", user_expressions={"value": expression}, timeout=PATIENCE, store_history=False
    )
    return eval(reply["content"]["user_expressions"]["value"]["data"]["text/plain"])


def is_forked(manager: AsyncKernelManager) -> bool:
    return isinstance(manager.provisioner.process, provisioner.ForkedKernel)


async def test_a_forked_kernel_has_its_own_directory_environment_and_session(
    manager: AsyncKernelManager, tmp_path: Path
) -> None:
    async with running(manager, cwd=str(tmp_path), env={**os.environ, "FLAVOUR": "sour"}) as client:
        assert is_forked(manager)
        assert await value(client, "__import__('os').getcwd()") == str(tmp_path)
        assert await value(client, "__import__('os').environ['FLAVOUR']") == "sour"
        assert await value(client, "__import__('os').getsid(0)") == manager.provisioner.pid
        assert await value(client, "'numpy' in __import__('sys').modules") is False
        # What it was started with is no change that the flow made, and no part of savepoints.
        kept = "__import__('jupyter_flows.snapshot').snapshot.ProcessState.now().parts['environment']"
        assert await value(client, kept) == {}
        assert await value(client, "flow_api.Execution.__name__") == "Execution"


async def test_interrupt_restart_and_shutdown(manager: AsyncKernelManager) -> None:
    async with running(manager) as client:
        first = manager.provisioner.pid
        started = asyncio.Event()

        def output(message: Any) -> None:
            if message["msg_type"] == "stream":
                started.set()

        cell = asyncio.ensure_future(
            client.execute_interactive(
                "print('begun', flush=True)\nwhile True: pass", timeout=PATIENCE, output_hook=output
            )
        )
        await asyncio.wait_for(started.wait(), PATIENCE)
        await manager.interrupt_kernel()
        assert (await cell)["content"]["ename"] == "KeyboardInterrupt"
        await manager.restart_kernel()
        await client.wait_for_ready(timeout=PATIENCE)
        assert is_forked(manager)
        assert manager.provisioner.pid != first
        assert await value(client, "__import__('os').getpid()") == manager.provisioner.pid
        process = manager.provisioner.process
        await manager.shutdown_kernel()
        assert process.poll() == 0


async def test_a_killed_kernel_is_seen_to_be_dead(manager: AsyncKernelManager) -> None:
    async with running(manager):
        process = manager.provisioner.process
        os.kill(process.pid, signal.SIGKILL)
        assert await asyncio.to_thread(process.wait, PATIENCE) == -signal.SIGKILL
        assert not await manager.is_alive()


async def test_kernels_outlive_the_zygote_and_the_next_one_is_started(
    manager: AsyncKernelManager, zygote: Any
) -> None:
    async with running(manager) as client:
        zygote._process.kill()
        zygote._process.wait()
        assert await value(client, "6 * 7") == 42
        await manager.restart_kernel()
        await client.wait_for_ready(timeout=PATIENCE)
        assert not is_forked(manager)
        assert await value(client, "6 * 7") == 42


async def test_no_kernel_outlives_its_server(manager: AsyncKernelManager) -> None:
    async with running(manager):
        process = manager.provisioner.process
        # Opened while it surely lives: the zygote reaps it as soon as it has ended.
        gone = os.pidfd_open(process.pid)
        process._messages.close()
        process._messages = _Silent()
        readable = asyncio.Event()
        asyncio.get_running_loop().add_reader(gone, readable.set)
        await asyncio.wait_for(readable.wait(), PATIENCE)
        asyncio.get_running_loop().remove_reader(gone)
        os.close(gone)
        process.returncode = 1  # who could have told is closed


class _Silent:
    """A socket on which nothing comes."""

    def recv(self, *_: int) -> bytes:
        raise BlockingIOError

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"independent": True}, "it is to outlive this process"),
        ({"env": {**os.environ, "PYTHONOPTIMIZE": "1"}}, "Python reads it only when it starts"),
    ],
)
async def test_an_unusual_order_is_started_in_the_ordinary_way(
    manager: AsyncKernelManager, options: dict[str, Any], why: str
) -> None:
    async with running(manager, **options) as client:
        assert not is_forked(manager), why
        assert await value(client, "6 * 7") == 42
