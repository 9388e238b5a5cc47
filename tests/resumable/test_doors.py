"""The doors of `resumable`, and the limits that it owns up to."""

from __future__ import annotations

import linecache
import pickle
import sys
import traceback
from typing import Any

import pytest

from jupyter_flows import resumable

from .harness import Stop, compare, in_child, journey, new_runner, plain_run


def stops_of(source: str) -> list[Stop]:
    found: list[Stop] = in_child(lambda: journey(source)[1])
    return found


def only_reason(source: str) -> str:
    stops = stops_of(source)
    assert stops
    assert all(stop.data is None for stop in stops)
    return stops[0].reason or ""


def test_a_function_of_c_in_between_is_owned_up_to() -> None:
    reason = only_reason(
        "from functools import cmp_to_key\nprint(sorted([2, 1], key=cmp_to_key(lambda x, y: point(x) - y)))"
    )
    assert "sorted" in reason


def test_a_library_in_between_is_owned_up_to() -> None:
    reason = only_reason("import re\nre.sub('a', lambda m: point('b'), 'a')")
    assert "re" in reason


def test_a_thread_is_owned_up_to() -> None:
    source = "import threading\nt = threading.Thread(target=lambda: point(1))\nt.start()\nt.join()"
    assert "thread" in only_reason(source)


def test_a_coroutine_is_owned_up_to() -> None:
    source = (
        "import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    return point(1)\nasyncio.run(f())"
    )
    assert "asyncio" in only_reason(source)


def test_another_task_that_is_pending_is_owned_up_to() -> None:
    source = "import asyncio\nasync def f():\n    return point(1)\n"
    reason = only_reason(source + "x = await asyncio.gather(f(), asyncio.sleep(0))\ndel x")
    assert "another task" in reason


def test_implicit_methods_that_nothing_foretells_are_owned_up_to() -> None:
    head = "A = type('A', (), {'x': property(lambda s: point(1)), '__add__': lambda s, o: point(2)})\n"
    assert "implicitly" in only_reason(head + "print(A().x)")
    assert "implicitly" in only_reason(head + "print(A() + 1)")


def test_an_inexact_continuation_cannot_be_resumed() -> None:
    found: list[resumable.Continuation] = []
    runner = new_runner(lambda _, continuation, *__: found.append(continuation))
    unit = resumable.compile_unit(
        "import functools\ndef order(one, two): return point(one) - two\n"
        "sorted([1, 2], key=functools.cmp_to_key(order))",
        "cell.py",
    )
    runner.run(lambda: exec(unit.code, runner.namespace))
    assert not found[0].exact
    assert found[0].frames == []
    with pytest.raises(resumable.NotResumable, match="a library stands between"):
        found[0].resume(namespace={})


def test_the_site_tells_line_statement_and_function() -> None:
    stop = stops_of("def f(x):\n    y = (point(x) +\n         1)\n    return y\nf(1)")[0]
    assert stop.site is not None
    assert (stop.site.line, stop.site.function) == (2, "f")
    assert stop.site.source == "y = (point(x) +\n         1)"


def test_variables_are_listed_by_frame_and_can_be_changed() -> None:
    found: list[resumable.Continuation] = []
    runner = new_runner(lambda _, continuation, *__: found.append(continuation))
    unit = resumable.compile_unit("def f(a):\n    return a * 2 + point(1) + a\nr = f(5)", "cell.py")
    runner.run(lambda: exec(unit.code, runner.namespace))
    values = found[0].locals()
    assert values["1 f/a"] == 5
    assert [name for name in values if not name.startswith("state/")] == ["1 f/a"]
    found[0].with_locals(values | {"1 f/a": 7}).resume(namespace=runner.namespace, value=1)
    assert runner.namespace["r"] == 10 + 1 + 7


def test_no_handler_catches_an_uncatchable_and_finally_runs() -> None:
    class Signal(BaseException):
        pass

    resumable.set_uncatchable(Signal)
    source = """
seen = []
for kinds in [BaseException, (ValueError, BaseException)]:
    try:
        try:
            raise_signal()
        except kinds:
            seen.append("tuple")
        finally:
            seen.append("finally")
    except:
        seen.append("bare")
"""

    def raise_signal() -> None:
        raise Signal

    namespace: dict[str, Any] = {"raise_signal": raise_signal}
    try:
        with pytest.raises(Signal):
            exec(resumable.compile_unit(source, "cell.py").code, namespace)
    finally:
        resumable.set_uncatchable()
    assert namespace["seen"] == ["finally"]


def test_a_last_expression_is_displayed(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(sys, "displayhook", shown.append)
    exec(resumable.compile_unit("x = 3\nx + 1", "cell.py", interactive=True).code, {})
    exec(resumable.compile_unit("x = 3\nx + 1", "cell.py").code, {})
    assert shown == [4]


def test_nothing_of_ours_is_left_in_the_namespace() -> None:
    runner = new_runner()
    source = (
        "a = 1\nb = a + point(2)\nfor i in [1]:\n    c = a * point(i)\n"
        "try:\n    a + fail(ValueError())\nexcept ValueError: pass\n"
    )
    before = set(runner.namespace)
    exec(resumable.compile_unit(source, "cell.py").code, runner.namespace)
    assert set(runner.namespace) - before == {"a", "b", "c", "i", "__builtins__"}


def test_tracebacks_show_the_authors_lines() -> None:
    source = "def f(x):\n    return [x,\n            1 / x] + point(1)\nf(0)"
    runner = new_runner()
    unit = resumable.compile_unit(source, "authors_cell.py")
    with pytest.raises(ZeroDivisionError) as caught:
        exec(unit.code, runner.namespace)
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (last.lineno, last.line, last.name) == (3, "1 / x] + point(1)", "f")
    assert linecache.getline("authors_cell.py", 1) == "def f(x):\n"


def test_bad_source_gives_pythons_own_errors() -> None:
    with pytest.raises(SyntaxError, match="'return' outside function"):
        resumable.compile_unit("return 1", "cell.py")
    with pytest.raises(ValueError, match="digest"):
        resumable.register_source("0" * 32, "a = 1", "cell.py")
    with pytest.raises(resumable.UnknownUnit):
        resumable.unit_source("0" * 32)


def test_a_missing_temporary_is_refused() -> None:
    found: list[resumable.Continuation] = []
    runner = new_runner(lambda _, continuation, *__: found.append(continuation))
    unit = resumable.compile_unit("a = [1]\nr = a[0] + point(2)", "cell.py")
    runner.run(lambda: exec(unit.code, runner.namespace))
    again = pickle.loads(pickle.dumps(found[0]))
    with pytest.raises(resumable.NotResumable, match="missing"):
        again.with_locals({})


def test_functions_are_pickled_without_bytecode() -> None:
    runner = new_runner()
    exec(resumable.compile_unit("def f(a, b=2):\n    return point(a) + b", "cell.py").code, runner.namespace)
    function = runner.namespace["f"]
    make, arguments, state, _, __, restore = resumable.reduce_function(function)
    again = make(*arguments)
    restore(again, state)
    assert again(1) == 3
    assert again.__code__ is function.__code__
    assert again.__globals__ is runner.namespace


def test_the_harness_sees_differences() -> None:
    with pytest.raises(AssertionError, match="inexact"):
        compare("import re\nprint(re.sub('a', lambda found: point('b'), 'a'))")
    assert plain_run("print(point(1))").printed == "1\n"


FOOLING = {
    "a function that takes its caller's place": """
def g(x):
    global run
    run = g
    return point(x)
def h():
    return run([2, 1], key=g)
run = sorted
print(h())
""",
    "a class that takes its maker's place": """
class A:
    def __init__(self, x):
        global run
        run = A
        self.x = point(x)
    def __lt__(self, other): return self.x < other.x
run = sorted
made = run([2, 1], key=A)
print(made[0].x)
""",
    "a method that takes the place of the one that called it": """
class S:
    go = staticmethod(sorted)
    def back(self, x):
        S.go = S.back
        return point(x)
s = S()
print(s.go([1], key=s.back))
""",
    "a method that is the one its first argument has": """
class S:
    def __init__(self): self.state = []
    def go(self, x):
        return point(x)
class C:
    go = staticmethod(lambda s, x: list(map(s.go, [x])))
print(C.go(S(), 1))
""",
}


@pytest.mark.parametrize("source", FOOLING.values(), ids=FOOLING)
def test_a_callee_that_changes_its_name_fools_nobody(source: str) -> None:
    assert compare(source, exact=False) == 0


def test_a_builtin_that_another_cell_replaced_stays_replaced() -> None:
    namespace: dict[str, Any] = {"point": lambda value: value}
    for source in (
        "def sum(numbers, more=0):\n    return ['mine', *numbers, more]",
        "from math import prod as max",
    ):
        exec(resumable.compile_unit(source, "first.py").code, namespace)
    unit = resumable.compile_unit(
        "found = sum(point(n) for n in (1, 2)), max(point(n) for n in (2, 3))", "b.py"
    )
    assert "point()" in unit.digest, "else this shows nothing"
    exec(unit.code, namespace)
    assert namespace["found"] == (["mine", 1, 2, 0], 6)
