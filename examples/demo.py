"""`make demo`: the flow flights/on_time runs, its kernels are killed half-way, and it goes on.

Everything happens in a folder of its own. The program says what happens, checks at the end that it happened
once, and exits with 0 only if so.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from jupyter_flows.engine import Engine, FlowLibrary, Worker
from jupyter_flows.store import open_store

EXAMPLES = Path(__file__).resolve().parent
PRIVATE = shutil.ignore_patterns("*.sqlite*", "remote_api.json", "__pycache__", ".ipynb_checkpoints")
# The kernels die once the parent has started this many of its five children.
CHILDREN_BEFORE_THE_KILL = 3
AIRLINES = {
    "Delta Air Lines Inc.": "ENDED_SUCCESS",
    "ExpressJet Airlines Inc.": "ENDED_SUCCESS",
    "JetBlue Airways": "ENDED_SUCCESS",
    "SkyWest Airlines Inc.": "ENDED_ERROR",  # on purpose: 32 flights are too few
    "United Air Lines Inc.": "ENDED_SUCCESS",
}
STARTED_AT = time.monotonic()


def say(text):
    print(f"{time.monotonic() - STARTED_AT:6.1f} s  {text}", flush=True)


class Teller:
    """Says what changes, and raises its flag when enough children have been started."""

    def __init__(self, engine):
        self.engine = engine
        self.half_way = threading.Event()
        self.known = {}
        self.children = set()
        self.lines = {}

    def __call__(self, change):
        execution = self.engine.execution(change.execution_id)
        who = "on_time" if execution.parent_id is None else f"    {execution.name}"
        if self.known.get(execution.id) != execution.status:
            self.known[execution.id] = execution.status
            say(f"{who}: {execution.status.lower()}{f', {execution.message}' if execution.message else ''}")
        if change.kind == "log":
            for line in self.engine.log(execution.id, after=self.lines.get(execution.id, 0)):
                self.lines[execution.id] = line.number
                say(f'{who}: logs "{line.text}" {json.dumps(line.fields)}')
        if execution.parent_id is not None:
            self.children.add(execution.id)
            if len(self.children) >= CHILDREN_BEFORE_THE_KILL:
                self.half_way.set()


def kernels():
    """Process ids of the kernels below this process; they are started by it, or forked from its zygote."""
    families = {os.getpid()}
    for process in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == os.getpid() and b"jupyter_flows.kernel.zygote" in command:
            families.add(int(process.name))
        elif parent in families and any(part.startswith(b"jupyter_flows.kernel") for part in command):
            yield int(process.name)


async def run(engine, folder):
    teller = Teller(engine)
    dispose = engine.on_change(teller)
    worker = Worker(engine, slots=2)
    await worker.start()
    try:
        execution = engine.start("flights/on_time")
        say(f"started flights/on_time as execution {execution.id}, in {folder}")
        await asyncio.to_thread(teller.half_way.wait)
        victims = list(kernels())
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        say(f"*** kill -9 of all kernels: {', '.join(map(str, victims))} ***")
        await worker.until_idle()
    finally:
        await worker.stop()
        dispose()
    return engine.execution(execution.id)


def faults(engine, execution):
    """What did not come out as it must; empty when all is well."""
    found = []
    if execution.status != "ENDED_SUCCESS":
        found.append(f"on_time ended with {execution.status}: {execution.message}")
    children = [(child.name, str(child.status)) for child in engine.children(execution.id)]
    if sorted(children) != sorted(AIRLINES.items()):
        found.append(f"the children are {children}")
    texts = [line.text for line in engine.log(execution.id)]
    if sorted(texts) != ["an airline is left out", "read"]:
        found.append(f"the log says {texts}")
    return found


def main():
    folder = Path(tempfile.mkdtemp(prefix="jupyter-flows-demo-"))
    shutil.copytree(EXAMPLES, folder / "examples", ignore=PRIVATE)
    store = open_store(f"sqlite:///{folder}/flows.sqlite")
    engine = Engine(store, FlowLibrary(folder / "examples"))
    try:
        execution = asyncio.run(run(engine, folder))
        found = faults(engine, execution)
        executed = folder / "on_time.executed.ipynb"
        executed.write_text(json.dumps(engine.notebook(execution.id), indent=1))
        savepoints = engine.savepoints(execution.id)
    finally:
        engine.close()
        store.close()
    for fault in found:
        say(f"wrong: {fault}")
    if found:
        return 1
    airlines = execution.output_value["figures"]
    for airline, figures in sorted(airlines.items(), key=lambda item: -item[1]["on_time"]):
        print(f"{airline:28} {figures['flights']:7,} flights, {figures['on_time']:.0%} on time")
    say(
        f"It went on where it was: {len(AIRLINES)} children, each started once, and every line logged once, "
        f"over {len(savepoints)} savepoints."
    )
    say(f"The executed notebook, with its picture: {executed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
