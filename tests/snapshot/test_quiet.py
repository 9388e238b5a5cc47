"""Whether other threads ran is told for those that may touch an object, and for no others."""

from __future__ import annotations

import _thread
import signal
import sys
import threading

import pytest

from jupyter_flows.snapshot.quiet import Quiet

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it asks Linux")


class _Steps:
    """A thread that takes a step when it is told to."""

    def __init__(self) -> None:
        self.begin, self.done = threading.Semaphore(0), threading.Semaphore(0)
        self.goes_on = True

    def run(self) -> None:
        while self.begin.acquire() and self.goes_on:
            sum(range(100))
            self.done.release()
        self.done.release()

    def step(self) -> None:
        self.begin.release()
        self.done.acquire()

    def end(self) -> None:
        self.goes_on = False
        self.step()


def test_it_is_quiet_where_only_this_thread_runs() -> None:
    quiet = Quiet()
    assert sum(range(1000)) == 499500
    assert _holds_or_others_ran(quiet)
    assert _holds_or_others_ran(quiet)  # asked for each of several groups


def test_a_thread_that_takes_a_step_is_noticed() -> None:
    steps = _Steps()
    thread = threading.Thread(target=steps.run)
    thread.start()
    steps.step()
    quiet = Quiet()
    steps.step()
    assert not quiet.holds()
    assert not quiet.holds()  # nor when it stands still again
    steps.end()
    thread.join()


def test_a_thread_that_threading_does_not_know_is_noticed() -> None:
    steps = _Steps()
    _thread.start_new_thread(steps.run, ())
    steps.step()
    quiet = Quiet()
    steps.step()
    assert not quiet.holds()
    steps.end()


def test_a_thread_that_began_and_ended_meanwhile_is_noticed() -> None:
    quiet = Quiet()
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
    assert not quiet.holds()


def test_threads_without_python_do_not_count() -> None:
    numpy = pytest.importorskip("numpy")
    square = numpy.random.rand(700, 700)
    assert (square @ square).shape == (700, 700)  # its pool has started
    quiet = Quiet()
    assert (square @ square).shape == (700, 700)
    assert _holds_or_others_ran(quiet)


def test_it_is_never_quiet_where_the_flow_handles_signals() -> None:
    before = signal.signal(signal.SIGUSR2, lambda *_: None)
    try:
        assert not Quiet().holds()
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert _holds_or_others_ran(Quiet())


def _holds_or_others_ran(quiet: Quiet) -> bool:
    """A runner of tests has threads of its own, which may have run."""
    return quiet.holds() or len(sys._current_frames()) > 1
