"""Exactness probes: a few lines of a session, and what must be true when it goes on in another process.

Each probe is (name, cells, check). The cells run in a namespace of their own, are saved with the state of
the process, loaded in a fresh process, and then the check runs there as the next cell.
"""

from __future__ import annotations

_STUBBORN = "class Stubborn:\n    def __getstate__(self): raise RuntimeError('not now')\n"
_REFUSED = """
def refused(use):
    try:
        use()
    except Exception as error:
        return type(error).__name__ == 'SavepointError' and str(error)
"""

PROBES: list[tuple[str, str, str]] = [
    # shared objects
    ("two names for one list", "a = [1]; b = a", "b.append(2); assert a == [1, 2]"),
    ("a list in a list and alone", "a = [1]; b = [a, a]", "a.append(2); assert b == [[1, 2], [1, 2]]"),
    (
        "a dict shared by two objects",
        "class C: pass\nd = {}; x, y = C(), C(); x.d = y.d = d",
        "x.d['k'] = 1; assert y.d == d == {'k': 1}",
    ),
    ("an object that is its own member", "class C: pass\nc = C(); c.me = c", "assert c.me is c"),
    (
        "a cycle over three variables",
        "a, b, c = [], [], []; a.append(b); b.append(c); c.append(a)",
        "assert a[0] is b and b[0] is c and c[0] is a",
    ),
    (
        "a tuple that holds itself by a list",
        "a = []; t = (a,); a.append(t)",
        "assert t[0] is a and a[0] is t",
    ),
    ("a set of shared objects", "class C: pass\nc = C(); s = {c}", "assert c in s"),
    ("objects as keys", "class C: pass\nc = C(); d = {c: 1}", "assert d[c] == 1"),
    (
        "keys whose hash needs their state",
        "class K:\n    def __init__(self, n): self.n = n\n    def __hash__(self): return hash(self.n)\n    def __eq__(self, o): return self.n == o.n\nd = {K(1): 'x'}",
        "assert d[K(1)] == 'x'",
    ),
    ("a long text under two names", "a = 'x' * 10_000; b = a", "assert a is b"),
    (
        "small parts of a large shared thing",
        "big = list(range(50_000)); part = {'big': big}",
        "part['big'].append(1); assert len(big) == 50_001",
    ),
    ("a bound method of a variable", "rows = []; add = rows.append", "add(1); assert rows == [1]"),
    (
        "a method of an object",
        "class C:\n    def __init__(self): self.n = 0\n    def up(self): self.n += 1\nc = C(); up = c.up",
        "up(); assert c.n == 1",
    ),
    (
        "a partial over a variable",
        "import functools\nrows = [1]; f = functools.partial(list.append, rows)",
        "f(2); assert rows == [1, 2]",
    ),
    (
        "views of a dictionary",
        "d = {'a': 1}; k, v = d.keys(), d.values()",
        "d['b'] = 2; assert list(k) == ['a', 'b'] and list(v) == [1, 2]",
    ),
    (
        "a proxy of a mapping",
        "import types\nd = {'a': 1}; p = types.MappingProxyType(d)",
        "d['b'] = 2; assert p['b'] == 2",
    ),
    (
        "an iterator over a variable",
        "rows = [1, 2]; it = iter(rows); next(it)",
        "rows.append(3); assert list(it) == [2, 3]",
    ),
    (
        "a chain map",
        "import collections\nd = {}; c = collections.ChainMap(d)",
        "c['a'] = 1; assert d == {'a': 1}",
    ),
    # cells and globals
    (
        "two closures over one cell",
        "def make():\n    n = 0\n    def up():\n        nonlocal n; n += 1\n    def get(): return n\n    return up, get\nup, get = make(); up()",
        "up(); assert get() == 2",
    ),
    (
        "a cell and a global are one object",
        "rows = []\ndef make(r):\n    def add(x): r.append(x)\n    return add\nadd = make(rows)",
        "add(1); assert rows == [1]",
    ),
    (
        "an empty cell",
        "def make():\n    def f(): return late\n    if False: late = 1\n    return f\nf = make()",
        "try: f()\nexcept NameError: pass\nelse: assert False",
    ),
    (
        "a closure that calls itself",
        "def make():\n    def fact(n): return 1 if n < 2 else n * fact(n - 1)\n    return fact\nf = make()",
        "assert f(5) == 120",
    ),
    ("global in a function", "n = 0\ndef up():\n    global n\n    n += 1\nup()", "up(); assert n == 2"),
    ("globals() in a function", "def put(): globals()['made'] = 5", "put(); assert made == 5"),
    ("a function sees later globals", "def f(): return later", "later = 7; assert f() == 7"),
    (
        "a default that changed",
        "def f(x, rows=[]):\n    rows.append(x); return rows\nf(1)",
        "assert f(2) == [1, 2]",
    ),
    (
        "a default shared with a variable",
        "rows = []\ndef f(r=rows): return r",
        "rows.append(1); assert f() == [1]",
    ),
    ("attributes of a function", "def f(): f.calls += 1\nf.calls = 0; f()", "f(); assert f.calls == 2"),
    (
        "a lambda in a dictionary",
        "d = {'f': lambda x: x + offset}; offset = 1",
        "offset = 5; assert d['f'](1) == 6",
    ),
    (
        "a decorated function",
        "import functools\ndef twice(f):\n    @functools.wraps(f)\n    def g(*a): return 2 * f(*a)\n    return g\n@twice\ndef h(x): return x",
        "assert h(2) == 4 and h.__wrapped__(2) == 2",
    ),
    (
        "annotations and doc",
        "def f(x: int) -> str:\n    'Doc.'",
        "assert f.__doc__ == 'Doc.' and set(f.__annotations__) == {'x', 'return'}",
    ),
    ("source of a function", "def f():\n    return 1  # a remark", "import inspect\nassert f() == 1"),
    # classes
    (
        "an attribute of a class",
        "class C: n = 1\nC.n = 2; c = C()",
        "assert c.n == 2; C.n = 3; assert c.n == 3",
    ),
    (
        "a list of a class",
        "class C: seen = []\nC.seen.append(1); c = C()",
        "c.seen.append(2); assert C.seen == [1, 2]",
    ),
    (
        "a method put on later",
        "class C: pass\nC.f = lambda self: 5; c = C()",
        "assert c.f() == 5 and type(c) is C",
    ),
    (
        "isinstance over two cells",
        "class A: pass\nclass B(A): pass\nb = B()",
        "assert isinstance(b, A) and issubclass(B, A)",
    ),
    (
        "zero-argument super",
        "class A:\n    def f(self): return 1\nclass B(A):\n    def f(self): return super().f() + 1\nb = B()",
        "assert b.f() == 2 and B().f() == 2",
    ),
    (
        "an enum's members are the ones",
        "import enum\nclass E(enum.Enum):\n    A = 1\na = E.A",
        "assert a is E.A and E(1) is a",
    ),
    (
        "a dataclass",
        "import dataclasses\n@dataclasses.dataclass\nclass P:\n    x: int\n    rows: list = dataclasses.field(default_factory=list)\np = P(1)",
        "assert p == P(1) and dataclasses.replace(p, x=2).x == 2",
    ),
    (
        "slots",
        "class C: __slots__ = ('a',)\nc = C(); c.a = [1]; r = c.a",
        "r.append(2); assert c.a == [1, 2]",
    ),
    (
        "a property with a setter",
        "class C:\n    @property\n    def x(self): return self._x\n    @x.setter\n    def x(self, v): self._x = v\nc = C(); c.x = 1",
        "c.x += 1; assert c._x == 2",
    ),
    (
        "a metaclass's registry",
        "class M(type):\n    made = []\n    def __init__(cls, *a): M.made.append(cls.__name__); super().__init__(*a)\nclass C(metaclass=M): pass",
        "assert M.made == ['C'] and type(C) is M",
    ),
    (
        "__init_subclass__ does not run again",
        "log = []\nclass A:\n    def __init_subclass__(cls): log.append(cls.__name__)\nclass B(A): pass",
        "assert log == ['B']",
    ),
    (
        "a named tuple",
        "import collections\nP = collections.namedtuple('P', 'x y'); p = P(1, [2])",
        "assert type(p) is P and p.y == [2]",
    ),
    (
        "a singleton",
        "class S:\n    one = None\n    def __new__(cls):\n        if cls.one is None: cls.one = super().__new__(cls)\n        return cls.one\ns = S()",
        "assert S() is s",
    ),
    # views written through either end
    (
        "a view of an array",
        "import numpy as np\na = np.zeros(5); v = a[1:3]",
        "v[0] = 9; assert a[1] == 9; a[2] = 8; assert v[1] == 8",
    ),
    (
        "a view of a view",
        "import numpy as np\na = np.zeros((4, 4)); v = a[1:]; w = v[:, 1]",
        "w[0] = 5; assert a[1, 1] == 5 and v[0, 1] == 5",
    ),
    ("a large view", "import numpy as np\na = np.zeros(200_000); v = a[::2]", "v[1] = 3; assert a[2] == 3"),
    (
        "a view in an object",
        "import numpy as np\nclass C: pass\na = np.zeros(3); c = C(); c.v = a[:2]",
        "c.v[0] = 1; assert a[0] == 1",
    ),
    ("a memoryview", "b = bytearray(b'abcd'); v = memoryview(b)[1:3]", "v[0] = 65; assert b == b'aAcd'"),
    (
        "an array over a bytearray",
        "import numpy as np\nb = bytearray(8); a = np.frombuffer(b, 'u1')",
        "a[0] = 7; assert b[0] == 7",
    ),
    (
        "a masked array",
        "import numpy as np\nm = np.ma.array([1, 2], mask=[0, 1])",
        "assert m.sum() == 1 and m.mask.tolist() == [False, True]",
    ),
    (
        "a frame's column is a copy",
        "import pandas as pd\nf = pd.DataFrame({'a': [1, 2]}); s = f['a']",
        "f.loc[0, 'a'] = 9; assert s[0] == 1",
    ),
    (
        "a list in a frame",
        "import pandas as pd\nr = [1]; f = pd.DataFrame({'o': [r]})",
        "r.append(2); assert f['o'][0] == [1, 2]",
    ),
    # errors
    (
        "an exception's cause",
        "try:\n    try: 1 / 0\n    except ZeroDivisionError as e: raise ValueError('x') from e\nexcept ValueError as e: error = e",
        "assert type(error.__cause__) is ZeroDivisionError and error.__traceback__ is not None",
    ),
    (
        "an exception's line",
        "def f():\n    raise ValueError('x')\ntry: f()\nexcept ValueError as e: error = e",
        "import traceback\nassert [s.name for s in traceback.extract_tb(error.__traceback__)][-1] == 'f'",
    ),
    (
        "an exception of the flow",
        "class Wrong(Exception):\n    def __init__(self, *, code): super().__init__(); self.code = code\nerror = Wrong(code=3)",
        "assert error.code == 3 and isinstance(error, Wrong)",
    ),
    # what cannot be kept
    (
        "one bad object costs no other",
        _STUBBORN + _REFUSED + "bad = Stubborn(); good = [1]",
        "assert good == [1] and 'not now' in refused(lambda: bad.x)",
    ),
    (
        "a bad object inside",
        _STUBBORN + _REFUSED + "d = {'bad': Stubborn(), 'good': [1]}; g = d['good']",
        "assert d['good'] is g and 'not now' in refused(lambda: d['bad'].x)",
    ),
    (
        "a group with a bad object",
        _STUBBORN + _REFUSED + "r = [1]; a = [r, Stubborn()]; b = [r]",
        "r.append(2); assert b == [[1, 2]] and a[0] is r",
    ),
    (
        "what does not load",
        _REFUSED + "class L:\n    def __reduce__(self): return int, ('x',)\nl = L(); rest = [1]",
        "assert rest == [1] and refused(lambda: l + 1)",
    ),
    (
        "__setstate__ raises",
        _REFUSED
        + "class L:\n    def __init__(self): self.x = 1\n    def __setstate__(self, s): raise RuntimeError('no')\nl = [L(), 2]",
        "assert l[1] == 2 and refused(lambda: l[0].x)",
    ),
    (
        "a thread that runs",
        _REFUSED
        + "import threading\ngate = threading.Event(); t = threading.Thread(target=gate.wait, daemon=True); t.start(); rest = 1",
        "assert rest == 1 and not gate.is_set() and 'join it first' in refused(lambda: t.join())",
    ),
    (
        "a socket deep inside",
        _REFUSED
        + "import socket, types\nm = types.SimpleNamespace(c=types.SimpleNamespace(s=socket.socket(), n=5))",
        "assert m.c.n == 5 and 'm.c.s' in refused(lambda: m.c.s.send(b''))",
    ),
    # callbacks, threads, caches
    (
        "callbacks in a list",
        "seen = []\nhooks = [seen.append, lambda x: seen.append(-x)]",
        "for h in hooks: h(1)\nassert seen == [1, -1]",
    ),
    (
        "a lock that is held",
        "import threading\nl = threading.Lock(); l.acquire()",
        "assert l.locked(); l.release()",
    ),
    (
        "a condition over its lock",
        "import threading\nl = threading.Lock(); c = threading.Condition(l)",
        "with c: assert l.locked()",
    ),
    (
        "a queue with work",
        "import queue\nq = queue.Queue(); q.put([1])",
        "assert q.get() == [1]; q.task_done(); q.join()",
    ),
    (
        "an idle pool",
        "import concurrent.futures\np = concurrent.futures.ThreadPoolExecutor(2); x = p.submit(int, '3').result()",
        "assert p.submit(int, '4').result() == 4; p.shutdown()",
    ),
    (
        "a cached function",
        "import functools\n@functools.cache\ndef f(x): return x * 2\nf(1)",
        "assert f(2) == 4 and f.cache_info() is not None",
    ),
    (
        "a cached property",
        "import functools\nclass C:\n    @functools.cached_property\n    def x(self): return [1]\nc = C(); r = c.x",
        "r.append(2); assert c.x == [1, 2]",
    ),
    (
        "a cache of one's own",
        "cache = {}\ndef f(x):\n    if x not in cache: cache[x] = [x]\n    return cache[x]\nr = f(1)",
        "assert f(1) is r",
    ),
    ("a weak reference", "import weakref\nclass C: pass\nc = C(); w = weakref.ref(c)", "assert w() is c"),
    (
        "a weak dictionary",
        "import weakref\nclass C: pass\nc = C(); d = weakref.WeakValueDictionary(k=c)",
        "assert d['k'] is c",
    ),
    # the process
    (
        "random numbers go on",
        "import random\nrandom.seed(5); random.random(); s = random.getstate(); expected = random.random(); random.setstate(s)",
        "import random; assert random.random() == expected",
    ),
    (
        "NumPy's numbers go on",
        "import numpy as np\nnp.random.seed(5); s = np.random.get_state(); expected = np.random.rand(); np.random.set_state(s)",
        "import numpy as np; assert np.random.rand() == expected",
    ),
    (
        "a generator of numbers",
        "import numpy as np, copy\ng = np.random.default_rng(1); g.random(); expected = copy.deepcopy(g).random()",
        "assert g.random() == expected",
    ),
    ("os.environ", "import os\nos.environ['PROBE'] = 'x'", "assert os.environ['PROBE'] == 'x'"),
    (
        "the current directory",
        "import os, tempfile\nos.makedirs('below', exist_ok=True); os.chdir('below'); here = os.getcwd()",
        "assert os.getcwd() == here; os.chdir('..')",
    ),
    (
        "pandas' options",
        "import pandas as pd\npd.set_option('display.max_rows', 7)",
        "assert pd.get_option('display.max_rows') == 7",
    ),
    (
        "matplotlib's options",
        "import matplotlib\nmatplotlib.rcParams['lines.linewidth'] = 9",
        "assert matplotlib.rcParams['lines.linewidth'] == 9",
    ),
    (
        "NumPy's print options",
        "import numpy as np\nnp.set_printoptions(precision=3)",
        "assert np.get_printoptions()['precision'] == 3",
    ),
    (
        "NumPy's errors",
        "import numpy as np\nnp.seterr(divide='raise')",
        "assert np.geterr()['divide'] == 'raise'",
    ),
    (
        "warnings' filters",
        "import warnings\nwarnings.filterwarnings('error', message='probe')",
        "try: warnings.warn('probe')\nexcept UserWarning: pass\nelse: assert False",
    ),
    (
        "the decimal context",
        "import decimal\ndecimal.getcontext().prec = 5",
        "assert str(decimal.Decimal(1) / 3) == '0.33333'",
    ),
    (
        "the level of a logger",
        "import logging\nlog = logging.getLogger('probe'); log.setLevel(logging.ERROR)",
        "assert logging.getLogger('probe').level == 40",
    ),
    (
        "the level of a logger that no variable holds",
        "import logging\nlogging.getLogger('probe.nobody').setLevel(logging.ERROR)",
        "assert logging.getLogger('probe.nobody').level == 40",
    ),
    (
        "the level of the root logger",
        "import logging\nlogging.getLogger().setLevel(logging.DEBUG)",
        "assert logging.getLogger().level == 10",
    ),
    (
        "the locale",
        "import locale\nlocale.setlocale(locale.LC_NUMERIC, 'C.UTF-8')",
        "import locale; assert locale.setlocale(locale.LC_NUMERIC) == 'C.UTF-8'",
    ),
    (
        "the recursion limit",
        "import sys\nsys.setrecursionlimit(1234)",
        "import sys; assert sys.getrecursionlimit() == 1234",
    ),
    (
        "a file at its place",
        "with open('probe.txt', 'w') as w: _ = w.write('one\\ntwo\\n')\nf = open('probe.txt'); line = f.readline()",
        "assert f.readline() == 'two\\n'",
    ),
    # depth and size
    (
        "nested 50,000 deep",
        "a = []\nfor _ in range(50_000): a = [a]",
        "n = 0\nwhile a: a = a[0]; n += 1\nassert n == 50_000",
    ),
    (
        "a linked list of 20,000",
        "class N:\n    def __init__(self, r): self.r = r\nn = None\nfor _ in range(20_000): n = N(n)",
        "k = 0\nwhile n: n = n.r; k += 1\nassert k == 20_000",
    ),
    (
        "a generator at its place",
        "def g():\n    for i in range(5): yield i\nit = g(); next(it); next(it)",
        "assert list(it) == [2, 3, 4]",
    ),
    (
        "a generator that shares a list",
        "rows = []\ndef g():\n    while True:\n        rows.append(1); yield len(rows)\nit = g(); next(it)",
        "next(it); assert rows == [1, 1]",
    ),
    (
        "a recursive class structure",
        "class T:\n    def __init__(self): self.kids = []; self.up = None\n    def add(self): k = T(); k.up = self; self.kids.append(k); return k\nt = T(); k = t.add().add()",
        "assert k.up.up is t and t.kids[0].kids[0] is k",
    ),
    # what says itself how it is pickled
    (
        "a proxy whose __getattr__ needs its state",
        _REFUSED
        + "class P:\n    def __init__(self, o): self.o = o\n    def __getattr__(self, n): return getattr(self.o, n)\np = P([1]); rest = [1]",
        "assert rest == [1] and 'RecursionError' in refused(lambda: p.o)",
    ),
    (
        "a pickle that loads as something else",
        _REFUSED + "class H:\n    def __reduce__(self): return str, ('gone',)\nh = H(); rest = [h, 1]",
        "assert rest[1] == 1 and rest[0] is h and rest[0] is h and 'loaded as' in refused(lambda: h.x)",
    ),
    (
        "a __setstate__ that raises, deep inside",
        _REFUSED
        + "class S:\n    def __init__(self): self.x = 1\n    def __setstate__(self, s): raise OSError('no')\nd = {'a': [1, {'b': S()}]}; inner = d['a']",
        "assert d['a'] is inner and inner[0] == 1 and \"inner[1]['b']\" in refused(lambda: inner[1]['b'].x)",
    ),
    (
        "a __reduce__ with side effects",
        "seen = []\nclass R:\n    def __init__(self, n): self.n = n\n    def __reduce__(self): seen.append(1); return R, (self.n,)\nr = R(5); other = [r]",
        "assert other[0] is r and r.n == 5",
    ),
    (
        "a __new__ that counts",
        "made = []\nclass C:\n    def __new__(cls, *a): made.append(1); return super().__new__(cls)\n    def __getnewargs__(self): return (1,)\nc = C()",
        "assert type(c) is C and made[0] == 1",
    ),
    (
        "a __getstate__ that gives something small",
        "class C:\n    def __init__(self): self.a, self.cache = 1, object()\n    def __getstate__(self): return {'a': self.a}\n    def __setstate__(self, s): self.__dict__.update(s); self.cache = 'empty'\nc = C()",
        "assert c.a == 1 and c.cache == 'empty'",
    ),
    (
        "a singleton by __reduce__",
        "class One:\n    def __reduce__(self): return 'ONE'\nONE = One(); rows = [ONE]",
        "assert rows[0] is ONE and type(ONE) is One",
    ),
    (
        "a __setstate__ that needs the flow's globals",
        "import threading\nlimit = 3\ndef fresh(): return [limit]\nclass C:\n    def __init__(self): self.n, self.lock = 1, threading.Lock()\n    def __getstate__(self): return {'n': self.n}\n    def __setstate__(self, s): self.n = s['n']; self.lock = threading.Lock(); self.rows = fresh()\nc = C()",
        "assert c.n == 1 and c.rows == [3] and c.lock.acquire(False)",
    ),
    (
        "a method that a decorator wrapped",
        "import contextlib, functools\n@contextlib.contextmanager\ndef opened(n): yield n + 1\n@functools.singledispatch\ndef f(x): return 'any'\n@f.register\ndef _(x: int): return 'int'",
        "with opened(1) as n: assert n == 2\nassert f(1) == 'int' and f('') == 'any'",
    ),
    (
        "a traceback under two names",
        "try: 1 / 0\nexcept ZeroDivisionError as e: error = e; t = e.__traceback__",
        "assert error.__traceback__ is t and t.tb_lineno == 1",
    ),
    (
        "two figures of one library",
        "from matplotlib.figure import Figure\na, b = Figure(), Figure(); x = a.subplots(); b.subplots()",
        "x.set_title('t'); assert a.axes[0] is x and b.axes[0].get_title() == ''",
    ),
]
