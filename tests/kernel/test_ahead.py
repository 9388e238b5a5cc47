"""A flow goes on ahead of its commits, but nothing of it is seen outside before they are done."""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_flows import model, protocol
from jupyter_flows.kernel import fence
from jupyter_flows.kernel import link as link_module
from jupyter_flows.kernel.link import Link


class Worker:
    """Reads what a link sends, and says Committed when it is told to."""

    def __init__(self, path: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()

    def accept(self) -> None:
        self._connection, _ = self._listener.accept()

    def committed(self, seq: int) -> None:
        self._connection.sendall(protocol.encode(protocol.Committed(seq=seq, may_go_on=True)))

    def close(self) -> None:
        self._connection.close()
        self._listener.close()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Link, Worker]]:
    worker = Worker(tmp_path / "s")
    link = Link(str(tmp_path / "s"), "k", on_stop=lambda _: None, on_lost=lambda: None)
    worker.accept()
    yield link, worker
    worker.close()
    link.close()


def ahead(link: Link) -> int:
    call = model.Log(text="x")
    message = protocol.CallMade(seq=link.next_seq(), epoch=1, call=call, savepoint=None, goes_on=True)
    link.send_ahead(message)
    return message.seq


def test_a_file_is_written_after_the_commits_before_it(pair: tuple[Link, Worker], tmp_path: Path) -> None:
    link, worker = pair
    fence.put_up(link)
    seq = ahead(link)
    order: list[str] = []

    def write() -> None:
        with open(tmp_path / "seen", "w"):
            order.append("written")

    flow = threading.Thread(target=write)
    flow.start()
    with open(__file__, "rb"):  # reading is nothing that others see
        order.append("read")
    flow.join(0.2)
    assert order == ["read"]
    order.append("committed")
    worker.committed(seq)
    flow.join(60)
    assert order == ["read", "committed", "written"]
    assert not link.is_ahead


def test_it_goes_so_far_ahead_and_no_further(
    pair: tuple[Link, Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    link, worker = pair
    monkeypatch.setattr(link_module, "LONGEST_AHEAD", 3600.0)
    seqs = [ahead(link) for _ in range(link_module.MOST_AHEAD)]
    one_more = threading.Thread(target=ahead, args=(link,))
    one_more.start()
    one_more.join(0.2)
    assert one_more.is_alive()
    worker.committed(seqs[-1])
    one_more.join(60)
    assert not one_more.is_alive()


def test_without_its_worker_a_flow_does_not_wait_for_ever(pair: tuple[Link, Worker]) -> None:
    link, worker = pair
    ahead(link)
    failures: list[BaseException] = []

    def wait() -> None:
        try:
            link.wait_until_committed()
        except BaseException as error:
            failures.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    worker.close()
    waiting.join(60)
    assert "lost" in str(failures[0])


def test_commits_that_arrive_while_a_call_is_sent_do_no_harm(pair: tuple[Link, Worker]) -> None:
    """The reader takes away what is committed at any moment, also between two looks of the flow's thread."""
    link, _ = pair

    class Fleeting(deque[tuple[int, float]]):
        """Is not empty when it is asked, and is when it is read."""

        def __bool__(self) -> bool:
            return True

    link._ahead = Fleeting()
    assert not link.is_ahead
    assert link.wait_until_committed() is None
    ahead(link)
