"""A worker in a process of its own, to be killed: ``python -m tests.crash.worker_process STORE ROOT``.

A third argument gives options of `Worker` as JSON. SIGTERM stops it as an operator would.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys

from jupyter_flows.engine import Engine, FlowLibrary, Worker
from jupyter_flows.errors import StoreError
from jupyter_flows.store import Store, open_store


async def main(url: str, root: str, options: str = "{}") -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    store = await opened(url)
    worker = Worker(
        Engine(store, FlowLibrary(root)), **{"slots": 2, "sleep_max_seconds": 0.2, **json.loads(options)}
    )
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await worker.start()
    print("ready", flush=True)
    await stopping.wait()
    await worker.stop()


async def opened(url: str) -> Store:
    """The store, as soon as it is there: a supervisor would start the worker again."""
    while True:
        try:
            return open_store(url)
        except StoreError as error:
            logging.info("%s", error)
            await asyncio.sleep(0.3)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
