"""Classes of the notebook are kept by value, as they are now."""

from __future__ import annotations

import enum

import pytest

from .conftest import Session


def test_attributes_that_changed_after_the_definition(session: Session) -> None:
    after = session.after("""
        class Model:
            registry = []
            def name(self): return 'old'
        Model.registry.append(1)
        Model.name = lambda self: 'new'
        Model.added = 5
        registry = Model.registry
        model = Model()
    """)
    assert after["model"].name() == "new"
    assert after["model"].added == 5
    assert after["registry"] is after["Model"].registry
    assert isinstance(after["model"], after["Model"])


def test_zero_argument_super_and_inheritance(session: Session) -> None:
    after = session.after("""
        class Base:
            def describe(self): return ['base']
        class Middle(Base):
            def describe(self): return super().describe() + ['middle']
        class Top(Middle):
            def describe(self): return super().describe() + ['top']
        top = Top()
    """)
    assert after["top"].describe() == ["base", "middle", "top"]


def test_init_subclass_and_metaclass_do_not_run_again(session: Session) -> None:
    after = session.after("""
        made = []
        class Registered:
            def __init_subclass__(cls, **options): made.append(cls.__name__)
        class Child(Registered): pass
        class Meta(type):
            def __init__(cls, *arguments): made.append('meta ' + cls.__name__); super().__init__(*arguments)
        class Metaed(metaclass=Meta): pass
    """)
    assert after["made"] == ["Child", "meta Metaed"]
    assert after["Child"].__mro__[1] is after["Registered"]
    assert type(after["Metaed"]) is after["Meta"]


def test_slots_properties_and_wrapped_methods(session: Session) -> None:
    after = session.after("""
        import functools
        class Point:
            __slots__ = ('x', '__dict__')
            def __init__(self, x): self.x = x
            @property
            def double(self): return self.x * 2
            @staticmethod
            def zero(): return Point(0)
            @classmethod
            def one(cls): return cls(1)
            @functools.cached_property
            def slow(self): return self.x + 100
        point = Point(3)
    """)
    point = after["point"]
    assert (point.x, point.double, point.zero().x, point.one().x, point.slow) == (3, 6, 0, 1, 103)
    assert type(after["Point"].__dict__["x"]).__name__ == "member_descriptor"


def test_abstract_classes(session: Session) -> None:
    after = session.after("""
        import abc
        class Shape(abc.ABC):
            @abc.abstractmethod
            def area(self): ...
        class Square(Shape):
            def area(self): return 4
        Shape.register(int)
        square = Square()
    """)
    assert after["square"].area() == 4
    assert isinstance(1, after["Shape"])
    with pytest.raises(TypeError, match="abstract"):
        after["Shape"]()


def test_enums(session: Session) -> None:
    after = session.after("""
        import enum
        class Colour(enum.Enum):
            RED = 1
            GREEN = 'green'
            ALSO_RED = 1
            def shout(self): return self.name + '!'
        class Level(enum.IntEnum):
            LOW = 1
            HIGH = 2
        class Right(enum.Flag):
            READ = enum.auto()
            WRITE = enum.auto()
        class Planet(enum.Enum):
            EARTH = (5.97, 6.37)
            def __init__(self, mass, radius): self.mass = mass
        colour, level, rights, planet = Colour.GREEN, Level.HIGH, Right.READ | Right.WRITE, Planet.EARTH
    """)
    assert after["colour"] is after["Colour"].GREEN
    assert after["colour"].shout() == "GREEN!"
    assert after["Colour"].ALSO_RED is after["Colour"](1)
    assert after["level"] > 1
    assert after["rights"] == after["Right"].READ | after["Right"].WRITE
    assert isinstance(after["Right"], enum.EnumMeta)
    assert after["planet"].mass == 5.97


def test_dataclasses(session: Session) -> None:
    after = session.after("""
        import dataclasses
        @dataclasses.dataclass
        class Order:
            id: int
            lines: list = dataclasses.field(default_factory=list)
            note: str = ''
        @dataclasses.dataclass(frozen=True, order=True)
        class Version:
            major: int
            minor: int = 0
        @dataclasses.dataclass
        class Big(Order):
            extra: int = 9
            def total(self): return self.id + self.extra
        order, version, big = Order(1, [2]), Version(1), Big(3)
    """)
    assert after["order"] == after["Order"](1, [2])
    assert after["Order"](5).lines == []
    assert after["version"] < after["Version"](1, 1)
    assert hash(after["version"]) == hash(after["Version"](1))
    with pytest.raises(AttributeError):
        after["version"].major = 2
    assert after["big"].total() == 12
    assert repr(after["big"]).endswith("Big(id=3, lines=[], note='', extra=9)")
    assert after["Big"](1, extra=2).extra == 2


def test_named_tuples_and_typing(session: Session) -> None:
    after = session.after("""
        import collections, typing
        Point = collections.namedtuple('Point', 'x y', defaults=[0])
        class Row(typing.NamedTuple):
            id: int
            name: str = 'n'
            def label(self): return f'{self.id}:{self.name}'
        T = typing.TypeVar('T')
        class Box(typing.Generic[T]):
            def __init__(self, value: T): self.value = value
        point, row, box = Point(1), Row(1), Box[int](4)
    """)
    assert after["point"] == (1, 0)
    assert type(after["point"]) is after["Point"]
    assert after["row"].label() == "1:n"
    assert after["box"].value == 4
    assert after["Box"].__parameters__ == (after["T"],)


def test_exceptions_keep_cause_notes_and_traceback(session: Session) -> None:
    after = session.after("""
        class Refused(Exception):
            def __init__(self, code, *, detail): super().__init__(f'{code}: {detail}'); self.code = code
        def fail():
            try:
                {}['key']
            except KeyError as error:
                raise Refused(7, detail='no') from error
        try:
            fail()
        except Refused as error:
            error.add_note('seen')
            caught = error
    """)
    caught = after["caught"]
    assert type(caught) is after["Refused"]
    assert (str(caught), caught.code, caught.__notes__) == ("7: no", 7, ["seen"])
    assert isinstance(caught.__cause__, KeyError)
    places = []
    traceback = caught.__traceback__
    while traceback is not None:
        places.append((traceback.tb_frame.f_code.co_name, traceback.tb_lineno))
        traceback = traceback.tb_next
    assert places == [("<module>", 10), ("fail", 8)]


def test_exceptions_of_the_system_and_groups(session: Session) -> None:
    after = session.after("""
        try:
            open('/nowhere/at/all')
        except OSError as error:
            missing = error
        try:
            b'\\xff'.decode()
        except UnicodeDecodeError as error:
            text = error
        group = ExceptionGroup('two', [ValueError(1), missing])
    """)
    assert (after["missing"].errno, after["missing"].filename) == (2, "/nowhere/at/all")
    assert after["text"].object == b"\xff"
    assert after["group"].exceptions[1] is after["missing"]
