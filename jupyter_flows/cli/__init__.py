"""The command line: ``jupyter flows …``, which is the script ``jupyter-flows``.

Only the words are here, so that help and mistakes cost no imports; `commands` does the work.
Exit codes: 0 success, 1 an execution that ended otherwise or did not end, 2 a wrong call.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

SUCCESS, NOT_ENDED_WELL, WRONG_CALL = 0, 1, 2

_STATUSES = ("QUEUED", "RUNNING", "WAITING", "PAUSED", "ENDED_SUCCESS", "ENDED_ERROR", "ENDED_CANCELLED")
_TYPES = ("FLOW", "CONNECTION", "NOTEBOOK")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code."""
    options = _parser().parse_args(arguments)
    commands = import_module(".commands", __name__)
    command: Callable[[argparse.Namespace], int] = getattr(commands, options.command)
    from ..errors import EngineException

    try:
        return command(options)
    except EngineException as error:
        print(f"jupyter flows {options.command}: {' '.join(error.message.split())}", file=sys.stderr)
        return WRONG_CALL
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SUCCESS
    except KeyboardInterrupt:
        return NOT_ENDED_WELL


def _parser() -> argparse.ArgumentParser:
    from .. import __version__

    parser = argparse.ArgumentParser(
        prog="jupyter flows",
        description="Durable automations in notebooks and scripts: start flows, look at their executions, "
        "restore them to savepoints.",
        epilog="Exit codes: 0 success, 1 an execution that ended otherwise, 2 a wrong call.",
    )
    parser.add_argument("--version", action="version", version=f"jupyter flows {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--store",
        metavar="URL",
        help="sqlite:///PATH or postgresql://…; by default what JUPYTER_FLOWS_STORE says, else a file in "
        "Jupyter's data directory",
    )
    common.add_argument("--json", action="store_true", help="print JSON")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name, help=text, description=text[0].upper() + text[1:] + ".", parents=[common]
        )

    _add_running(add)
    _add_looking(add)
    _add_acting(add)
    return parser


_Add = Callable[[str, str], argparse.ArgumentParser]


def _add_running(add: _Add) -> None:
    run = add("run", "run a flow to its end and print the execution")
    start = add("start", "create an execution for a worker to run, and print its id")
    for command in (run, start):
        command.add_argument("flow", metavar="FLOW", help="name or path, below the root")
        _add_inputs(command)
        command.add_argument("--name", help="what the panels call it")
        command.add_argument(
            "--option",
            dest="options",
            action="append",
            default=[],
            metavar="NAME=JSON",
            help="in place of what the flow declares: --option retries=3 --option 'memory_limit=\"2 GB\"'",
        )
        command.add_argument("--key", help="start it once only: a repetition goes on with the same execution")
    worker = add("worker", "run what is due")
    worker.add_argument(
        "--engine", choices=("local", "dask"), default="local", help="who places it: this machine, or Dask"
    )
    worker.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="of Dask's scheduler, such as tcp://HOST:8786 (with --engine dask)",
    )
    worker.add_argument("--until-idle", action="store_true", help="stop when nothing runs and nothing is due")
    worker.add_argument(
        "--grace",
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="how long flows may compute to their next call when the worker is stopped (10)",
    )
    worker.add_argument(
        "--health-port", type=int, metavar="PORT", help="tell liveness, readiness and metrics there (HTTP)"
    )
    worker.add_argument(
        "--health-host", default="127.0.0.1", metavar="HOST", help="the address for that (127.0.0.1)"
    )
    worker.add_argument(
        "--savepoint-retention",
        type=_at_least_one,
        metavar="N",
        help="keep the N newest automatic savepoints of an execution whose flow does not say it (all)",
    )
    for command in (run, worker):
        command.add_argument(
            "--slots", type=_at_least_one, default=2, metavar="N", help="flows that compute at once (2)"
        )
    for command in (run, start, worker):
        command.add_argument(
            "--root", metavar="DIR", help="where flows are found (here, or beside a FLOW of elsewhere)"
        )


def _add_looking(add: _Add) -> None:
    executions = add("executions", "list executions, newest first")
    _add_filter(executions)
    executions.add_argument("--cursor", metavar="C", help="go on where the list before ended")
    executions.add_argument(
        "--limit", type=_at_least_one, default=50, metavar="N", help="at most so many (50)"
    )
    for name, text in (
        ("show", "show one execution"),
        ("children", "list the executions that it started"),
        ("savepoints", "list its savepoints"),
        ("log", "print its log"),
    ):
        command = add(name, text)
        command.add_argument("id", metavar="ID", help="of the execution")
        if name == "log":
            command.add_argument("--follow", action="store_true", help="go on until it has ended")
    add("variables", "list the variables in a savepoint").add_argument("savepoint", metavar="SAVEPOINT")
    diff = add("diff", "compare the variables of two savepoints")
    diff.add_argument("before", metavar="SAVEPOINT")
    diff.add_argument("after", metavar="SAVEPOINT")


def _add_acting(add: _Add) -> None:
    storage = add("storage", "show what takes the room in the store")
    storage.add_argument("--collect", action="store_true", help="free what nothing refers to any more")
    storage.add_argument(
        "--limit", type=_at_least_one, default=20, metavar="N", help="at most so many executions (20)"
    )
    restore = add("restore", "put an execution back to a savepoint; a worker goes on from there")
    restore.add_argument("savepoint", metavar="SAVEPOINT")
    restore.add_argument("--fork", action="store_true", help="start a new execution from it instead")
    restore.add_argument("--name", help="what the panels call the new execution (with --fork)")
    _add_inputs(restore, " (with --fork)")
    restore.add_argument(
        "--code",
        choices=("saved", "current"),
        default="saved",
        help="go on in the code as it was (saved), or as the flow's file is now (current)",
    )
    restore.add_argument(
        "--set",
        dest="changes",
        action="append",
        default=[],
        metavar="NAME=JSON",
        help="another value for a variable: --set rate=0.2; @FILE reads the JSON from a file",
    )
    again = add("again", "start a new execution with the inputs of one, and print its id")
    again.add_argument("id", metavar="ID", help="of the execution")
    again.add_argument("--name", help="what the panels call it")
    again.add_argument(
        "--same-code", action="store_true", help="the version that it ran, not the flow as it is now"
    )
    for name, text in (
        ("cancel", "wish that executions end"),
        ("pause", "wish that executions rest from their next call on"),
        ("resume", "let paused executions go on"),
        ("archive", "delete the savepoints of ended executions"),
        ("delete", "remove ended executions with their descendants"),
    ):
        command = add(name, text)
        command.add_argument("ids", nargs="*", metavar="ID", help="of an execution")
        _add_filter(command)


def _add_filter(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--status", type=str.upper, choices=_STATUSES, metavar="S", help=", ".join(_STATUSES)
    )
    command.add_argument("--flow", metavar="F", help="of this flow only")
    command.add_argument("--type", type=str.upper, choices=_TYPES, metavar="T", help=", ".join(_TYPES))
    command.add_argument("--name", metavar="N", help="of this name only")
    command.add_argument("--owner", metavar="O", help="that this person started")
    command.add_argument("--parent", metavar="ID", help="children of this execution only")
    command.add_argument("--roots", action="store_true", help="without children of others")
    command.add_argument(
        "--text", metavar="T", help="with this text in their id, name, flow, message, inputs or log"
    )
    command.add_argument(
        "--since", metavar="TIME", help="created then or later: 2026-03-01T12:00, or 30m, 12h, 14d ago"
    )
    command.add_argument("--until", metavar="TIME", help="created before")


def _add_inputs(command: argparse.ArgumentParser, when: str = "") -> None:
    command.add_argument(
        "-i",
        "--input",
        dest="inputs",
        action="append",
        default=[],
        metavar="KEY=JSON",
        help=f"an input{when}: -i size=3 -i 'region=\"north\"'; @FILE reads the JSON from a file",
    )


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number
