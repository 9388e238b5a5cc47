"""Python's own objects: values, containers, functions, classes, exceptions, iterators."""

from __future__ import annotations

from . import Kind, Library

VALUES = Library(
    "Python: values and containers",
    (),
    """
import array, collections, datetime, decimal, fractions, ipaddress, pathlib, re, string, types, uuid, zoneinfo
import copy, heapq, itertools, operator, random, statistics
import email.message, urllib.parse, http.cookies, configparser, xml.etree.ElementTree, xml.dom.minidom, json, struct

def looped():
    rows = [1]
    rows.append(rows)
    return rows

def looped_dict():
    table = {}
    table['self'] = table
    return table

def twice():
    rows = [1]
    return {'one': rows, 'other': rows, 'inside': ([rows],)}

def deep(depth):
    made = []
    for _ in range(depth):
        made = [made]
    return made

def depth_of(nested):
    depth = 0
    while nested:
        nested, depth = nested[0], depth + 1
    return depth

def defaults():
    made = collections.defaultdict(list)
    made['a'].append(1)
    return made

def parsed():
    made = configparser.ConfigParser()
    made.read_string('[server]\\nport = 8\\n')
    return made

def message():
    made = email.message.EmailMessage()
    made['Subject'] = 'Hello'
    made.set_content('text')
    return made

def later(generator, count):
    for _ in range(count):
        next(generator)
    return generator
""",
    [
        Kind("None, True, Ellipsis, NotImplemented", "[None, True, ..., NotImplemented]"),
        Kind("int of any size", "[0, -1, 2**63, 3**1000]"),
        Kind("float with nan, inf and -0.0", "[0.1, float('inf'), -0.0, float('nan')]"),
        Kind("complex", "[1j, complex(-0.0, float('inf'))]"),
        Kind("str with surrogates", "['ä', '\\ud800', '\\U0001f600', '']"),
        Kind("bytes", "b'\\x00\\xff' * 10"),
        Kind("bytearray", "bytearray(b'abc') * 100000"),
        Kind("array.array", "array.array('d', range(1000))"),
        Kind("list in itself", "looped()"),
        Kind("dict in itself", "looped_dict()"),
        Kind("one list at three places", "twice()"),
        Kind("nested 100,000 deep", "deep(100_000)", "depth_of(a) == depth_of(b) == 100_000"),
        Kind("tuple", "(1, (2, [3]))"),
        Kind("set and frozenset", "[{1, 'a'}, frozenset({(1, 2)})]"),
        Kind("dict in its order", "{'b': 1, 'a': 2, 3: 4}"),
        Kind("collections.defaultdict", "defaults()"),
        Kind("collections.OrderedDict", "collections.OrderedDict(b=1, a=2)"),
        Kind("collections.Counter", "collections.Counter('abracadabra')"),
        Kind("collections.deque with maxlen", "collections.deque([1, 2, 3], maxlen=2)"),
        Kind("collections.ChainMap", "collections.ChainMap({'a': 1}, {'b': 2})"),
        Kind("collections.UserDict, UserList", "[collections.UserDict(a=1), collections.UserList([1])]"),
        Kind("types.SimpleNamespace", "types.SimpleNamespace(a=1, b=[2])"),
        Kind(
            "types.MappingProxyType",
            "types.MappingProxyType({'a': [1]})",
            "dict(a) == dict(b) and type(a) is type(b)",
        ),
        Kind(
            "dict views",
            "[view for d in [{'a': 1}] for view in (d.keys(), d.values(), d.items())]",
            "list(b[0]) == ['a'] and list(b[1]) == [1] and b[2] == a[2]",
        ),
        Kind("slice and range", "[slice(1, None, 2), range(0, 10, 3)]"),
        Kind(
            "datetime.datetime with fold and zone",
            "datetime.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=zoneinfo.ZoneInfo('Europe/Berlin'))",
            "not same(a, b) and (a.fold, a.tzinfo) == (b.fold, b.tzinfo)",
        ),
        Kind(
            "datetime.date, time, timedelta",
            "[datetime.date(1, 1, 1), datetime.time(1, 2, 3, 4), datetime.timedelta(-1, 2, 3)]",
        ),
        Kind("datetime.timezone", "datetime.timezone(datetime.timedelta(hours=2), 'here')"),
        Kind("zoneinfo.ZoneInfo", "zoneinfo.ZoneInfo('Asia/Tokyo')", "a is b"),
        Kind(
            "decimal.Decimal",
            "[decimal.Decimal('1.10'), decimal.Decimal('NaN'), decimal.Decimal('-Infinity')]",
        ),
        Kind("decimal.Context", "decimal.Context(prec=7, rounding=decimal.ROUND_UP)", "repr(a) == repr(b)"),
        Kind("fractions.Fraction", "fractions.Fraction(22, 7)"),
        Kind("uuid.UUID", "uuid.UUID(int=5)"),
        Kind(
            "pathlib.Path",
            "[pathlib.Path('/tmp/x'), pathlib.PurePosixPath('a/b'), pathlib.PureWindowsPath('c:/x')]",
        ),
        Kind("ipaddress", "[ipaddress.ip_address('::1'), ipaddress.ip_network('10.0.0.0/8')]"),
        Kind("re.Pattern", "re.compile('a(?P<b>.)', re.I)"),
        Kind(
            "re.Match",
            "re.match('(a)(?P<n>.)', 'abc')",
            "a.groups() == b.groups() and a.span('n') == b.span('n') and a.string == b.string",
            "rebuilt",
        ),
        Kind("string.Template, Formatter", "string.Template('$a')"),
        Kind(
            "random.Random at its place",
            "later((r := random.Random(3)), 0) or r",
            "a.getstate() == b.getstate() and a.random() == b.random()",
        ),
        Kind("random.SystemRandom", "random.SystemRandom()", "0 <= b.random() < 1"),
        Kind("statistics.NormalDist", "statistics.NormalDist(1, 2)"),
        Kind(
            "struct.Struct",
            "struct.Struct('<hi')",
            "a.format == b.format and b.pack(1, 2) == a.pack(1, 2)",
            "rebuilt",
        ),
        Kind("urllib.parse result", "urllib.parse.urlparse('http://a/b?c#d')"),
        Kind(
            "http.cookies.SimpleCookie", "http.cookies.SimpleCookie('a=1; b=2')", "a.output() == b.output()"
        ),
        Kind("configparser.ConfigParser", "parsed()", "b['server']['port'] == '8' and type(a) is type(b)"),
        Kind("email.message.EmailMessage", "message()", "str(a) == str(b)"),
        Kind(
            "ElementTree element",
            "xml.etree.ElementTree.fromstring('<a x=\"1\"><b>t</b>tail</a>')",
            "xml.etree.ElementTree.tostring(a) == xml.etree.ElementTree.tostring(b)",
        ),
        Kind("minidom document", "xml.dom.minidom.parseString('<a><b/></a>')", "a.toxml() == b.toxml()"),
        Kind(
            "json decoder and encoder",
            "[json.JSONEncoder(indent=2), json.JSONDecoder()]",
            "b[0].encode([1]) == a[0].encode([1]) and b[1].decode('[1]') == [1]",
        ),
        Kind(
            "operator.itemgetter, attrgetter",
            "[operator.itemgetter(1, 2), operator.attrgetter('a.b'), operator.methodcaller('f', 1)]",
        ),
        Kind("copy of a shared row", "copy.deepcopy(twice())"),
        Kind("heap", "heapq.merge([1, 3], [2])", "list(a) == list(b)", "named", "generator"),
        Kind("os.stat_result", "__import__('os').stat('/')", "a.st_ino == b.st_ino and type(a) is type(b)"),
        Kind("time.struct_time", "__import__('time').gmtime(0)"),
        Kind("sys.version_info", "__import__('sys').version_info", "tuple(a) == tuple(b)", "rebuilt"),
        Kind("types.GenericAlias", "[list[int], dict[str, list[int]]]"),
        Kind("union type", "int | None"),
        Kind(
            "typing constructs",
            "[__import__('typing').Optional[int], __import__('typing').Callable[[int], str], __import__('typing').Literal['a']]",
        ),
        Kind(
            "ast",
            "__import__('ast').parse('a + 1')",
            "__import__('ast').dump(a) == __import__('ast').dump(b)",
        ),
        Kind("inspect.Signature", "__import__('inspect').signature(looped)"),
        Kind("dis.Bytecode and code", "compile('1 + 1', 'x', 'eval')", "eval(b) == 2"),
        Kind("csv dialect", "__import__('csv').get_dialect('excel')", "b.delimiter == ','", "rebuilt"),
        Kind("zlib.compressobj", "__import__('zlib').compressobj()", "", "named", "cannot be pickled"),
        Kind("hashlib object", "__import__('hashlib').sha256(b'abc')", "", "named", "cannot be pickled"),
        Kind("hmac object", "__import__('hmac').new(b'k', b'm', 'sha256')", "", "named", "cannot be pickled"),
    ],
)

ITERATORS = Library(
    "Python: iterators",
    (),
    """
import itertools, collections, re

def at(iterator, count):
    for _ in range(count):
        next(iterator)
    return iterator

def numbers():
    total = 0
    for number in range(5):
        total += number
        yield total

def rest(a, b):
    return list(a) == list(b)

def endless(a, b):
    return [next(a) for _ in range(5)] == [next(b) for _ in range(5)]

class Chars:
    def __init__(self, text): self.text = text
    def __getitem__(self, place): return self.text[place]

rows = [1, 2, 3, 4]
""",
    [
        Kind("list iterator at its place", "at(iter([1, 2, 3]), 1)", "rest(a, b)"),
        Kind(
            "list iterator over a shared list",
            "(lambda rows: [rows, at(iter(rows), 1)])([1, 2])",
            "b[0].append(9) or list(b[1]) == [2, 9]",
        ),
        Kind(
            "tuple, str, bytes iterators",
            "[at(iter((1, 2)), 1), at(iter('ab'), 1), at(iter(b'ab'), 1)]",
            "[list(one) for one in a] == [list(one) for one in b]",
        ),
        Kind("dict iterator at its place", "at(iter({'a': 1, 'b': 2}), 1)", "rest(a, b)"),
        Kind("dict items iterator", "at(iter({'a': 1, 'b': 2}.items()), 1)", "rest(a, b)"),
        Kind("set iterator", "iter({1})", "rest(a, b)"),
        Kind("range iterator", "at(iter(range(5)), 2)", "rest(a, b)"),
        Kind("reversed", "at(reversed([1, 2, 3]), 1)", "rest(a, b)"),
        Kind("enumerate", "at(enumerate('abc'), 1)", "rest(a, b)"),
        Kind("zip", "at(zip([1, 2], 'ab'), 1)", "rest(a, b)"),
        Kind("map", "at(map(str, [1, 2, 3]), 1)", "rest(a, b)"),
        Kind("map of a flow's lambda", "at(map(lambda x: x * 2, [1, 2, 3]), 1)", "rest(a, b)"),
        Kind("filter", "filter(None, [0, 1, 2])", "rest(a, b)"),
        Kind("iterator by __getitem__", "at(iter(Chars('abc')), 1)", "rest(a, b)"),
        Kind("generator of the flow at its place", "at(numbers(), 2)", "rest(a, b)"),
        Kind("generator expression", "at((n * 2 for n in [1, 2, 3]), 1)", "rest(a, b)"),
        Kind("generator that has ended", "at(numbers(), 5)", "rest(a, b)"),
        Kind("itertools.count", "at(itertools.count(3, 2), 2)", "endless(a, b)"),
        Kind("itertools.cycle", "at(itertools.cycle('abc'), 2)", "endless(a, b)"),
        Kind("itertools.repeat", "at(itertools.repeat(7, 3), 1)", "rest(a, b)"),
        Kind("itertools.chain", "at(itertools.chain([1], [2, 3]), 2)", "rest(a, b)"),
        Kind("itertools.islice", "at(itertools.islice([1, 2, 3, 4], 1, 4), 1)", "rest(a, b)"),
        Kind("itertools.accumulate", "at(itertools.accumulate([1, 2, 3]), 1)", "rest(a, b)"),
        Kind("itertools.compress", "itertools.compress('abc', [1, 0, 1])", "rest(a, b)"),
        Kind(
            "itertools.dropwhile, takewhile",
            "[itertools.dropwhile(bool, [1, 0, 2]), itertools.takewhile(bool, [1, 0])]",
            "[list(one) for one in a] == [list(one) for one in b]",
        ),
        Kind("itertools.filterfalse", "itertools.filterfalse(None, [0, 1])", "rest(a, b)"),
        Kind("itertools.starmap", "itertools.starmap(pow, [(2, 3), (3, 2)])", "rest(a, b)"),
        Kind("itertools.zip_longest", "at(itertools.zip_longest('ab', 'c', fillvalue=0), 1)", "rest(a, b)"),
        Kind("itertools.pairwise", "at(itertools.pairwise([1, 2, 3, 4]), 1)", "rest(a, b)"),
        Kind("itertools.product", "at(itertools.product('ab', repeat=2), 1)", "rest(a, b)"),
        Kind("itertools.permutations", "at(itertools.permutations([1, 2, 3], 2), 2)", "rest(a, b)"),
        Kind("itertools.combinations", "at(itertools.combinations('abcd', 2), 2)", "rest(a, b)"),
        Kind(
            "itertools.combinations_with_replacement",
            "at(itertools.combinations_with_replacement('ab', 2), 1)",
            "rest(a, b)",
        ),
        Kind(
            "itertools.groupby", "itertools.groupby('aab')", "[key for key, _ in a] == [key for key, _ in b]"
        ),
        Kind("itertools.tee", "at(itertools.tee([1, 2, 3])[0], 1)", "rest(a, b)"),
        Kind("iter(callable, sentinel)", "iter([1, 2, 0].pop, 1)", "rest(a, b)"),
        Kind("deque iterator", "at(iter(collections.deque([1, 2, 3])), 1)", "rest(a, b)"),
        Kind("re.finditer", "at(re.finditer('.', 'abc'), 1)", "", "named", "SRE_Scanner cannot be pickled"),
        Kind("async generator", "(lambda: (n async for n in None))", "callable(b)"),
        Kind("coroutine", "__import__('asyncio').sleep(1)", "", "named", "coroutine"),
    ],
)

CODE = Library(
    "Python: functions, classes, exceptions",
    (),
    """
import abc, contextlib, contextvars, dataclasses, enum, functools, typing, types, weakref, collections

def counter():
    count = 0
    def up():
        nonlocal count
        count += 1
        return count
    def look():
        return count
    return up, look

def makes_default(rows=[]):
    rows.append(1)
    return rows

def with_default(rows=[]): return rows

def with_attributes(): "A doc."
with_attributes.calls = [1]

@functools.lru_cache(maxsize=4)
def square(x): return x * x

@functools.cache
def cube(x): return x ** 3

@functools.singledispatch
def show(x): return 'object'
@show.register
def _(x: int): return 'int'
@show.register(list)
def _(x): return 'list'

@contextlib.contextmanager
def managed():
    yield 1

def wrapped(f):
    @functools.wraps(f)
    def inside(*args): return f(*args)
    return inside

@wrapped
def decorated(x: int = 3, *, y='k') -> str: return str(x) + y

class Plain:
    shared = [1]
    def __init__(self, x): self.x = x
    def double(self): return self.x * 2
    @classmethod
    def make(cls): return cls(1)
    @staticmethod
    def fixed(): return 4
    @property
    def half(self): return self.x / 2
    @functools.cached_property
    def costly(self): return [self.x]
    class Inner:
        pass
Plain.added = {'later': 1}
Plain.shared.append(2)

class Slotted:
    __slots__ = ('a', 'b', '__weakref__')
class Child(Plain):
    def double(self): return super().double() + 1
class Meta(type):
    def __call__(cls, *args): return super().__call__(*args)
class WithMeta(metaclass=Meta):
    pass
class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self): ...
class Square(Shape):
    def area(self): return 4
class Registered: pass
Shape.register(Registered)
class Descriptor:
    def __set_name__(self, owner, name): self.name = name
    def __get__(self, instance, owner): return self.name
class Described:
    field = Descriptor()
class Rows(list):
    def __init__(self, *a): super().__init__(*a); self.note = 'n'
class Table(dict):
    def __missing__(self, key): return key
class Text(str): pass
class Number(int): pass
class Pair(typing.NamedTuple):
    left: int
    right: list = []
Point = collections.namedtuple('Point', 'x y', defaults=[0])
class Movie(typing.TypedDict):
    name: str
class Colour(enum.Enum):
    RED = 1
    GREEN = [2]
    def shade(self): return self.name.lower()
class Power(enum.IntFlag):
    READ = enum.auto()
    WRITE = enum.auto()
class Word(enum.StrEnum):
    YES = 'y'
@dataclasses.dataclass
class Order:
    id: int
    lines: list = dataclasses.field(default_factory=list)
@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Frozen:
    x: int
    y: str = 'd'
class Proto(typing.Protocol):
    def run(self) -> int: ...
T = typing.TypeVar('T')
class Box(typing.Generic[T]):
    def __init__(self, content): self.content = content
UserId = typing.NewType('UserId', int)
class Hooked:
    made = []
    def __init_subclass__(cls, **k): Hooked.made.append(cls.__name__)
class HookedChild(Hooked): pass
class State:
    def __init__(self): self.rows = [1]; self.temporary = 5
    def __getstate__(self): return {'rows': self.rows}
    def __setstate__(self, state): self.rows = state['rows']; self.temporary = 0
class NewArgs:
    def __new__(cls, x): made = super().__new__(cls); made.x = x; return made
    def __getnewargs__(self): return (self.x,)
class Callback:
    def __init__(self): self.seen = []
    def note(self, x): self.seen.append(x)
class Node:
    def __init__(self, parent=None): self.parent, self.children = parent, []
    def add(self): child = Node(self); self.children.append(child); return self
class Holder:
    def __init__(self):
        self.node = Node()
        self.weak = weakref.ref(self.node)
class CustomError(Exception):
    def __init__(self, code, *, detail): super().__init__(f'code {code}'); self.code, self.detail = code, detail

def raised(make):
    try:
        make()
    except BaseException as error:
        return error

def chain():
    try:
        {}['a']
    except KeyError as error:
        raise ValueError('outer') from error

def context():
    try:
        {}['a']
    except KeyError:
        raise ValueError('outer')

def noted():
    error = ValueError('x')
    error.add_note('a note')
    raise error

def grouped():
    raise ExceptionGroup('many', [ValueError(1), ExceptionGroup('in', [KeyError('k')])])

def primed(function, *values):
    for value in values:
        function(value)
    return function
""",
    [
        Kind("function", "with_default"),
        Kind(
            "function whose mutable default changed",
            "(makes_default() and makes_default)",
            "b.__defaults__[0] and b() is b.__defaults__[0]",
        ),
        Kind("function with attributes", "with_attributes"),
        Kind("lambda", "lambda x, y=2: x + y"),
        Kind(
            "closures that share a cell",
            "(lambda pair: pair[0]() and pair)(counter())",
            "b[0].__closure__[0] is b[1].__closure__[0] and b[0]() == 2 and b[1]() == 2",
        ),
        Kind("decorated function", "decorated", "not same(a, b) and b(1) == '1k'"),
        Kind("functools.partial", "functools.partial(with_default, [5])"),
        Kind(
            "functools.lru_cache",
            "primed(square, 2, 3)",
            "b.cache_parameters() == a.cache_parameters() and b(3) == 9",
            "rebuilt",
        ),
        Kind(
            "functools.cache",
            "primed(cube, 2)",
            "b(2) == 8 and same(a.__wrapped__, b.__wrapped__) == ''",
            "rebuilt",
        ),
        Kind("functools.singledispatch", "show", "[b(1), b([]), b('')] == ['int', 'list', 'object']"),
        Kind(
            "functools.partialmethod, cmp_to_key",
            "functools.cmp_to_key(lambda x, y: x - y)",
            "sorted([3, 1], key=b) == [1, 3]",
            "rebuilt",
        ),
        Kind("context manager function", "managed", "b().__enter__() == 1"),
        Kind("contextlib.ExitStack", "contextlib.ExitStack()", "b.__enter__() is b"),
        Kind(
            "contextlib.nullcontext, suppress", "[contextlib.nullcontext(3), contextlib.suppress(ValueError)]"
        ),
        Kind(
            "contextvars.ContextVar with a value",
            "(lambda v: v.set(5) and v)(contextvars.ContextVar('v'))",
            "b.get() == 5 and b.name == 'v'",
            "rebuilt",
        ),
        Kind(
            "contextvars.Context",
            "(lambda v: [v, v.set(5), contextvars.copy_context(), v.set(6)])(contextvars.ContextVar('c'))[::2]",
            "b[1][b[0]] == 5 and b[0].get() == 6",
            "rebuilt",
        ),
        Kind(
            "bound method of a kept object",
            "(lambda c: [c, c.note])(Callback())",
            "b[1](7) or b[0].seen == [7]",
        ),
        Kind("bound method of a list", "(lambda rows: [rows, rows.append])([])", "b[1](7) or b[0] == [7]"),
        Kind(
            "built-in functions and methods", "[len, str.upper, list.append, dict.fromkeys, object.__init__]"
        ),
        Kind(
            "class with changed attributes",
            "Plain",
            "not same(a, b) and b.shared == [1, 2] and b.added == {'later': 1}",
        ),
        Kind("class and its instance", "[Plain, Plain(3)]", "not same(a, b) and type(b[1]) is b[0]"),
        Kind("instance with a cached property", "(lambda p: p.costly and p)(Plain(3))"),
        Kind("nested class", "Plain.Inner()"),
        Kind("__slots__", "(lambda s: setattr(s, 'a', [1]) or s)(Slotted())"),
        Kind("subclass with super()", "Child(2)", "b.double() == 5"),
        Kind("metaclass", "WithMeta()"),
        Kind("abstract class", "[Shape, Square()]", "isinstance(b[1], b[0]) and b[1].area() == 4"),
        Kind("virtual subclass", "[Shape, Registered()]", "isinstance(b[1], b[0])"),
        Kind("descriptor", "Described", "b.field == 'field'"),
        Kind("subclass of list", "Rows([1, 2])"),
        Kind("subclass of dict", "Table(a=1)"),
        Kind("subclasses of str and int", "[Text('t'), Number(4)]"),
        Kind("typing.NamedTuple", "Pair(1, [2])"),
        Kind("collections.namedtuple", "[Point(1, 2), Point(3)]"),
        Kind("typing.TypedDict", "Movie(name='x')"),
        Kind(
            "enum member is the one member",
            "[Colour, Colour.RED, Colour.GREEN]",
            "b[1] is b[0].RED and b[0]([2]) is b[2] and b[1].shade() == 'red'",
        ),
        Kind("enum flags combined", "Power.READ | Power.WRITE", "int(b) == 3 and type(b).READ in b"),
        Kind("StrEnum", "Word.YES", "b == 'y' and b is type(b).YES"),
        Kind("library's enum", "__import__('http').HTTPStatus.OK", "a is b"),
        Kind("dataclass", "Order(1, [2])"),
        Kind(
            "dataclass, frozen with slots",
            "Frozen(1)",
            "b == type(b)(1) and b < type(b)(2) and hash(b) == hash(type(b)(1))",
        ),
        Kind(
            "dataclass field and class",
            "Order",
            "b(1).lines == [] and b.__dataclass_fields__['id'].type in (int, 'int')",
        ),
        Kind("typing.Protocol", "Proto", "b.__name__ == 'Proto' and b._is_protocol"),
        Kind("typing.Generic", "[Box, Box(1), Box[int]]", "type(b[1]) is b[0] and b[2].__origin__ is b[0]"),
        Kind("typing.TypeVar, NewType", "[T, UserId]", "b[0].__name__ == 'T' and b[1](3) == 3"),
        Kind(
            "__init_subclass__ runs no second time",
            "[Hooked, HookedChild]",
            "b[0].made == ['HookedChild'] and issubclass(b[1], b[0])",
        ),
        Kind("__getstate__ and __setstate__", "State()", "b.rows == [1] and b.temporary in (0, 5)"),
        Kind("__getnewargs__", "NewArgs(3)"),
        Kind("tree with links to parents", "Node().add().add()"),
        Kind("weak reference", "Holder()", "b.weak() is b.node"),
        Kind("weak reference to what is gone", "weakref.ref(Node())", "b() is None", "rebuilt"),
        Kind(
            "weakref.proxy",
            "(lambda n: [n, weakref.proxy(n)])(Node())",
            "b[1].children is b[0].children",
            "rebuilt",
        ),
        Kind(
            "weakref.WeakMethod",
            "(lambda c: [c, weakref.WeakMethod(c.note)])(Callback())",
            "b[1]()(3) or b[0].seen == [3]",
            "rebuilt",
        ),
        Kind(
            "weakref.WeakSet",
            "(lambda n: [n, weakref.WeakSet([n])])(Node())",
            "list(b[1])[0] is b[0]",
            "rebuilt",
        ),
        Kind(
            "weakref.WeakValueDictionary",
            "(lambda n: [n, weakref.WeakValueDictionary(k=n)])(Node())",
            "b[1]['k'] is b[0]",
            "rebuilt",
        ),
        Kind(
            "weakref.WeakKeyDictionary",
            "(lambda n: [n, weakref.WeakKeyDictionary({n: 1})])(Node())",
            "b[1][b[0]] == 1",
            "rebuilt",
        ),
        Kind(
            "weakref.finalize",
            "(lambda n, f: [n, f, weakref.finalize(n, f.append, 1)])(Node(), [])",
            "b[2].alive and b[2].peek()[0] is b[0] and (b[2]() or b[1] == [1])",
            "rebuilt",
        ),
        Kind(
            "property, staticmethod, classmethod",
            "[property(len), staticmethod(len), classmethod(len)]",
            "b[0].fget is len and b[1].__func__ is len and b[2].__func__ is len",
        ),
        Kind("super object", "super(Child, Child(2))", "b.double() == 4", "rebuilt"),
        Kind(
            "method descriptors",
            "[Plain.double, Plain.__dict__['half'], int.__add__, Slotted.a]",
            "b[2] is int.__add__ and b[0].__name__ == 'double'",
        ),
        Kind("exception", "ValueError('x', 1)"),
        Kind("exception with cause and tracebacks", "raised(chain)"),
        Kind("exception with context", "raised(context)"),
        Kind("exception with notes", "raised(noted)"),
        Kind(
            "exception group",
            "raised(grouped)",
            "b.exceptions[1].exceptions[0].args == ('k',) and b.message == 'many'",
        ),
        Kind("exception with an __init__ of its own", "CustomError(3, detail=[4])"),
        Kind(
            "OSError",
            "raised(lambda: open('/does/not/exist'))",
            "not same(a, b) and (a.errno, a.filename) == (b.errno, b.filename)",
        ),
        Kind(
            "KeyError, StopIteration, SystemExit",
            "[KeyError('k'), StopIteration(5), SystemExit(3)]",
            "not same(a, b) and b[1].value == 5 and b[2].code == 3",
        ),
        Kind(
            "SyntaxError",
            "raised(lambda: compile('a b', 'f', 'exec'))",
            "(a.lineno, a.text, a.msg) == (b.lineno, b.text, b.msg)",
        ),
        Kind("UnicodeDecodeError", "raised(lambda: b'\\xff'.decode())"),
        Kind(
            "AttributeError with name and obj",
            "raised(lambda: Plain(1).nothing)",
            "b.name == 'nothing' and b.obj.x == 1",
        ),
        Kind(
            "ImportError",
            "raised(lambda: __import__('no_such_module_here'))",
            "b.name == a.name and type(a) is type(b)",
        ),
        Kind(
            "subprocess.CalledProcessError",
            "__import__('subprocess').CalledProcessError(2, ['x'], b'out')",
            "(b.returncode, b.cmd, b.output) == (2, ['x'], b'out')",
        ),
        Kind(
            "json.JSONDecodeError",
            "raised(lambda: __import__('json').loads('{'))",
            "(a.msg, a.pos, a.doc) == (b.msg, b.pos, b.doc)",
        ),
        Kind("traceback object", "raised(chain).__traceback__", "b.tb_lineno == a.tb_lineno", "rebuilt"),
        Kind(
            "traceback.TracebackException",
            "__import__('traceback').TracebackException.from_exception(ValueError('x'))",
            "list(b.format()) == list(a.format())",
        ),
        Kind("frame", "(lambda: __import__('sys')._getframe())()", "", "named", "cannot be pickled"),
        Kind("module of the standard library", "__import__('math')", "a is b"),
        Kind(
            "module made by hand",
            "(lambda m: setattr(m, 'x', [1]) or m)(types.ModuleType('by_hand'))",
            "b.x == [1] and b.__name__ == 'by_hand'",
        ),
        Kind("builtins dict and globals()", "[globals()['__builtins__'] is not None, globals]"),
        Kind("object() as a sentinel", "(lambda o: [o, o])(object())"),
        Kind("type made by type()", "type('Made', (list,), {'x': 1})()", "b.x == 1 and b == []"),
        Kind("class with __reduce__ of its own", "__import__('collections').Counter"),
        Kind(
            "class whose __getattr__ answers everything",
            "type('Any', (), {'__getattr__': lambda s, n: (_ for _ in ()).throw(AttributeError(n)) if n.startswith('__') else n})()",
            "b.foo == 'foo'",
        ),
        Kind(
            "object whose __eq__ raises",
            "type('E', (), {'__eq__': lambda s, o: 1 / 0, '__hash__': None})()",
            "type(b).__name__ == 'E'",
        ),
        Kind(
            "object whose __getstate__ raises",
            "type('E', (), {'__getstate__': lambda s: 1 / 0})()",
            "",
            "named",
            "ZeroDivisionError",
        ),
    ],
)

LIBRARIES = [VALUES, ITERATORS, CODE]
