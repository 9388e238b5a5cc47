"""What each command does: a call of the engine, and what is printed of its answer.

Every public function is a command; it takes the parsed options and returns the exit code.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from ..engine import upkeep
from ..engine.flows import FlowLibrary
from ..engine.many import Action, Outcome, act_on, ids_of
from ..engine.places import owner_concurrent, store_url
from ..engine.service import Engine, now
from ..errors import InvalidInputError
from ..model import ExecutionType, ExecutionView, LogLine, Status
from ..store import ExecutionFilter, open_store
from . import NOT_ENDED_WELL, SUCCESS, printing
from .running import Following, living_workers, place_on_dask, run_to_end, work


@contextmanager
def _engine(options: argparse.Namespace) -> Iterator[Engine]:
    root = _root(options)
    if not os.path.isdir(root):
        raise InvalidInputError(f"there is no directory {root}: give another --root")
    store = open_store(store_url(options.store))
    engine = Engine(store, FlowLibrary(root), owner_concurrent=owner_concurrent())
    try:
        yield engine
    finally:
        engine.close()
        store.close()


# --- run ----------------------------------------------------------------------------------------


def run(options: argparse.Namespace) -> int:
    # What a worker of ours has to say of this execution is printed with it.
    logging.getLogger("jupyter_flows").addHandler(logging.NullHandler())
    with _engine(options) as engine:
        inputs = _inputs(options)
        started = _started(engine, options, inputs)
        on_line = None if options.json else _print_log_line
        ended = asyncio.run(run_to_end(engine, started.id, options.slots, on_line))
        if ended is None:
            _say(
                f"execution {started.id} is kept: `jupyter flows worker --until-idle` goes on with it, "
                f"`jupyter flows cancel {started.id}` ends it"
            )
            return NOT_ENDED_WELL
        printing.execution(ended, options.json)
        if ended.status is not Status.ENDED_SUCCESS:
            _say(_advice(ended))
        return _code(ended)


def start(options: argparse.Namespace) -> int:
    with _engine(options) as engine:
        started = _started(engine, options, _inputs(options))
        if options.json:
            printing.as_json(started)
        else:
            print(started.id)
    return SUCCESS


def worker(options: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    if (options.engine == "dask") != (options.scheduler is not None):
        raise InvalidInputError("--engine dask and --scheduler ADDRESS belong together: give both or none")
    with _engine(options) as engine:
        if options.engine == "dask":
            root, url = str(engine.library.root), store_url(options.store)
            asyncio.run(place_on_dask(options.scheduler, url, root, options.slots, options.grace, _say))
            return SUCCESS
        asyncio.run(
            work(
                engine,
                options.slots,
                options.until_idle,
                _say,
                grace_seconds=options.grace,
                health_port=options.health_port,
                health_host=options.health_host,
                savepoint_retention=options.savepoint_retention,
            )
        )
    return SUCCESS


# --- look ---------------------------------------------------------------------------------------


def executions(options: argparse.Namespace) -> int:
    with _engine(options) as engine:
        found = msgspec.structs.asdict(_filter(options))
        page = engine.executions(**{**found, "limit": options.limit, "cursor": options.cursor})
        if options.json:
            printing.as_json({"executions": page.executions, "next": page.next})
        else:
            printing.executions(page.executions)
            if page.next is not None:
                _say(f"there are more than {options.limit}: see them with --cursor {page.next}, or --limit")
    return SUCCESS


def show(options: argparse.Namespace) -> int:
    with _engine(options) as engine:
        printing.execution(engine.execution(options.id), options.json)
    return SUCCESS


def children(options: argparse.Namespace) -> int:
    with _engine(options) as engine:
        found = engine.children(options.id)
        if options.json:
            printing.as_json({"executions": found})
        else:
            printing.executions(found)
    return SUCCESS


def savepoints(options: argparse.Namespace) -> int:
    with _engine(options) as engine:
        found = engine.savepoints(options.id)
        if options.json:
            printing.as_json({"savepoints": found})
        else:
            printing.savepoints(found)
    return SUCCESS


def log(options: argparse.Namespace) -> int:
    with _engine(options) as engine:
        if options.follow:
            on_line = printing.as_json_line if options.json else _print_log_line_out
            asyncio.run(Following(engine, options.id, on_line).until_end())
            return SUCCESS
        found, part = [], engine.log(options.id)
        while part:
            found += part
            part = engine.log(options.id, after=part[-1].number)
        if options.json:
            printing.as_json({"log": found})
        else:
            for line in found:
                _print_log_line_out(line)
    return SUCCESS


def variables(options: argparse.Namespace) -> int:
    with _engine(options) as engine:
        found = engine.variables(options.savepoint)
        if options.json:
            printing.as_json({"variables": found})
        else:
            printing.variables(found)
    return SUCCESS


def diff(options: argparse.Namespace) -> int:
    """Compares by what was kept of each variable; nothing is loaded."""
    with _engine(options) as engine:
        found = engine.difference(options.before, options.after)
    if options.json:
        printing.as_json(
            {
                "added": [change.after for change in found if change.kind == "added"],
                "removed": [change.before for change in found if change.kind == "removed"],
                "changed": [
                    {"before": change.before, "after": change.after, "detail": change.detail}
                    for change in found
                    if change.kind == "changed"
                ],
                "same": sum(change.kind == "same" for change in found),
            }
        )
    else:
        printing.difference(found)
    return SUCCESS


def storage(options: argparse.Namespace) -> int:
    with _engine(options) as engine:
        collected = upkeep.collect(engine, _grace(engine)) if options.collect else None
        found = upkeep.storage(engine)
        if options.json:
            printing.as_json({"storage": found, "collected": collected})
            return SUCCESS
        if collected is not None:
            printing.collected(collected)
        printing.storage(found, options.limit)
    return SUCCESS


def _grace(engine: Engine) -> timedelta:
    """None is needed where nobody can be about to commit something."""
    notebooks = engine.executions(type=ExecutionType.NOTEBOOK, status=Status.RUNNING, limit=1).executions
    return upkeep.GRACE if notebooks or living_workers(engine) else timedelta(0)


# --- act ----------------------------------------------------------------------------------------


def restore(options: argparse.Namespace) -> int:
    if not options.fork and (options.inputs or options.name):
        raise InvalidInputError("-i and --name start something new: give --fork too, or leave them out")
    changes = _values(options.changes, "variable", "--set")
    with _engine(options) as engine:
        if options.fork:
            found = engine.fork(
                options.savepoint,
                inputs=_inputs(options),
                name=options.name,
                code=options.code,
                changes=changes,
            )
        else:
            found = engine.restore(options.savepoint, code=options.code, changes=changes)
        _print_decided(found, options)
    return SUCCESS


def again(options: argparse.Namespace) -> int:
    with _engine(options) as engine:
        found = engine.again(options.id, same_code=options.same_code, name=options.name, owner=_person())
        if options.json:
            printing.as_json(found)
        else:
            print(found.id)
    return SUCCESS


def cancel(options: argparse.Namespace) -> int:
    return _many(options, Action.CANCEL)


def pause(options: argparse.Namespace) -> int:
    return _many(options, Action.PAUSE)


def resume(options: argparse.Namespace) -> int:
    return _many(options, Action.RESUME)


def archive(options: argparse.Namespace) -> int:
    return _many(options, Action.ARCHIVE)


def delete(options: argparse.Namespace) -> int:
    return _many(options, Action.DELETE)


def _many(options: argparse.Namespace, action: Action) -> int:
    """One execution is printed as it is then; of several, and of those that a filter finds, what became."""
    wanted = _filter(options)
    if bool(options.ids) == (wanted != ExecutionFilter()):
        raise InvalidInputError(
            "give ids of executions, or options that find them, such as --flow or --status"
        )
    with _engine(options) as engine:
        if len(options.ids) == 1 and action is not Action.DELETE:
            act = getattr(engine, action.value)
            _print_decided(act(options.ids[0]), options)
            return SUCCESS
        if len(options.ids) == 1:
            engine.delete(options.ids[0])
            outcome = Outcome(done=options.ids)
        else:
            outcome = act_on(engine, action, options.ids or list(ids_of(engine, wanted)), owner=_person())
    if options.json:
        printing.as_json(outcome)
    else:
        for execution_id in outcome.done:
            print(execution_id)
        for refusal in outcome.refused:
            _say(" ".join(refusal.error.message.split()))
    return NOT_ENDED_WELL if outcome.refused else SUCCESS


# --- helpers ------------------------------------------------------------------------------------


def _root(options: argparse.Namespace) -> str:
    """Where flows are found: as said, else here; the directory of a file that lies elsewhere."""
    root: str | None = getattr(options, "root", None)
    if root is not None:
        return root
    flow = os.path.realpath(getattr(options, "flow", None) or "")
    is_elsewhere = os.path.isfile(flow) and not flow.startswith(os.path.join(os.path.realpath("."), ""))
    return os.path.dirname(flow) if is_elsewhere else "."


def _started(engine: Engine, options: argparse.Namespace, inputs: dict[str, Any]) -> ExecutionView:
    return engine.start(
        options.flow,
        inputs,
        name=options.name,
        key=options.key,
        options=_values(options.options, "option", "--option"),
        owner=_person(),
    )


def _person() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # this user id has no name
        return None


def _filter(options: argparse.Namespace) -> ExecutionFilter:
    return ExecutionFilter(
        status=Status(options.status) if options.status else None,
        flow=options.flow,
        text=options.text,
        type=ExecutionType(options.type) if options.type else None,
        name=options.name,
        owner=options.owner,
        parent_id=options.parent,
        roots_only=options.roots,
        created_after=_instant(options.since),
        created_before=_instant(options.until),
    )


def _instant(text: str | None) -> datetime | None:
    """An instant in ISO 8601, here where the zone is left out, or a time before now: 30m, 12h, 14d."""
    if text is None:
        return None
    if ago := re.fullmatch(r"(\d+)([mhd])", text):
        return (
            now()
            - int(ago[1])
            * {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}[ago[2]]
        )
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        raise InvalidInputError(
            f"{text!r} is no time: write 2026-03-01T12:00, or 30m, 12h, 14d for a time before now"
        ) from None


def _inputs(options: argparse.Namespace) -> dict[str, Any]:
    """The inputs of ``-i KEY=JSON``. Raises InvalidInputError."""
    return _values(options.inputs, "input", "-i")


def _values(texts: list[str], what: str, option: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise InvalidInputError(f"the {what} {text!r} is not KEY=JSON")
        try:
            found[key] = msgspec.json.decode(_content(value))
        except msgspec.DecodeError:
            quoted = msgspec.json.encode(value).decode()
            raise InvalidInputError(
                f"the {what} {key} is not JSON: for a text write {option} '{key}={quoted}'"
            ) from None
    return found


def _content(value: str) -> bytes:
    if not value.startswith("@"):
        return value.encode(errors="surrogateescape")
    try:
        with open(value[1:], "rb") as file:
            return file.read()
    except OSError as error:
        raise InvalidInputError(f"the file {value[1:]} cannot be read: {error.strerror}") from None


def _code(execution: ExecutionView) -> int:
    return SUCCESS if execution.status is Status.ENDED_SUCCESS else NOT_ENDED_WELL


def _advice(ended: ExecutionView) -> str:
    """One line that says what to do."""
    if not ended.savepoints:
        how = "was cancelled" if ended.status is Status.ENDED_CANCELLED else "failed"
        return f"execution {ended.id} {how} before its first savepoint: start its flow again"
    if ended.status is Status.ENDED_CANCELLED:
        return (
            f"execution {ended.id} was cancelled; `jupyter flows savepoints {ended.id}` lists what it can be "
            "restored to"
        )
    return (
        f"execution {ended.id} failed; mend the cause, then `jupyter flows savepoints {ended.id}` and "
        "`jupyter flows restore SAVEPOINT`"
    )


def _print_decided(execution: ExecutionView, options: argparse.Namespace) -> None:
    if options.json:
        printing.as_json(execution)
        return
    wish = f", {execution.wish.value} is wished" if execution.wish else ""
    print(f"{execution.id} {execution.status.value}{wish}")


def _print_log_line(line: LogLine) -> None:
    print(printing.log_line(line), file=sys.stderr, flush=True)


def _print_log_line_out(line: LogLine) -> None:
    print(printing.log_line(line), flush=True)


def _say(text: str) -> None:
    print(f"jupyter flows: {text}", file=sys.stderr, flush=True)
