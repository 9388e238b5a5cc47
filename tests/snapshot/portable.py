"""The two processes of `test_portable`: ``save`` or ``again`` (load, check, save once more), then ``load``.

    python -m tests.snapshot.portable STEP DIRECTORY

The session defines all that other code writes code for: dataclasses, attrs, enums, named tuples, protocols,
decorators of libraries. Each claim must hold in any process of any supported Python.
"""

from __future__ import annotations

import pickletools
import sys
import types
from pathlib import Path
from typing import Any

from jupyter_flows import resumable, snapshot
from jupyter_flows.snapshot.chunks import ChunkReader

CELLS = """
import contextlib, dataclasses, enum, collections, typing, abc, functools, attr
@dataclasses.dataclass(frozen=True)
class Frozen:
    a: int
    b: str = 'x'
@dataclasses.dataclass(order=True)
class Ordered:
    a: int
    b: int = 2
@dataclasses.dataclass(slots=True)
class Slotted:
    a: int
    b: list = dataclasses.field(default_factory=list)
    def size(self): return len(self.b)
@dataclasses.dataclass(frozen=True, slots=True)
class FrozenSlotted:
    a: int
@dataclasses.dataclass(kw_only=True)
class Keywords:
    a: int
    b: int = dataclasses.field(default=3, repr=False)
@dataclasses.dataclass
class Base:
    a: int
    def twice(self): return self.a * 2
@dataclasses.dataclass
class Child(Base):
    c: typing.ClassVar[int] = 4
    d: dataclasses.InitVar[int] = 5
    e: int = dataclasses.field(init=False, default=0)
    def __post_init__(self, d): self.e = d
@dataclasses.dataclass(slots=True)
class SlottedChild(Slotted):
    z: int = 0
    def size(self): return Slotted.size(self) + 1
Made = dataclasses.make_dataclass('Made', [('x', int), ('y', int, 3)])
class Colour(enum.Enum):
    RED = 1
    BLUE = 'b'
    def shout(self): return self.name + '!'
class Level(enum.IntEnum):
    LOW = enum.auto(); HIGH = enum.auto()
class Rights(enum.Flag):
    READ = enum.auto(); WRITE = enum.auto()
class Words(enum.StrEnum):
    A = 'a'
Fun = enum.Enum('Fun', 'ONE TWO')
class Row(typing.NamedTuple):
    id: int
    name: str = 'n'
    def label(self): return f'{self.id}:{self.name}'
Point = collections.namedtuple('Point', 'x y', defaults=[0])
class Sub(Point):
    def norm(self): return self.x + self.y
class Movie(typing.TypedDict, total=False):
    name: str
T = typing.TypeVar('T')
class Box(typing.Generic[T]):
    def __init__(self, value: T): self.value = value
class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self): ...
class Square(Shape):
    def area(self): return 4
class Meta(type):
    def __call__(cls, *a): made = super().__call__(*a); made.seen = True; return made
class Metaed(metaclass=Meta): pass
@typing.runtime_checkable
class Proto(typing.Protocol):
    def go(self) -> int: ...
class Impl(Proto):
    def go(self): return 1
impl = Impl()
@attr.s(auto_attribs=True)
class Attr:
    a: int
    b: int = 3
@attr.define(frozen=True)
class Define:
    a: int
    b: list = attr.field(factory=list)
    def both(self): return self.a, self.b, __class__
@attr.define(order=True)
class Base2:
    a: int
@attr.define
class Define2(Base2):
    c: int = attr.field(default=1, validator=attr.validators.instance_of(int))
@functools.total_ordering
class Total:
    def __init__(self, n): self.n = n
    def __eq__(self, o): return self.n == o.n
    def __lt__(self, o): return self.n < o.n
@functools.singledispatch
def describe(x): return 'any'
@describe.register
def _int(x: int): return 'int'
def outer(n):
    def inner(k): return n + k + offset
    return inner
offset = 10
inner = outer(1)
double = lambda x: x * 2
part = functools.partial(outer, 5)
def decorate(f):
    @functools.wraps(f)
    def wrapped(*a): return f(*a) + 1
    return wrapped
@decorate
def plain(x): return x
def boom(n):
    if n: raise ValueError(n)
    boom(1)
try: boom(0)
except ValueError as e:
    error = e
    bare = e.__traceback__
try:
    try: boom(0)
    except ValueError as e: raise KeyError('k') from e
except KeyError as e: chained = e
try: raise ExceptionGroup('g', [error, TypeError('t')])
except ExceptionGroup as e: group = e
frozen, ordered, slotted, fslotted, keywords = Frozen(1), Ordered(1), Slotted(1, [1]), FrozenSlotted(2), Keywords(a=1)
child, schild, made = Child(1), SlottedChild(1, [], 5), Made(1)
row, point, sub, movie, box, square, metaed = Row(1), Point(1), Sub(1, 2), Movie(name='m'), Box[int](3), Square(), Metaed()
aa, dd, d2 = Attr(1), Define(1), Define2(1, 2)
total = Total(3)
@contextlib.contextmanager
def managed(x): yield x + 1
@functools.lru_cache(maxsize=5)
def cached(x): return x * 3
class Multi:
    @functools.singledispatchmethod
    def go(self, x): return 'any'
    @go.register
    def _(self, x: int): return 'int'
    @functools.cached_property
    def slow(self): return 5
    half = functools.partialmethod(pow, 2)
multi = Multi()
tail = bare.tb_next
fun = Fun.TWO
"""
CLAIMS = {
    "frozen": "frozen == Frozen(1) and hash(frozen) == hash(Frozen(1)) and raises(lambda: setattr(frozen, 'a', 2)) and repr(frozen) == \"Frozen(a=1, b='x')\"",
    "ordered": "ordered < Ordered(2) and sorted([Ordered(3), ordered])[0] is ordered and Ordered.__hash__ is None",
    "slotted": "slotted.size() == 1 and Slotted(2).b == [] and not hasattr(slotted, '__dict__') and Slotted.__slots__ == ('a', 'b')",
    "fslotted": "fslotted == FrozenSlotted(2) and raises(lambda: setattr(fslotted, 'a', 2)) and __import__('pickle') and __import__('copy').copy(fslotted) == fslotted",
    "keywords": "raises(lambda: Keywords(1)) and repr(keywords) == 'Keywords(a=1)' and Keywords(a=2).b == 3",
    "child": "child.e == 5 and Child(2, 7).e == 7 and child.twice() == 2 and Child.c == 4 and dataclasses.asdict(child) == {'a': 1, 'e': 5}",
    "schild": "schild.size() == 1 and SlottedChild(1, [1]).size() == 2 and schild.z == 5",
    "made": "made == Made(1, 3) and dataclasses.replace(made, x=9).x == 9",
    "enum": "Colour.RED.shout() == 'RED!' and Colour('b') is Colour.BLUE and Level.HIGH > Level.LOW and Rights.READ | Rights.WRITE == Rights(3) and Words.A == 'a' and fun is Fun.TWO",
    "enum auto": "str(Level.HIGH) == '2' and f'{Words.A}' == 'a' and repr(Colour.RED) == '<Colour.RED: 1>' and list(Rights(3)) == [Rights.READ, Rights.WRITE]",
    "row": "row.label() == '1:n' and Row(3, 'z')._replace(id=4).id == 4 and Row._field_defaults == {'name': 'n'} and row._asdict() == {'id': 1, 'name': 'n'} and repr(row) == \"Row(id=1, name='n')\"",
    "point": "Point(4) == (4, 0) and Point._make([1, 2]).y == 2 and sub.norm() == 3 and sub == (1, 2)",
    "typed": "Movie(name='z') == {'name': 'z'} and Movie.__total__ is False and Movie.__optional_keys__ == {'name'}",
    "generic": "Box[str]('s').value == 's' and Box.__parameters__ == (T,) and box.__orig_class__ == Box[int]",
    "abc": "raises(Shape, TypeError) and square.area() == 4 and isinstance(square, Shape) and raises(lambda: type('New', (Shape,), {})())",
    "meta": "Metaed().seen and type(Metaed) is Meta",
    "proto": "raises(Proto, TypeError) and Proto._is_protocol and not isinstance(3, Proto) and isinstance(type('G', (), {'go': 1})(), Proto) and isinstance(impl, Proto) and impl.go() == 1 and issubclass(Impl, Proto)",
    "attr": "aa == Attr(1) and Attr(2).b == 3 and repr(aa) == 'Attr(a=1, b=3)' and attr.asdict(aa) == {'a': 1, 'b': 3}",
    "define": "dd == Define(1) and raises(lambda: setattr(dd, 'a', 2)) and dd.both() == (1, [], Define) and hash(Define(1, ())) == hash(Define(1, ()))",
    "define2": "d2 == Define2(1, 2) and d2 != Define2(1, 3) and raises(lambda: Define2(1, 'x'), TypeError) and Base2(1) < Base2(2) and attr.evolve(d2, c=5).c == 5",
    "total": "total >= Total(2) and total > Total(1)",
    "dispatch": "describe(1) == 'int' and describe('s') == 'any' and describe.__name__ == 'describe' and multi.go(1) == 'int' and multi.go('') == 'any' and multi.slow == 5",
    "functions": "inner(1) == 12 and double(4) == 8 and part()(1) == 16 and plain(1) == 2 and managed(1).__enter__() == 2 and cached(2) == 6 and cached.cache_parameters()['maxsize'] == 5",
    "traceback": "bare.tb_frame.f_code.co_name == '<module>' and bare.tb_next.tb_frame.f_code.co_name == 'boom' and isinstance(bare, __import__('types').TracebackType)",
    "same traceback": "error.__traceback__ is bare and bare.tb_next is tail",
    "chained": "isinstance(chained.__cause__, ValueError) and 'boom' in ''.join(__import__('traceback').format_exception(chained))",
    "group": "group.exceptions[0] is error and group.__traceback__ is not None",
}
_RAISES = """
def raises(use, kind=Exception):
    try: use()
    except kind: return True
    return False
"""


def save(namespace: dict[str, Any], where: Path) -> None:
    objects = {f"globals/{name}": value for name, value in namespace.items() if not name.startswith("__")}
    chunks = snapshot.DirectoryChunks(where / "chunks")
    manifest = snapshot.save(objects, chunks, namespace)
    assert manifest.missing == (), manifest.missing
    (where / "manifest").write_bytes(manifest.to_bytes())
    check_streams(manifest, chunks)


def check_streams(manifest: snapshot.Manifest, chunks: snapshot.DirectoryChunks) -> None:
    """No bytecode, no path of this machine."""
    reader = ChunkReader(chunks)
    for group in manifest.body.groups:
        for _, argument, _ in pickletools.genops(reader.bytes_of(group.stream)):
            assert argument not in ("_make_code", "CodeType", "marshal"), (group.names, argument)
            if isinstance(argument, str):
                assert not argument.startswith((*filter(None, sys.path), sys.prefix, str(Path.home()))), (
                    argument
                )


def load(where: Path, namespace: dict[str, Any]) -> None:
    manifest = snapshot.Manifest.from_bytes((where / "manifest").read_bytes())
    found = snapshot.load(manifest, snapshot.DirectoryChunks(where / "chunks"), namespace)
    namespace.update({name.removeprefix("globals/"): value for name, value in found.items()})


def check(namespace: dict[str, Any]) -> None:
    own = dict(namespace)
    exec(_RAISES, own)
    failed = []
    for name, claim in CLAIMS.items():
        try:
            if eval(claim, own) is not True:
                failed.append(name)
        except BaseException as error:
            failed.append(f"{name}: {type(error).__name__}: {error}")
    assert not failed, failed


def main(step: str, where: Path) -> None:
    # As in a kernel, the namespace is that of __main__.
    module = sys.modules["__main__"] = types.ModuleType("__main__")
    namespace = module.__dict__
    if step == "save":
        exec(resumable.compile_unit(CELLS, "cells.py").code, namespace)
    else:
        load(where, namespace)
    check(namespace)
    if step != "load":
        save(namespace, where)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
