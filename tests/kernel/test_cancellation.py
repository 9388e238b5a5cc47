"""When a flow hears of its cancellation."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from jupyter_flows.errors import ExecutionCancel
from jupyter_flows.kernel.cancellation import Cancellation
from jupyter_flows.resumable import compile_unit


@pytest.fixture
def cancellation() -> Iterator[Cancellation]:
    before = signal.getsignal(signal.SIGUSR1)
    cancellation = Cancellation("an execution", was_told=False)
    cancellation.listen()
    yield cancellation
    signal.signal(signal.SIGUSR1, before)


def test_it_is_raised_in_the_flow_and_not_before_its_blocks_are_entered(cancellation: Cancellation) -> None:
    flow = compile_unit(
        "try:\n    entered = True\n    while True: pass\nfinally:\n    cleaned = entered\n", "flow.py"
    )
    namespace: dict[str, object] = {}
    before = []

    def go_on() -> None:
        with cancellation.run():
            cancellation.wish("an execution")
            before.append("a savepoint is loaded")
            exec(flow.code, namespace)

    with pytest.raises(ExecutionCancel):
        go_on()
    assert before == ["a savepoint is loaded"]
    assert cancellation.was_told
    assert namespace["cleaned"] is True


def test_it_waits_for_the_end_of_a_call(cancellation: Cancellation) -> None:
    ended = []

    def call() -> None:
        with cancellation.run(), cancellation.put_off():
            cancellation.wish("an execution")
            ended.append("the call")

    with pytest.raises(ExecutionCancel):
        call()
    assert ended == ["the call"]


def test_a_late_one_concerns_nobody_else(cancellation: Cancellation) -> None:
    with cancellation.run(), cancellation.put_off():
        cancellation.wish("the execution before")
    assert not cancellation.was_told
