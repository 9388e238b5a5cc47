"""Where a foreign thing stands between the flow and its call: the call works, and nothing is rebuilt wrongly.

Each story tells how many calls it makes. Every one must give its answer, its continuation must have no frames
and say in one sentence why, and going on from it must be refused before anything runs.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_flows import resumable

STORIES: dict[str, tuple[int, str]] = {
    "a callback of a C function": (
        4,
        "import functools\ndef compare(x, y): return point(x) - y\n"
        "found = sorted([3, 1, 2], key=functools.cmp_to_key(compare))\nassert found == [1, 2, 3]\n",
    ),
    "a callback of foreign C code": (
        1,
        "import ctypes\nkind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)\n"
        "def twice(x): return point(x) * 2\nassert kind(twice)(4) == 8\n",
    ),
    "another thread": (
        1,
        "import threading\ngot = []\ndef work(): got.append(point(5))\n"
        "thread = threading.Thread(target=work)\nthread.start()\nthread.join()\nassert got == [5]\n",
    ),
    "a pool of threads": (
        2,
        "from concurrent.futures import ThreadPoolExecutor\ndef work(x): return point(x)\n"
        "with ThreadPoolExecutor(1) as pool:\n    assert list(pool.map(work, [1, 2])) == [1, 2]\n",
    ),
    "a thread that Python knows nothing of": (
        1,
        "import _thread, queue\ngot = queue.Queue()\ndef work(): got.put(point(5))\n"
        "_thread.start_new_thread(work, ())\nassert got.get(timeout=60) == 5\n",
    ),
    "a callback of an event loop": (
        1,
        "import asyncio\ngot = []\ndef work(): got.append(point(1))\nasync def main():\n"
        "    asyncio.get_running_loop().call_soon(work)\n    await asyncio.sleep(0)\n"
        "asyncio.run(main())\nassert got == [1]\n",
    ),
    "a task beside others": (
        2,
        "import asyncio\nasync def work(x): return point(x)\nasync def main():\n"
        "    return await asyncio.gather(work(1), work(2))\nassert asyncio.run(main()) == [1, 2]\n",
    ),
    "a function of a library": (
        2,
        "import re\ndef put(match): return str(point(7))\nassert re.sub('a', put, 'aba') == '7b7'\n",
    ),
    "a hook of a library": (
        1,
        "import json\nclass Own: pass\ndef default(one): return point('own')\n"
        "assert json.dumps([Own()], default=default, indent=1)\n",
    ),
    "a signal's handler": (
        4,
        "import os, signal\ngot = []\ndef handler(number, frame): got.append(point(number))\n"
        "before = signal.signal(signal.SIGUSR2, handler)\n"
        "def ring():\n    os.kill(os.getpid(), signal.SIGUSR2)\n    signal.raise_signal(signal.SIGUSR2)\n"
        "    for _ in range(1): os.kill(os.getpid(), signal.SIGUSR2)\n"
        "ring()\nos.kill(os.getpid(), signal.SIGUSR2)\n"
        "signal.signal(signal.SIGUSR2, before)\nassert len(got) == 4\n",
    ),
    "a finalizer": (
        5,
        "got = []\nclass Closed:\n    def __del__(self): got.append(point(1))\n"
        "def makes():\n    one = Closed()\n    return 2\ndef takes(one): return 2\n"
        "def work():\n    x = makes() + makes()\n    takes(Closed())\n    one = Closed()\n    del one\n"
        "    return x\n"
        "assert work() == 4\nmakes()\nassert len(got) == 5\n",
    ),
    "the callback of a weak reference": (
        4,
        "import weakref\nclass One: pass\nkept = []\ndef gone(ref): point('gone')\n"
        "def makes():\n    one = One()\n    kept.append(weakref.ref(one, gone))\n    return 1\n"
        "def work(): return [makes(), makes() + 1]\nassert work() == [1, 2]\nassert makes() == 1\n"
        "one = One()\nkept.append(weakref.ref(one, gone))\none = None\n",
    ),
    "a finalizer of weakref": (
        1,
        "import weakref\nclass One: pass\ndef gone(x): point(x)\none = One()\n"
        "weakref.finalize(one, gone, 3)\ndel one\n",
    ),
    "the collector of garbage": (
        1,
        "import gc\nclass One:\n    def __del__(self): point('gone')\n"
        "def work():\n    one = One()\n    one.self = one\nwork()\ngc.collect()\n",
    ),
    "an audit hook": (
        1,
        "import sys\nwanted = [1]\ndef hook(name, args):\n"
        "    if wanted and name == 'flows.story':\n        wanted.clear()\n        point(name)\n"
        "sys.addaudithook(hook)\nsys.audit('flows.story')\n",
    ),
    "a trace function": (
        2,
        "import sys\ndef work(): return 1\ndef tracing(frame, event, _):\n    sys.settrace(None)\n"
        "    point(event)\ndef profiling(frame, event, _):\n    sys.setprofile(None)\n    point(event)\n"
        "def main():\n    sys.settrace(tracing)\n    work()\n    sys.setprofile(profiling)\n"
        "    return work()\n"
        "before = sys.gettrace()\nassert main() == 1\nsys.settrace(before)\n",
    ),
    "a foreign module that calls back while it is imported": (
        1,
        "import builtins\nbuiltins.call_back = lambda: point('back')\nimport foreign_that_calls_back\n"
        "assert foreign_that_calls_back.answer == 'back'\n",
    ),
    "exec of text": (1, "def work(x): return point(x)\nexec('assert work(3) == 3', globals())\n"),
    "a metaclass that calls": (
        1,
        "class Meta(type):\n    def __call__(cls, *args):\n        return super().__call__(*args)\n"
        "class One(metaclass=Meta):\n    def __init__(self): self.x = point(1)\nassert One().x == 1\n",
    ),
}


@pytest.fixture
def continuations() -> Any:
    """What was captured at each call; `point` is the Flow-API call."""
    found: list[resumable.Continuation] = []

    def point(value: Any = None) -> Any:
        found.append(resumable.capture(sys._getframe(1), point))
        return value

    return found, point


@pytest.mark.parametrize("name", STORIES)
def test_the_call_works_and_its_savepoint_is_inexact(
    name: str, continuations: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, point = continuations
    (tmp_path / "foreign_that_calls_back.py").write_text("answer = call_back()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    count, source = STORIES[name]
    namespace: dict[str, Any] = {"__name__": "__main__", "point": point}
    kept = signal.getsignal(signal.SIGUSR2)
    try:
        exec(resumable.compile_unit(source, "story.py").code, namespace)
    finally:
        signal.signal(signal.SIGUSR2, kept)
        sys.modules.pop("foreign_that_calls_back", None)
    assert len(found) == count
    for continuation in found:
        assert not continuation.exact, continuation.frames
        assert not continuation.frames
        assert continuation.inexact_reason
        assert "\n" not in continuation.inexact_reason
        with pytest.raises(resumable.NotResumable):
            continuation.resume(namespace=namespace)


def test_a_function_that_is_called_when_its_own_values_go_is_told_apart(continuations: Any) -> None:
    found, point = continuations
    source = (
        "import weakref\nclass One: pass\ndef told(*ref):\n    point(len(ref))\n    if not ref:\n"
        "        one = One()\n        told.ref = weakref.ref(one, told)\ntold()\nboth = [told(), told()]\n"
    )
    exec(resumable.compile_unit(source, "story.py").code, {"__name__": "__main__", "point": point})
    assert [one.exact for one in found] == [True, False] * 3
