"""Chaos: hundreds of executions run while everything that runs them is killed and stopped, by a seed.

``python -m tests.crash.chaos [--minutes M] [--seed S] [--store sqlite|postgresql]`` runs it for long;
`test_chaos` runs a short one. The schedule of faults comes from the seed; when each fault falls into the
work depends on the machine, so that the same seed finds the same kind of trouble, not the same instant.

What must hold in the end: every execution that was accepted has ended, with every line, child and output
once; no two workers ever held a lease with one epoch; a call to the service outside was repeated with its
own idempotency key alone; the database finds itself whole.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from jupyter_flows.engine import Engine, FlowLibrary
from jupyter_flows.errors import ConflictError, StoreError
from jupyter_flows.model import ExecutionView, LogLine, Status
from jupyter_flows.store import Page, open_store

from ..store import postgresql
from . import flows
from .audit import Audit
from .outside import Service
from .victims import JupyterServer, Victim, WorkerProcess

LEASE = 3.0  # seconds
#: With no change in the store for so long, what is still open is taken to be stuck: seconds.
STUCK = float(os.environ.get("CHAOS_STUCK") or 120.0)
_IN_FLIGHT = 12


class Chaos:
    """One run over the store at `url`; `database` is its server, where there is one."""

    def __init__(
        self,
        directory: Path,
        url: str,
        seed: int,
        *,
        workers: int = 3,
        database: postgresql.Server | None = None,
        servers: int = 2,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.chance = random.Random(seed)
        self.directory = directory
        self.url = url
        self.database = database
        self.say = say
        self.root = directory / "flows"
        flows.write(self.root)
        self.store = open_store(url)
        self.audit = Audit(url)
        self.engine = Engine(self.store, FlowLibrary(self.root))
        self.service = Service()
        options = json.dumps(
            {"lease_seconds": LEASE, "slots": 3, "kept_kernels": 4, "sleep_max_seconds": 0.3}
        )
        self.workers: list[Victim] = [
            WorkerProcess(f"worker{n}", directory, url, self.root, options) for n in range(workers)
        ]
        self.servers = [JupyterServer(f"server{n}", directory, url, self.root) for n in range(servers)]
        self.accepted: dict[str, tuple[str, dict[str, Any]]] = {}
        #: Executions that a person has interfered with: they end somehow.
        self.touched: set[str] = set()
        self.faults: list[str] = []
        self._news = threading.Event()
        self._dispose = self.engine.on_change(lambda _: self._news.set())

    @property
    def victims(self) -> list[Victim]:
        return [*self.workers, *self.servers]

    def run(self, roots: int = 0, seconds: float = 0.0, faults: int = 0) -> None:
        """Start so many executions, or as many as there is time for, under so many faults at least; then let
        all of it end and check."""
        for victim in self.victims:
            victim.start()
        deadline = time.monotonic() + seconds
        while len(self.accepted) < roots or len(self.faults) < faults or time.monotonic() < deadline:
            self._refill(roots)
            self._commits(self.chance.randint(3, 40), 2.0)
            self._fault()
        self._mend()
        self._until_all_ended()

    def close(self) -> None:
        if self.database is not None:
            self.database.go_on()
        for victim in self.victims:
            victim.kill()
        self._dispose()
        self.engine.close()
        self.store.close()
        self.audit.close()
        self.service.close()

    # --- what is started

    def _refill(self, roots: int) -> None:
        most = roots - len(self.accepted) if roots else _IN_FLIGHT
        wanted = min(_IN_FLIGHT - self._open_count(), most)
        for _ in range(max(0, wanted)):
            self._start()

    def _open_count(self) -> int:
        with contextlib.suppress(StoreError):
            return sum(not self.engine.execution(one).status.is_final for one in self.accepted)
        return _IN_FLIGHT

    def _start(self) -> None:
        """Start one, asking again with its key until it was accepted by somebody."""
        flow = self.chance.choices(["order", "counting", "cells"], [5, 3, 2])[0]
        key = f"{len(self.accepted)}-{uuid4().hex[:6]}"
        inputs: dict[str, Any] = {}
        if flow == "order":
            children = self.chance.randint(1, 4)
            inputs = {"token": key, "url": self.service.url, "children": children, "sleep": 0.4}
        elif flow == "counting":
            inputs = {"count": self.chance.choice([5, 20, 40])}
        for server in self.chance.sample(self.servers, len(self.servers)):
            with contextlib.suppress(httpx.HTTPError, KeyError):
                answer = server.http.post("executions", json={"flow": flow, "inputs": inputs, "key": key})
                self.accepted[answer.raise_for_status().json()["id"]] = (flow, inputs)
                return
        with contextlib.suppress(StoreError):
            self.accepted[self.engine.start(flow, inputs, key=key).id] = (flow, inputs)

    def _commits(self, count: int, seconds: float) -> None:
        """Wait for changes in the store, at most for a while each."""
        for _ in range(count):
            self._news.clear()
            if not self._news.wait(seconds):
                return

    # --- what goes wrong

    def _fault(self) -> None:
        faults: list[tuple[float, Callable[[], None]]] = [
            (4, self._kill_a_worker),
            (3, self._freeze_a_worker),
            (3, self._kill_a_kernel),
            (1, self._kill_a_zygote),
            (1, self._freeze_a_kernel),
            (1, self._end_a_worker),
            (0.5, self._kill_all),
            (1.5, self._a_person_interferes),
        ]
        if self.servers:
            faults += [(1, self._kill_a_server), (0.7, self._freeze_a_server)]
        if self.database is not None:
            faults += [(1.5, self._kill_the_database), (1, self._freeze_the_database)]
        fault = self.chance.choices([one for _, one in faults], [weight for weight, _ in faults])[0]
        self.faults.append(fault.__name__)
        self.say(fault.__name__.strip("_"))
        fault()

    def _kill_a_worker(self) -> None:
        worker = self.chance.choice(self.workers)
        worker.kill()
        worker.start()

    def _end_a_worker(self) -> None:
        worker = self.chance.choice(self.workers)
        worker.kill(signal.SIGTERM)
        worker.start()

    def _frozen(self, victim: Victim, commits: int, seconds: float) -> None:
        victim.stop()
        self._commits(commits, seconds)
        victim.go_on()

    def _freeze_a_worker(self) -> None:
        """Longer than its lease, or not."""
        seconds = self.chance.choice([0.5, LEASE + 1.5])
        worker = self.chance.choice(self.workers)
        worker.stop()
        threading.Event().wait(seconds)
        worker.go_on()

    def _kill_a_kernel(self) -> None:
        kernels = self.chance.choice(self.victims).kernels()
        if kernels:
            _send(self.chance.choice(kernels), signal.SIGKILL)

    def _kill_a_zygote(self) -> None:
        for zygote in self.chance.choice(self.victims).zygotes():
            _send(zygote, signal.SIGKILL)

    def _freeze_a_kernel(self) -> None:
        kernels = self.chance.choice(self.victims).kernels()
        if kernels:
            kernel = self.chance.choice(kernels)
            _send(kernel, signal.SIGSTOP)
            self._commits(20, 1.0)
            _send(kernel, signal.SIGCONT)

    def _kill_all(self) -> None:
        """As when the machine's power fails."""
        if self.database is not None:
            self.database.kill()
        for victim in self.victims:
            victim.kill()
        if self.database is not None:
            self.database.start()
        for victim in self.victims:
            victim.start()

    def _kill_a_server(self) -> None:
        server = self.chance.choice(self.servers)
        server.kill()
        server.start()

    def _freeze_a_server(self) -> None:
        self._frozen(self.chance.choice(self.servers), 20, 1.0)

    def _kill_the_database(self) -> None:
        assert self.database is not None
        self.database.kill()
        self._commits(1, self.chance.choice([0.0, 1.0, 3.0]))
        self.database.start()

    def _freeze_the_database(self) -> None:
        assert self.database is not None
        self.database.freeze()
        threading.Event().wait(self.chance.choice([0.3, 2.0]))
        self.database.go_on()

    def _a_person_interferes(self) -> None:
        """Cancels, pauses or restores something; what was touched must end all the same."""
        with contextlib.suppress(StoreError, ConflictError):
            open_ones = [one for one in self.accepted if not self.engine.execution(one).status.is_final]
            if not open_ones:
                return
            target = self.chance.choice(open_ones)
            self.touched.add(target)
            act = self.chance.choice([self.engine.cancel, self._pause_and_resume, self._restore])
            act(target)

    def _pause_and_resume(self, execution_id: str) -> None:
        self.engine.pause(execution_id)
        self._commits(5, 0.5)
        self.engine.resume(execution_id)

    def _restore(self, execution_id: str) -> None:
        exact = [one.id for one in self.engine.savepoints(execution_id) if one.exact]
        if exact:
            self.engine.restore(self.chance.choice(exact))

    # --- the end

    def _mend(self) -> None:
        self.say("no more faults")
        if self.database is not None:
            self.database.go_on()
        for victim in self.victims:
            victim.go_on()
            if not victim.is_alive:
                victim.start()
        for execution_id in self.touched:
            with contextlib.suppress(ConflictError):
                if self.engine.execution(execution_id).status is Status.PAUSED:
                    self.engine.resume(execution_id)

    def _until_all_ended(self) -> None:
        while True:
            self._news.clear()
            open_ones = [one for one in self._everything() if not one.status.is_final]
            if not open_ones:
                return
            if not self._news.wait(STUCK):
                if os.environ.get("CHAOS_WAIT"):
                    self.say(f"stuck: {open_ones}")
                    input()
                raise AssertionError(f"nothing happens any more, and these are open: {open_ones}")

    def _everything(self) -> Iterator[ExecutionView]:
        cursor: str | None = ""
        while cursor is not None:
            page = self._asked(cursor)
            yield from page.executions
            cursor = page.next

    def _asked(self, cursor: str) -> Page:
        """A part of all executions; the database may still be coming back."""
        while True:
            with contextlib.suppress(StoreError):
                return self.engine.executions(limit=1000, cursor=cursor or None)
            self._commits(1, 0.2)

    def wrong(self) -> list[str]:
        """What must not be, and is."""
        found = self.audit.violations()
        everything = {one.id: one for one in self._everything()}
        children: dict[str, list[ExecutionView]] = {}
        for one in sorted(everything.values(), key=lambda one: one.id):
            children.setdefault(one.parent_id or "", []).append(one)
        known = {one.id for one in children.get("", ())}
        found += [f"execution {one} was accepted and is not there" for one in self.accepted.keys() - known]
        spoilt = self._spoilt(everything, children)
        for one in everything.values():
            if one.id not in spoilt and one.type == "FLOW":
                found += self._differences(one, children.get(one.id, []))
            if one.id not in self.touched:
                found += self._gaps(one)
        put_back = {self.accepted[one][1].get("token") for one in self.touched}
        for token, keys in self.service.tokens.items():
            if len(keys) > 1 and "-".join(token.split("-")[:2]) not in put_back:
                found.append(f"the service heard of {token} with {len(keys)} keys")
        unknown = self.service.keys.keys() - everything.keys()
        found += [f"the key {key} is that of no execution" for key in unknown]
        orders = [one for one in known if one not in spoilt and everything[one].flow == "order"]
        found += self._misbooked([everything[one].input_value["token"] for one in orders])
        deaths = [one for one in everything.values() if one.error and one.error.type == "KernelDiedError"]
        if len(deaths) > 0.05 * len(everything) + 2:
            found.append(
                f"{len(deaths)} of {len(everything)} executions gave up after deaths of their kernels"
            )
        return found

    def _misbooked(self, tokens: list[str]) -> list[str]:
        """Each order has written itself once into a setting, after what was there, under its lock."""
        with self.store.reading() as transaction:
            book = transaction.setting("book")
        entries: list[str] = book.value if book is not None else []
        found = [
            f"{one} is {entries.count(one)} times in the book" for one in tokens if entries.count(one) != 1
        ]
        if book is not None and book.version != len(entries):
            found.append(f"the book was written {book.version} times and has {len(entries)} entries")
        return found

    def _spoilt(self, everything: dict[str, Any], children: dict[str, list[Any]]) -> set[str]:
        """Those that need not end well: touched by a person, or with three deaths at one savepoint, and
        whoever started them or was started by them."""
        spoilt = {
            one.id
            for one in everything.values()
            if one.id in self.touched or (one.error and one.error.type == "KernelDiedError")
        }
        for one in list(spoilt):
            while (parent := everything[one].parent_id) is not None:
                spoilt.add(parent)
                one = parent
        below = list(spoilt & self.touched)
        while below:
            for child in children.get(below.pop(), ()):
                spoilt.add(child.id)
                below.append(child.id)
        return spoilt

    def _differences(self, one: ExecutionView, children: list[ExecutionView]) -> list[str]:
        if one.input_value.get("n") == -1:
            return [] if one.status is Status.ENDED_ERROR else [f"{one.id} should have failed: {one}"]
        assert one.flow is not None
        wanted = flows.expected(one.flow, one.input_value)
        lines: list[LogLine] = self.engine.log(one.id)
        is_ = {
            "log": [line.text for line in lines],
            "children": [child.input_value.get("n") for child in children if child.type == "FLOW"],
            "output": one.output_value,
        }
        found = [] if one.status is Status.ENDED_SUCCESS else [f"{one.flow} {one.id} ended otherwise: {one}"]
        return found + [
            f"{one.flow} {one.id}: {what} should be {wanted[what]} and is {is_[what]}"
            for what in wanted
            if is_[what] != wanted[what]
        ]

    def _gaps(self, one: ExecutionView) -> list[str]:
        """Savepoints of an execution that nobody put back are one line without branches."""
        before, found = None, []
        for number, savepoint in enumerate(self.engine.savepoints(one.id), start=1):
            if savepoint.number != number or (savepoint.parent_id != before and savepoint.exact):
                found.append(f"savepoint {savepoint.number} of {one.id} does not follow the one before it")
            before = savepoint.id
        return found


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


@contextmanager
def chaos_on(kind: str, directory: Path, seed: int, **options: Any) -> Iterator[Chaos]:
    """Chaos on a fresh store of this kind ("sqlite" or "postgresql"). Everything is ended afterwards."""
    with contextlib.ExitStack() as stack:
        database = None
        url = f"sqlite:///{directory}/store.db"
        if kind == "postgresql":
            database = stack.enter_context(postgresql.server())
            url = database.url("chaos")
        chaos = Chaos(directory, url, seed, database=database, **options)
        stack.callback(chaos.close)
        yield chaos


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.crash.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=float(os.environ.get("CHAOS_MINUTES") or 5))
    parser.add_argument("--seed", type=int, default=int(os.environ.get("CHAOS_SEED") or time.time()))
    parser.add_argument("--store", choices=["sqlite", "postgresql"], action="append")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    stores = options.store or ["sqlite", "postgresql"]
    for kind in stores:
        directory = Path(tempfile.mkdtemp(prefix="chaos-"))
        minutes = options.minutes / len(stores)
        print(f"chaos on {kind}, seed {options.seed}, {minutes:g} minutes, in {directory}", flush=True)
        begun = time.monotonic()

        def say(text: str, begun: float = begun) -> None:
            print(f"{time.monotonic() - begun:7.1f} s  {text}", flush=True)

        with chaos_on(kind, directory, options.seed, say=say) as chaos:
            try:
                chaos.run(seconds=minutes * 60)
                wrong = chaos.wrong()
            except AssertionError as error:
                wrong = [str(error)]
            count = len(list(chaos._everything()))
            say(f"{len(chaos.accepted)} started, {count} executions, {len(chaos.faults)} faults")
        if wrong:
            print("\n".join(wrong))
            sys.exit(f"seed {options.seed} on {kind}: {len(wrong)} things are wrong; see {directory}")
    print("all is as it should be")


if __name__ == "__main__":
    main()
