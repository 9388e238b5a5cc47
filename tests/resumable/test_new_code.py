"""A savepoint goes on in edited source: what fits goes on there, what does not is refused by name."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from jupyter_flows import resumable

from .harness import Result, in_child, journey, new_runner


def go_on(data: bytes, old: str, new: str, by_source: bool = False) -> Result:
    """In a fresh process: load the savepoint of `old` and go on in `new`."""
    before = resumable.compile_unit(old, "program.py")
    after = resumable.compile_unit(new, "program.py")
    whole = resumable.digest_of(old)  # as for cells that did not run yet: it tells the source alone
    move = resumable.Move({whole if by_source else before.digest: after.digest}, [after.digest])
    runner = new_runner()
    with move.active():
        loaded = runner.loaded(data)
    continuation, values, names, value, _ = loaded
    runner.namespace.update(names)
    continuation = move.continuation(continuation.with_locals(values))
    runner.points.append(repr(value))
    del loaded, values, names
    return runner.run(lambda: continuation.resume(namespace=runner.namespace, value=value))


def edited(old: str, new: str, at: int = 0, by_source: bool = False) -> Result:
    """Stop `old` at the call with that number, and go on in `new`."""
    _, stops = in_child(functools.partial(journey, old))
    assert stops[at].data is not None, stops[at].reason
    result = in_child(functools.partial(go_on, stops[at].data, old, new, by_source))
    return Result(stops[at].printed + result.printed, result.error, result.variables, result.points)


def refused(old: str, new: str, at: int = 0) -> resumable.CodeChanged:
    _, stops = in_child(functools.partial(journey, old))
    assert stops[at].data is not None, stops[at].reason

    def attempt() -> Any:
        try:
            go_on(stops[at].data or b"", old, new)
        except resumable.NotResumable as error:
            return error
        return None

    error = in_child(attempt)
    assert isinstance(error, resumable.CodeChanged), error
    return error


LOOP = """
def work(xs):
    total = 0
    for x in xs:
        total += point(x)
    return total
print('start')
print(work([1, 2, 3]))
"""


def test_comments_formatting_and_lines_do_not_matter() -> None:
    new = """
# a comment, and an import
import math
def work(xs):
    '''Now documented.'''
    total = 0
    for x in xs:  # each
        total += point(
            x
        )
    return total


print("start")
print(work([1, 2, 3]))
"""
    assert edited(LOOP, new, at=1).printed == "start\n6\n"


def test_code_before_inside_and_after_the_loop_is_edited() -> None:
    new = """
def helper(n):
    for m in range(n):
        pass
    return n
def work(xs):
    for y in xs:
        helper(y)
    with_tax = 0
    total = 100
    for x in xs:
        if x > 2:
            print('large', x)
        total += point(x)
        print('so far', total)
    return total * 10
print('begin')
print(work([1, 2, 3]))
print('done')
"""
    result = edited(LOOP, new, at=1)
    assert result.printed == "start\nso far 3\nlarge 3\nso far 6\n60\ndone\n"


def test_a_loop_that_moved_keeps_its_own_iterator() -> None:
    old = """
def work(xs, ys):
    for x in xs:
        for y in ys:
            print(x, y, point(y))
work([1, 2], 'ab')
"""
    new = """
def work(xs, ys):
    for z in ys:
        for w in xs:
            point(w)
    for x in xs:
        for y in ys:
            print(x, y, point(y))
        print('next')
work([1, 2], 'ab')
"""
    assert edited(old, new, at=1).printed == "1 a a\n1 b b\nnext\n2 a a\n2 b b\nnext\n"


def test_functions_moved_about() -> None:
    old = """
def first(x):
    y = point(x) + 1
    return y
def second(x):
    return first(x) * 2
print(second(3))
"""
    new = """
def second(x):
    return first(x) * 2
def other():
    pass
def first(x):
    y = point(x) + 1
    return y + 100
print(second(3))
"""
    assert edited(old, new).printed == "208\n"


def test_functions_called_later_are_the_new_ones_wherever_they_are_kept() -> None:
    old = """
def price(x):
    return x
class Shop:
    def total(self, x):
        return price(x)
shop = Shop()
kept = [price, shop.total]
point()
print(price(2), shop.total(2), [f(2) for f in kept])
"""
    new = old.replace("return x\n", "return x * 10\n").replace("return price(x)", "return price(x) + 1")
    assert edited(old, new).printed == "20 21 [20, 21]\n"


def test_a_closure_keeps_its_cells() -> None:
    old = """
def counter():
    n = 0
    def up(by):
        nonlocal n
        n += by
        return n
    return up
up = counter()
up(5)
point()
print(up(1))
"""
    assert edited(old, old.replace("n += by", "n += by * 100")).printed == "105\n"


def test_a_suspended_generator_goes_on_in_the_new_code() -> None:
    old = """
def numbers(n):
    for i in range(n):
        yield i
g = numbers(5)
next(g)
point()
print(list(g))
"""
    new = old.replace("        yield i\n", "        yield i\n        print('after', i)\n")
    assert edited(old, new).printed == "after 0\nafter 1\nafter 2\nafter 3\nafter 4\n[1, 2, 3, 4]\n"


def test_a_call_inside_a_generator_that_is_iterated() -> None:
    old = """
def numbers(n):
    for i in range(n):
        yield point(i)
def use():
    for n in numbers(3):
        print(n)
use()
"""
    new = """
def numbers(n):
    for j in range(n):
        pass
    for i in range(n):
        yield point(i)
def use():
    for k in range(2):
        pass
    for n in numbers(3):
        print('got', n)
use()
"""
    assert edited(old, new, at=1).printed == "0\ngot 1\ngot 2\n"


def test_with_and_try_go_on_where_they_were() -> None:
    old = """
class Manager:
    def __enter__(self):
        print('enter')
        return self
    def __exit__(self, *_):
        print('leave')
def work():
    with Manager() as m:
        try:
            x = point(1) + point(2)
        finally:
            print('finally', point(3))
    return x
print(work())
"""
    new = """
class Manager:
    def __enter__(self):
        print('ENTER')
        return self
    def __exit__(self, *_):
        print('LEAVE')
def work():
    for i in ():
        point(i)
    with Manager() as m:
        print('first')
        try:
            print('edited')
            x = point(1) + point(2)
            x += 100
        finally:
            print('edited too')
            print('finally', point(3))
            print('last')
    return x
print(work())
"""
    assert edited(old, new, at=0).printed == "enter\nedited too\nfinally 3\nlast\nLEAVE\n103\n"
    assert edited(old, new, at=1).printed == "enter\nedited too\nfinally 3\nlast\nLEAVE\n103\n"
    assert edited(old, new, at=2).printed == "enter\nfinally 3\nlast\nLEAVE\n3\n"


def test_in_a_handler() -> None:
    old = """
def work():
    try:
        1 / 0
    except ValueError:
        point(0)
    except ZeroDivisionError as error:
        point(1)
        print(type(error).__name__)
work()
"""
    new = """
def work():
    try:
        1 / 0
    except KeyError:
        point(9)
    except ValueError:
        point(0)
        point(8)
    except ZeroDivisionError as error:
        print('edited')
        point(1)
        print('caught', type(error).__name__)
work()
"""
    assert edited(old, new).printed == "caught ZeroDivisionError\n"


GROUPS = """
def work():
    try:
        raise ExceptionGroup("all", [ValueError(7), KeyError(1)])
    except* ValueError as errors:
        y = point(1)
        print(y, errors.exceptions)
    except* KeyError:
        print('key')
try:
    work()
except Exception as error:
    print(repr(error))
"""


def test_in_a_clause_of_a_group() -> None:
    new = GROUPS.replace("y = point(1)\n", "y = point(1)\n        y += 1\n        print('new')\n")
    new = new.replace("def work():\n", "def work():\n    x = 0\n    for i in [point(i) for i in []]: pass\n")
    new = new.replace("print('key')", "raise")
    result = edited(GROUPS, new)
    printed = "new\n2 (ValueError(7),)\nExceptionGroup('all', [KeyError(1)])\n"
    assert (result.error, result.printed) == (None, printed)


def test_the_branch_it_is_in_may_have_another_condition() -> None:
    old = """
def work(x):
    if x > 1:
        y = point(x)
    else:
        y = 0
    return y
print(work(2))
"""
    assert edited(old, old.replace("x > 1", "x > 5").replace("return y", "return -y")).printed == "-2\n"


def test_which_of_two_equal_statements_is_told_by_what_stands_around() -> None:
    old = "def f():\n    print('a')\n    point(1)\n    print('b')\n    point(1)\n    print('c')\nf()\n"
    new = old.replace("    print('b')\n", "    point(1)\n    print('b')\n").replace("'c'", "'C'")
    assert edited(old, new, at=1).printed == "a\nb\nC\n"


def test_a_new_parameter_with_a_constant_default() -> None:
    old = "def f(x):\n    point(x)\n    return x\nprint(f(2))\n"
    new = "def f(x, rate=10):\n    point(x)\n    return x * rate\nprint(f(2))\n"
    assert edited(old, new).printed == "20\n"


def test_a_variable_that_is_shared_with_a_closure_now() -> None:
    old = "def f(x):\n    n = x\n    point(1)\n    return n\nprint(f(2))\n"
    new = """
def f(x):
    n = x
    point(1)
    def up():
        nonlocal n
        n += 1
        point(n)
        return n
    return up() + up() + n
print(f(2))
"""
    assert edited(old, new).printed == "11\n"


def test_the_statement_itself_was_changed() -> None:
    error = refused(LOOP, LOOP.replace("total += point(x)", "total += point(x + 1)"), at=1)
    assert error.function == "work"
    assert error.old == "total += point(x)"
    assert error.new == "total += point(x + 1)"
    assert "function work" in str(error)
    assert "total += point(x + 1)" in str(error)


@pytest.mark.parametrize(
    "new",
    [
        LOOP.replace("for x in xs:", "for x in reversed(xs):"),
        LOOP.replace("for x in xs:", "while xs:"),
        LOOP.replace("def work(xs)", "def labour(xs)").replace("work(", "labour("),
        LOOP.replace("def work(xs)", "def work(xs, rate=[])"),
        LOOP.replace("        total += point(x)", "        with open('x'):\n            total += point(x)"),
        LOOP.replace("print(work([1, 2, 3]))", "print(work([1, 2, 3]), 'x')"),
        LOOP.replace("    return total", "    yield total"),
        "def work():\n    pass\n",
    ],
)
def test_what_contradicts_the_saved_state_is_refused(new: str) -> None:
    error = refused(LOOP, new, at=1)
    assert error.old
    assert error.function in ("work", "<module>")


def test_which_statement_is_meant_cannot_be_told() -> None:
    old = "def f():\n    point(1)\nf()\n"
    new = "def f():\n    point(1)\n    point(1)\nf()\n"
    assert "2 times" in refused(old, new).reason


def test_a_closure_that_now_uses_what_was_not_kept() -> None:
    old = """
def make():
    a, b = 1, 2
    def inner():
        return a
    return inner
inner = make()
point()
print(inner())
"""
    error = refused(old, old.replace("return a", "return a + b"))
    assert error.function == "make.<locals>.inner"
    assert "uses b" in str(error)


def test_a_function_whose_definition_is_gone_keeps_its_code() -> None:
    old = "def f():\n    return 1\npoint()\nprint(f())\n"
    assert edited(old, "point()\nprint(f() + 1)\n").printed == "2\n"


def redefined(old: str, new: str, at: int = 0) -> Result:
    """As `edited`, with definitions before the place carried out."""
    _, stops = in_child(functools.partial(journey, old))

    def action() -> Result:
        before, after = (resumable.compile_unit(one, "program.py") for one in (old, new))
        move = resumable.Move({before.digest: after.digest}, [after.digest])
        runner = new_runner()
        with move.active():
            loaded = runner.loaded(stops[at].data or b"")
        continuation, values, names, value, _ = loaded
        runner.namespace.update(names)
        moved = move.continuation(continuation.with_locals(values))
        resumable.redefine(move, [before.digest], {after.digest: moved.frames[0].line}, runner.namespace)
        return runner.run(lambda: moved.resume(namespace=runner.namespace, value=value))

    result: Result = in_child(action)
    return result


def test_new_imports_and_functions_before_the_place_are_there() -> None:
    old = "def f(x):\n    return x\nn = 1\nprint(f(point(3)))\nprint(n)\n"
    new = """
import math
from os.path import join as joined
def double(x):
    return 2 * x
def f(x, by=10):
    'New.'
    return double(x) * by + math.floor(1.5)
n = 2
print(f(point(3)))
print(n, joined('a', 'b'), f.__doc__)
def later():
    return 7
print(later())
"""
    result = redefined(old, new)
    assert result.error is None
    assert result.printed == "61\n1 a/b New.\n7\n"


def test_objects_get_the_new_methods_of_their_class() -> None:
    old = """
class Base:
    def name(self):
        return 'base'
class Shop(Base):
    count = 1
    def total(self):
        return 1
shop = Shop()
Shop.count = 5
total = shop.total
point()
print(shop.total(), total(), isinstance(shop, Shop))
"""
    new = """
class Base:
    def name(self):
        return 'base'
class Shop(Base):
    count = 1
    rate = 3
    def total(self):
        return self.extra + 100
    @property
    def extra(self):
        return self.rate
    def name(self):
        return super().name() + '!'
shop = Shop()
Shop.count = 5
total = shop.total
point()
print(shop.total(), total(), isinstance(shop, Shop))
print(shop.name(), Shop.count)
"""
    result = redefined(old, new)
    assert result.error is None
    assert result.printed == "103 103 True\nbase! 5\n"


OPERATORS = """
class Price:
    def __init__(self, amount):
        self.amount = amount
    def __add__(self, other):
        point()
        return Price(self.amount + other.amount)

total = Price(1) + Price(2)
print(total.amount)
"""


def test_a_cell_whose_operators_are_calls_is_found_by_its_source() -> None:
    new = OPERATORS.replace("print(total.amount)", "print('now', total.amount)")
    assert edited(OPERATORS, new, by_source=True).printed == "now 3\n"


MANAGED = """
class Manager:
    def __init__(self, name):
        self.name = name
    def __enter__(self):
        point()
    def __exit__(self, *_):
        print('leave', self.name, point())

class Numbers:
    def __init__(self):
        self.left = 3
    def __iter__(self):
        return self
    def __next__(self):
        self.left -= 1
        if self.left < 0:
            raise StopIteration
        return point(self.left)

def work():
    with Manager('outer'):
        for number in Numbers():
            with Manager(number):
                print('in', number)

work()
"""


@pytest.mark.parametrize("at", range(9))
def test_operations_that_are_calls_keep_their_own_temporaries(at: int) -> None:
    """Other loops and managers come before them, so that everything has another number."""
    before = """
def earlier(prices):
    with Manager('earlier') as one, Manager('other'):
        for price in prices:
            one.price += price
"""
    new = MANAGED.replace("\ndef work():", f"{before}\ndef work():").replace("'in'", "'inside'")
    printed = edited(MANAGED, new, at=at).printed
    expected = "".join(f"in {number}\nleave {number} None\n" for number in (2, 1, 0))
    assert printed.replace("inside", "in") == f"{expected}leave outer None\n"
