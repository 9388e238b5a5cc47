"""Makes a store as this version writes it, with every status in it: `python -m tests.museum.make_store`.

Run it before each change of the tables, and commit what it writes, `stores/SCHEMA.sqlite.gz`. Such a store is
never made again: it stands for those that people have, with which every later version must go on.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_flows.engine import Engine, FlowLibrary, Worker
from jupyter_flows.model import Status
from jupyter_flows.store import open_store

STORES = Path(__file__).parent / "stores"
KEY = "museum"
#: Long enough for the store to be written, and over for ever after.
NAP = 120

FLOWS = {
    "sleeper": f"""
def handler(system, this):
    found = {{"rows": list(range(5))}}
    this.log("before the sleep")
    for row in found["rows"]:
        if row == 2:
            this.sleep({NAP})
    found["rows"].append("slept")
    this.set_output("found", found)
    this.log("after the sleep")
""",
    "parent": """
def handler(system, this):
    children = [this.flow("sleeper", wait=False) for _ in range(2)]
    this.log("waits for two")
    this.wait_for(*children)
    this.set_output("rows", [child.get("output_value")["found"]["rows"][-1] for child in children])
""",
    "computing": f"""
import time

def handler(system, this):
    total = sum(range(10))
    ends_at = time.time() + {NAP}
    this.log("computes")
    while time.time() < ends_at:
        time.sleep(0.05)
    this.set_output("total", total)
""",
    "ended": """
def handler(system, this):
    parts = ["kept"]
    this.create_savepoint("before the end")
    this.set_output("parts", parts + ["at the end"])
    return this.success("well done")
""",
    "failing": "def handler(system, this):\n    raise ValueError('as it should')\n",
}


async def until(engine: Engine, execution_id: str, wanted: Any) -> None:
    while not wanted(engine.execution(execution_id)):
        await asyncio.sleep(0.05)


async def fill(engine: Engine, keep: Callable[[], None]) -> None:
    """Start everything, and keep the store when each is where it should be."""
    worker = Worker(engine, slots=8, sleep_max_seconds=0.0)
    await worker.start()
    ids = {name: engine.start(name, name=name).id for name in FLOWS}
    ids |= {name: engine.start("sleeper", name=name).id for name in ("paused", "cancelled")}
    for name in ("ended", "failing"):
        await until(engine, ids[name], lambda view: view.status.is_final)
    for name in ("sleeper", "parent", "paused", "cancelled"):
        await until(engine, ids[name], lambda view: view.status is Status.WAITING)
    for child in engine.children(ids["parent"]):
        await until(engine, child.id, lambda view: view.status is Status.WAITING)
    engine.pause(ids["paused"])
    engine.cancel(ids["cancelled"])
    await until(engine, ids["cancelled"], lambda view: view.status.is_final)
    await until(engine, ids["computing"], lambda view: view.savepoints >= 1)
    worker.slots = 0  # it takes nothing more
    engine.start("ended", name="queued")
    keep()


def keep(path: Path) -> None:
    """What the store at `path` is now, as after a failure of power: what runs stays claimed."""
    copy = sqlite3.connect(path.with_name("copy.db"))
    with sqlite3.connect(path) as written:
        written.backup(copy)
    copy.execute("PRAGMA journal_mode = DELETE")
    copy.execute("VACUUM")
    (schema,) = copy.execute("SELECT version_num FROM alembic_version").fetchone()
    copy.close()
    where = STORES / f"{schema}.sqlite.gz"
    if where.exists():
        print(f"{where} exists: such a store is never made again")
        os._exit(1)
    STORES.mkdir(exist_ok=True)
    where.write_bytes(gzip.compress(path.with_name("copy.db").read_bytes(), mtime=0))
    print(where, flush=True)
    os._exit(0)


def main() -> None:
    os.environ["JUPYTER_FLOWS_KEY"] = KEY
    root = Path(tempfile.mkdtemp())
    for name, source in FLOWS.items():
        (root / f"{name}.py").write_text(source)
    path = root / "store.db"
    engine = Engine(open_store(f"sqlite:///{path}"), FlowLibrary(root))
    asyncio.run(fill(engine, lambda: keep(path)))


if __name__ == "__main__":
    main()
