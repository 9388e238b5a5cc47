"""An engine over a fresh store, a root of flows, and workers whose kernels follow a script."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from jupyter_flows.engine.flows import FlowLibrary
from jupyter_flows.engine.service import Engine
from jupyter_flows.engine.worker import Worker
from jupyter_flows.model import ExecutionView, Status
from jupyter_flows.store import open_store

FAKE_KERNEL = Path(__file__).with_name("fake_kernel.py")


def fake_command(socket_path: str, kernel_id: str) -> list[str]:
    return [sys.executable, str(FAKE_KERNEL), socket_path, kernel_id]


class House:
    """An engine over a fresh store, and what tests ask of it."""

    def __init__(self, directory: Path, url: str) -> None:
        self.root = directory / "flows"
        self.root.mkdir(exist_ok=True)
        self.store = open_store(url)
        self.engine = Engine(self.store, FlowLibrary(self.root))

    def flow(self, name: str, *steps: str, final: tuple[str, ...] = (), inexact: tuple[int, ...] = ()) -> str:
        """A flow whose steps are expressions that give a Flow-API call; `s` is the state."""
        listed = "".join(f"    lambda s: {step},\n" for step in steps)
        ending = "".join(f"    lambda s: {step},\n" for step in final)
        (self.root / f"{name}.py").write_text(
            "def handler(system, this):\n    pass\n\n"
            f"STEPS = [\n{listed}]\nFINALLY = [\n{ending}]\nINEXACT = {inexact!r}\n"
        )
        return name

    @asynccontextmanager
    async def worker(self, **options: Any) -> AsyncIterator[Worker]:
        worker = Worker(self.engine, **{"kernel_command": fake_command, **options})
        await worker.start()
        try:
            yield worker
        finally:
            await worker.stop()

    async def until(
        self, execution_id: str, wanted: Callable[[ExecutionView], bool] = lambda view: view.status.is_final
    ) -> ExecutionView:
        """The execution as soon as it is as wanted; woken by the engine's own changes."""
        changed = threading.Event()
        dispose = self.engine.on_change(lambda _: changed.set())
        try:
            while True:
                changed.clear()
                view = self.engine.execution(execution_id)
                if wanted(view):
                    return view
                if not await asyncio.to_thread(changed.wait, 60):
                    raise AssertionError(f"nothing happened for a minute; it is {view}")
        finally:
            dispose()

    async def until_status(self, execution_id: str, status: Status) -> ExecutionView:
        return await self.until(execution_id, lambda view: view.status is status)

    def texts(self, execution_id: str) -> list[str]:
        return [line.text for line in self.engine.log(execution_id)]

    def run(self, flow: str, inputs: dict[str, Any] | None = None, **options: Any) -> ExecutionView:
        """Start it and run it to its end."""

        async def main() -> ExecutionView:
            async with self.worker(**options):
                return await self.until(self.engine.start(flow, inputs).id)

        return asyncio.run(main())

    def close(self) -> None:
        self.engine.close()
        self.store.close()
