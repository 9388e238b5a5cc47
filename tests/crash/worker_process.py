"""A worker in a process of its own, to be killed: ``python -m tests.crash.worker_process STORE ROOT``."""

from __future__ import annotations

import asyncio
import sys

from jupyter_flows.engine import Engine, FlowLibrary, Worker
from jupyter_flows.store import open_store


async def main(url: str, root: str) -> None:
    worker = Worker(Engine(open_store(url), FlowLibrary(root)), slots=2, sleep_max_seconds=0.2)
    await worker.start()
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
