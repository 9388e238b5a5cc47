"""Iterators of every kind, half consumed when a savepoint is made: in a variable, and in a `for`.

    python -m tests.resumable.half_consumed save DIRECTORY       prints what plain going on gives
    python -m tests.resumable.half_consumed go_on DIRECTORY      the same, in a process that never ran it

One program holds them all: each function goes over one kind, and calls the next function in the midst of its
loop; the last one makes the savepoint.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from jupyter_flows import resumable, snapshot

SETUP = """
import array, collections, csv, io, itertools, re
def double(x): return 2 * x
def is_odd(x): return x % 2
def numbers(n):
    for i in range(n):
        got = yield i
        if got: print("got", got)
class Count:
    def __init__(self, n): self.n = n
    def __iter__(self): return self
    def __next__(self):
        if not self.n: raise StopIteration
        self.n -= 1
        return self.n
class Rows:
    def __init__(self, *rows): self.rows = rows
    def __iter__(self): return iter(self.rows)
class Squares:
    def __getitem__(self, n):
        if n > 5: raise IndexError
        return n * n
def with_gaps():
    c = {n: n for n in range(9)}
    del c[0], c[1], c[3], c[6]
    return c
"""

#: By name: what the thing is made from (`c`), the iterator over it, and what changes it after the savepoint.
KINDS: dict[str, tuple[str, str, str]] = {
    "dict keys": ("{n: n for n in range(6)}", "iter(c)", "c[5] = 'new'"),
    "dict values": ("{n: n for n in range(6)}", "iter(c.values())", "c[5] = 'new'"),
    "dict items": ("{n: n for n in range(6)}", "iter(c.items())", "c[5] = 'new'"),
    "dict with gaps": ("with_gaps()", "iter(c.items())", "c[7] = 1"),
    "dict reversed": ("{n: n for n in range(6)}", "reversed(c)", "c[0] = 'new'"),
    "dict items reversed": ("{n: n for n in range(6)}", "reversed(c.items())", "c[0] = 'new'"),
    "dict values reversed": ("{n: n for n in range(6)}", "reversed(c.values())", "c[0] = 'new'"),
    "OrderedDict": ("collections.OrderedDict.fromkeys(range(6), 1)", "iter(c.items())", "c[5] = 'new'"),
    "Counter": ("collections.Counter('abcdef')", "iter(c.items())", "c['f'] = 7"),
    "set": ("set(range(6))", "iter(c)", ""),
    "frozenset": ("frozenset(range(6))", "iter(c)", ""),
    "list that grows": ("list(range(4))", "iter(c)", "c.append('new')"),
    "list that shrinks": ("list(range(6))", "iter(c)", "c.pop()"),
    "list reversed": ("list(range(6))", "reversed(c)", "c[0] = 'new'"),
    "tuple": ("tuple(range(6))", "iter(c)", ""),
    "range": ("range(0, 20, 4)", "iter(c)", ""),
    "large range": ("range(10**20, 10**20 + 5)", "iter(c)", ""),
    "str": ("'abcdé€'", "iter(c)", ""),
    "bytes": ("b'abcdef'", "iter(c)", ""),
    "bytearray": ("bytearray(b'abcdef')", "iter(c)", "c.append(65)"),
    "array": ("array.array('i', range(6))", "iter(c)", "c.append(9)"),
    "deque": ("collections.deque(range(6))", "iter(c)", "c[5] = 'new'"),
    "deque reversed": ("collections.deque(range(6))", "reversed(c)", "c[0] = 'new'"),
    "enumerate": ("list(range(4))", "enumerate(c, 5)", "c.append('new')"),
    "zip": ("list(range(4))", "zip(c, 'abcdefgh', numbers(9))", "c.append('new')"),
    "strict zip": ("list(range(4))", "zip(c, c, strict=True)", "c.append('new')"),
    "map": ("list(range(4))", "map(double, c)", "c.append('new')"),
    "filter": ("list(range(9))", "filter(is_odd, c)", "c.append(11)"),
    "iter of a function": ("[9, 8, 0, 7, 6, 0, 5, 4, 3, 2, 1]", "iter(c.pop, 0)", ""),
    "own generator": ("6", "numbers(c)", ""),
    "generator expression": ("list(range(4))", "(x + 1 for x in c)", "c.append(9)"),
    "own iterator": ("6", "Count(c)", ""),
    "own iterable": ("Rows(1, 2, 3, 4, 5)", "iter(c)", ""),
    "sequence by items": ("Squares()", "iter(c)", ""),
    "accumulate": ("list(range(5))", "itertools.accumulate(c)", "c.append(9)"),
    "chain": ("list(range(3))", "itertools.chain('a', c, numbers(2))", "c.append(9)"),
    "chain of iterables": ("[[1, 2], [3, 4], [5]]", "itertools.chain.from_iterable(c)", "c.append([6])"),
    "combinations": ("'abcd'", "itertools.combinations(c, 2)", ""),
    "combinations with replacement": ("'abc'", "itertools.combinations_with_replacement(c, 2)", ""),
    "compress": ("list(range(6))", "itertools.compress(c, [1, 0, 1, 1, 1, 1, 1])", "c.append(9)"),
    "count": ("3", "itertools.islice(itertools.count(c, 2), 6)", ""),
    "cycle": ("list(range(3))", "itertools.islice(itertools.cycle(c), 8)", "c.append(9)"),
    "dropwhile": ("list(range(6))", "itertools.dropwhile(lambda x: x < 1, c)", "c.append(0)"),
    "filterfalse": ("list(range(9))", "itertools.filterfalse(is_odd, c)", "c.append(10)"),
    "groupby": ("'aabbbccdde'", "((k, list(g)) for k, g in itertools.groupby(c))", ""),
    "islice": ("list(range(30))", "itertools.islice(c, 2, 20, 3)", "c[14] = 'new'"),
    "pairwise": ("list(range(5))", "itertools.pairwise(c)", "c.append(9)"),
    "permutations": ("'abc'", "itertools.permutations(c, 2)", ""),
    "product": ("'ab'", "itertools.product(c, range(3))", ""),
    "repeat": ("'x'", "itertools.repeat(c, 5)", ""),
    "starmap": ("[(2, 3), (3, 2), (4, 1), (5, 2)]", "itertools.starmap(pow, c)", "c.append((1, 1))"),
    "takewhile": ("list(range(9))", "itertools.takewhile(lambda x: x < 5, c)", "c[4] = 9"),
    "tee": ("list(range(5))", "itertools.tee(c)[1]", "c.append(9)"),
    "zip_longest": ("list(range(5))", "itertools.zip_longest(c, 'ab', fillvalue='-')", "c.append(9)"),
    "lines of a text file": ("open('lines.txt', encoding='utf-8')", "c", ""),
    "lines of a binary file": ("open('lines.txt', 'rb')", "c", ""),
    "lines in memory": ("io.StringIO('a\\nb\\nc\\nd\\ne\\nf\\ng')", "c", ""),
    "csv.reader": ("['a,1', '\"b', 'c\",2', 'd,3', 'e,4', 'f,5']", "csv.reader(c)", "c.append('g,6')"),
    "csv.DictReader": ("['k,n', 'a,1', 'b,2', 'c,3', 'd,4', 'e,5']", "csv.DictReader(iter(c))", ""),
    "re.finditer": ("'a1 b2 c3 d4 e5 f6'", "(one.group() for one in list(re.finditer('[a-z]', c)))", ""),
}
if sys.version_info >= (3, 12):
    KINDS["batched"] = ("list(range(9))", "itertools.batched(c, 2)", "c.append(9)")

#: What C keeps to itself: a name of such a value holds a placeholder that says so.
NOT_KEPT = {
    "re.finditer": "re.finditer('[a-z]', 'a1 b2 c3')",
    "a view of memory": "iter(memoryview(b'abc'))",
    "os.scandir": "os.scandir('.')",
    "a cursor with rows": "db.execute('select 1 union select 2')",
}


def program(kinds: list[str]) -> str:
    """Every kind half consumed, inside each other; the variable's and the loop's iterator share `c`."""
    parts = [SETUP]
    for number, kind in enumerate(kinds):
        made, iterator, change = KINDS[kind]
        parts.append(
            f"def hold_{number}():\n    c = {made}\n    kept = {iterator}\n"
            f"    found = [next(kept)]\n    for item in {iterator}:\n        found.append(item)\n"
            f"        if len(found) == 3:\n            hold_{number + 1}()\n            {change or 'pass'}\n"
            f"    print({kind!r}, found, list(kept))\n"
        )
    parts.append(f"def hold_{len(kinds)}(): point('saved')\nhold_0()\n1 / len([])\n")
    return "\n".join(parts)


def point(value: Any = None) -> Any:
    if _Saving.on_call is not None:
        _Saving.on_call(resumable.capture(sys._getframe(1), point))
    return value


class _Saving:
    on_call: Any = None


def save(directory: Path) -> None:
    namespace: dict[str, Any] = {"__name__": "__main__", "point": point}

    def keep(continuation: resumable.Continuation) -> None:
        assert continuation.exact, continuation.inexact_reason
        hidden = ("__builtins__", "__name__", "point")
        shown = {name: one for name, one in namespace.items() if name not in hidden and name[0] != "."}
        objects = {f"globals/{name}": one for name, one in shown.items()}
        objects |= {**continuation.locals(), "state/continuation": continuation}
        chunks = snapshot.DirectoryChunks(directory / "chunks")
        (directory / "savepoint").write_bytes(snapshot.save(objects, chunks, namespace).to_bytes())

    _Saving.on_call = keep
    _run(lambda: exec(resumable.compile_unit(program(list(KINDS)), "held.py").code, namespace))


def go_on(directory: Path) -> None:
    chunks = snapshot.DirectoryChunks(directory / "chunks")
    manifest = snapshot.Manifest.from_bytes((directory / "savepoint").read_bytes())
    namespace: dict[str, Any] = {"__name__": "__main__"}
    objects = snapshot.load(manifest, chunks, namespace=namespace)
    names = {name: one for name, one in objects.items() if name.startswith("globals/")}
    namespace.update({name.removeprefix("globals/"): one for name, one in names.items()}, point=point)
    continuation = objects["state/continuation"].with_locals(objects)
    _run(lambda: continuation.resume(namespace=namespace))


def _run(action: Any) -> None:
    try:
        action()
    except ZeroDivisionError:
        return
    raise AssertionError("the program did not come to its end")


if __name__ == "__main__":
    {"save": save, "go_on": go_on}[sys.argv[1]](Path(sys.argv[2]))
