"""A worker in a process of its own, with scripted kernels: ``URL ROOT OPTIONS`` (the options as JSON)."""

from __future__ import annotations

import asyncio
import json
import signal
import sys

from jupyter_flows.engine.flows import FlowLibrary
from jupyter_flows.engine.service import Engine
from jupyter_flows.engine.worker import Worker
from jupyter_flows.store import open_store

from .house import fake_command


async def main(url: str, root: str, options: str) -> None:
    worker = Worker(
        Engine(open_store(url), FlowLibrary(root)), **{"kernel_command": fake_command, **json.loads(options)}
    )
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await worker.start()
    print(worker.id, flush=True)
    await stopping.wait()
    await worker.stop()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
