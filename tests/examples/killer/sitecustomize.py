"""Makes kernels die by SIGKILL at their Flow-API calls; loaded by Python at its start from PYTHONPATH.

`KILL_DIRECTORY` holds one file for each death, `KILL_MOMENT` says when a call's kernel dies:

- before: nothing has left the kernel
- sent: the call is on the wire; whether the worker commits it is a race
- answered: the call is committed and its answer has come, but no line of the flow has seen it
- ahead: the call is on the wire, and the flow would go on before it is committed; at the other moments,
  flows wait for every call

A kernel dies once at each savepoint that its execution stands at, so the call that killed it gets through
afterwards. `KILL_EVERY` = n lets n - 1 of n such places pass.
"""

import os
import signal
import sys
import zlib
from pathlib import Path


def die_once_at(place: str) -> None:
    every = int(os.environ.get("KILL_EVERY", "1"))
    if zlib.crc32(place.encode()) % every:
        return
    try:
        (Path(os.environ["KILL_DIRECTORY"]) / place).touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def arm() -> None:
    from jupyter_flows import protocol
    from jupyter_flows.kernel.link import Link

    moment = os.environ["KILL_MOMENT"]
    stands_at = {"execution": "none", "savepoint": "start"}
    wait_for_work, request, send = Link.wait_for_work, Link.request, Link.send
    send_ahead = Link.send_ahead
    fatal = (protocol.CallMade, protocol.Ended)

    def place() -> str:
        return f"{stands_at['execution']}-{stands_at['savepoint']}"

    def sending_ahead(link, message):
        send_ahead(link, message)
        die_once_at(f"{place()}-{message.seq}")

    def waiting_for_work(link):
        begin = wait_for_work(link)
        stands_at["execution"] = begin.execution_id
        stands_at["savepoint"] = begin.resume.savepoint_id if begin.resume else "start"
        return begin

    def sending(link, message):
        if moment == "before" and isinstance(message, fatal):
            die_once_at(place())
        send(link, message)
        if moment == "sent" and isinstance(message, fatal):
            die_once_at(place())

    def requesting(link, message, reply, *more):
        answer = request(link, message, reply, *more)
        if moment == "answered" and isinstance(message, fatal):
            die_once_at(place())
        if isinstance(answer, protocol.Answered) and answer.savepoint_id:
            stands_at["savepoint"] = answer.savepoint_id
        return answer

    Link.wait_for_work, Link.request, Link.send = waiting_for_work, requesting, sending
    if moment == "ahead":
        Link.send_ahead = sending_ahead
    else:
        Link.may_go_on = property(lambda _: False, lambda *_: None)


# Kernels are started as that module, or forked from its zygote.
if "KILL_DIRECTORY" in os.environ and any(arg.startswith("jupyter_flows.kernel") for arg in sys.orig_argv):
    arm()
