"""A stage for the examples: a copy of them, a fresh store, and a real worker with real kernels."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_flows.engine import Engine, FlowLibrary, Worker
from jupyter_flows.model import ExecutionView, SavepointView
from jupyter_flows.store import open_store

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
LEFT_BEHIND = shutil.ignore_patterns("*.sqlite*", "remote_api.json", "__pycache__", ".ipynb_checkpoints")


@dataclass(frozen=True)
class Story:
    """What an execution came to: all that must not depend on how often it was stopped."""

    flow: str | None
    name: str
    status: str
    message: str | None
    outputs: dict[str, Any]
    log: list[tuple[str, str, dict[str, Any]]]
    shown: list[Any]
    children: list[Story] = field(default_factory=list)


class Stage:
    """`folder` holds the copy of the examples; `engine` is the door to what happens on the stage."""

    def __init__(self, path: Path) -> None:
        self.folder = path / "examples"
        shutil.copytree(EXAMPLES, self.folder, ignore=LEFT_BEHIND)
        self.store = open_store(f"sqlite:///{path}/flows.sqlite")
        self.engine = Engine(self.store, FlowLibrary(self.folder))

    def finish(self, execution: ExecutionView) -> ExecutionView:
        """Let a worker run the execution to its end, and all that it started."""

        async def work() -> None:
            over = asyncio.Event()
            loop = asyncio.get_running_loop()

            def look(_: object = None) -> None:
                if self.engine.execution(execution.id).status.is_final:
                    loop.call_soon_threadsafe(over.set)

            worker = Worker(self.engine, slots=2)
            dispose = self.engine.on_change(look)
            await worker.start()
            try:
                look()
                await over.wait()
                await worker.until_idle()
            finally:
                dispose()
                await worker.stop()

        asyncio.run(work())
        return self.engine.execution(execution.id)

    def run(self, flow: str, **inputs: Any) -> ExecutionView:
        return self.finish(self.engine.start(flow, inputs))

    def restore(self, execution: ExecutionView, name: str) -> ExecutionView:
        """Restore the savepoint of that name, as a click does, and run it to its end."""
        return self.finish(self.engine.restore(self.savepoint(execution, name).id))

    def savepoint(self, execution: ExecutionView, name: str) -> SavepointView:
        (found,) = [point for point in self.engine.savepoints(execution.id) if point.name == name]
        return found

    def connections(self, execution: ExecutionView) -> int:
        return sum(child.type == "CONNECTION" for child in self.engine.children(execution.id))

    def story(self, execution: ExecutionView) -> Story:
        children = self.engine.children(execution.id)
        names = {child.id: child.name for child in children}
        return Story(
            flow=execution.flow,
            name=execution.name,
            status=execution.status.value,
            message=execution.message,
            outputs=execution.output_value,
            log=[
                (line.level.value, line.text, _with_names(line.fields, names))
                for line in self.engine.log(execution.id)
            ],
            shown=self._shown(execution),
            children=[self.story(child) for child in children],
        )

    def _shown(self, execution: ExecutionView) -> list[Any]:
        """What the executed notebook shows, without pictures' bytes."""
        if execution.type != "FLOW":
            return []
        return [
            [
                {key: value for key, value in output.items() if key != "traceback"}
                for output in cell.get("outputs", [])
            ]
            for cell in self.engine.notebook(execution.id)["cells"]
        ]

    def close(self) -> None:
        self.engine.close()
        self.store.close()


def _with_names(fields: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Ids differ from run to run; names do not."""
    text = json.dumps(fields)
    for execution_id, name in names.items():
        text = text.replace(execution_id, f"<{name}>")
    return dict(json.loads(text))
