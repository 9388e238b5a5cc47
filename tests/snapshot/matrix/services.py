"""What belongs to the outside: files, threads, processes, databases, HTTP, logging."""

from __future__ import annotations

from . import Kind, Library

FILES = Library(
    "Files and memory",
    (),
    """
import bz2, codecs, fileinput, gzip, io, lzma, mmap, os, pathlib, shelve, shutil, sqlite3, tarfile, tempfile, zipfile, csv, socket, selectors, dbm
import builtins

pathlib.Path('text').write_text('äone\\ntwo\\nthree\\n', encoding='utf-8')
pathlib.Path('data').write_bytes(bytes(range(100)))
with gzip.open('zipped.gz', 'wb') as stream: stream.write(b'0123456789')
with bz2.open('zipped.bz2', 'wb') as stream: stream.write(b'0123456789')
with lzma.open('zipped.xz', 'wb') as stream: stream.write(b'0123456789')
with zipfile.ZipFile('files.zip', 'w') as archive: archive.writestr('a', 'content')
with tarfile.open('files.tar', 'w') as archive: archive.add('text')

def read(file, count):
    file.read(count)
    return file

def line(file):
    file.readline()
    return file

def written(file, content):
    file.write(content)
    return file

def stepped(file):
    next(file)
    return file

def bytes_io():
    made = io.BytesIO(b'0123456789')
    made.seek(4)
    return made

def mapped(mode=mmap.ACCESS_READ):
    with open('data', 'r+b') as file:
        made = mmap.mmap(file.fileno(), 0, access=mode)
    made.seek(5)
    return made

memory = lambda: bytearray(b'0123456789')
""",
    [
        Kind(
            "text file at its place",
            "line(open('text', encoding='utf-8'))",
            "b.readline() == 'two\\n' and b.encoding == 'utf-8'",
            "rebuilt",
        ),
        Kind(
            "text file in a loop over its lines",
            "stepped(open('text', encoding='utf-8'))",
            "next(b) == 'two\\n'",
            "rebuilt",
        ),
        Kind("binary file", "read(open('data', 'rb'), 5)", "b.read(1) == b'\\x05'", "rebuilt"),
        Kind(
            "file without a buffer",
            "read(open('data', 'rb', 0), 5)",
            "b.read(1) == b'\\x05' and type(a) is type(b)",
            "rebuilt",
        ),
        Kind(
            "file to read and write",
            "read(open('data', 'r+b'), 7)",
            "b.tell() == 7 and b.read(1) == b'\\x07' and type(a) is type(b)",
            "rebuilt",
        ),
        Kind(
            "file to write", "written(open('new', 'w'), 'abc')", "b.tell() == 3 and b.writable()", "rebuilt"
        ),
        Kind(
            "file to append", "written(open('longer', 'a'), '')", "b.mode == 'a' and b.writable()", "rebuilt"
        ),
        Kind("closed file", "(lambda f: f.close() or f)(open('text'))", "b.closed", "rebuilt"),
        Kind(
            "file and its buffer", "(lambda f: [f, f.buffer])(open('text'))", "b[0].buffer is b[1]", "rebuilt"
        ),
        Kind("StringIO at its place", "read(io.StringIO('abc'), 1)", "b.read() == 'bc'"),
        Kind("BytesIO at its place", "bytes_io()", "b.tell() == 4 and b.getvalue() == b'0123456789'"),
        Kind("text over BytesIO", "io.TextIOWrapper(bytes_io(), 'utf-8')", "b.read() == '456789'", "rebuilt"),
        Kind("reader over BytesIO", "io.BufferedReader(bytes_io())", "b.read() == b'456789'", "rebuilt"),
        Kind("gzip file", "read(gzip.open('zipped.gz'), 3)", "b.read(1) == b'3'", "rebuilt"),
        Kind("gzip file as text", "read(gzip.open('zipped.gz', 'rt'), 3)", "b.read(1) == '3'", "rebuilt"),
        Kind(
            "bz2 and lzma files",
            "[read(bz2.open('zipped.bz2'), 3), read(lzma.open('zipped.xz'), 3)]",
            "[one.read(1) for one in b] == [b'3', b'3']",
            "rebuilt",
        ),
        Kind("ZipFile to read", "zipfile.ZipFile('files.zip')", "b.read('a') == b'content'", "rebuilt"),
        Kind("TarFile to read", "tarfile.open('files.tar')", "b.getnames() == ['text']", "rebuilt"),
        Kind(
            "csv.reader over a file",
            "stepped(csv.reader(open('text', encoding='utf-8')))",
            "[next(b), b.line_num] == [next(a), a.line_num]",
            "rebuilt",
        ),
        Kind(
            "csv.DictReader",
            "stepped(csv.DictReader(io.StringIO('a,b\\n1,2\\n3,4')))",
            "next(b) == next(a)",
            "rebuilt",
        ),
        Kind("csv.writer", "csv.writer(io.StringIO())", "", "named", "writer"),
        Kind(
            "NamedTemporaryFile",
            "written(tempfile.NamedTemporaryFile('w+'), 'kept')",
            "b.seek(0) == 0 and b.read() == 'kept'",
            "rebuilt",
        ),
        Kind(
            "TemporaryFile without a name",
            "written(tempfile.TemporaryFile(), b'kept')",
            "b.tell() == 4 and b.seek(0) == 0 and b.read() == b'kept'",
            "rebuilt",
        ),
        Kind(
            "SpooledTemporaryFile",
            "written(tempfile.SpooledTemporaryFile(), b'kept')",
            "b.seek(0) in (0, None) and b.read() == b'kept'",
            "rebuilt",
        ),
        Kind(
            "TemporaryDirectory with files",
            "(lambda d: pathlib.Path(d.name, 'inside').write_text('x') and d)(tempfile.TemporaryDirectory())",
            "pathlib.Path(b.name, 'inside').read_text() == 'x'",
            "rebuilt",
        ),
        Kind("mmap of a file", "mapped()", "b.tell() == 5 and b[5] == 5 and len(b) == 100", "rebuilt"),
        Kind(
            "mmap without a file",
            "(lambda m: m.write(b'ab') and m)(mmap.mmap(-1, 10))",
            "b[:2] == b'ab' and b.tell() == 2",
            "rebuilt",
        ),
        Kind(
            "memoryview",
            "(lambda m: [m, memoryview(m)])(memory())",
            "b[1].__setitem__(0, 65) or b[0][:1] == b'A'",
            "rebuilt",
        ),
        Kind(
            "memoryview of a part",
            "(lambda m: [m, memoryview(m)[2:5]])(memory())",
            "bytes(b[1]) == b'234' and (b[1].__setitem__(0, 65) or b[0][2:3] == b'A')",
            "rebuilt",
        ),
        Kind("memoryview with steps", "memoryview(memory())[::2]", "bytes(b) == b'02468'", "rebuilt"),
        Kind(
            "memoryview in two dimensions",
            "memoryview(memory()).cast('B', (2, 5))",
            "b.shape == (2, 5) and b.tolist() == a.tolist()",
            "rebuilt",
        ),
        Kind("read-only memoryview", "memoryview(b'abc')[1:]", "bytes(b) == b'bc' and b.readonly", "rebuilt"),
        Kind("os.scandir", "os.scandir('.')", "", "named", ""),
        Kind(
            "os.DirEntry",
            "next(iter(sorted(os.scandir('.'), key=lambda e: e.name)))",
            "",
            "named",
            "cannot be pickled",
        ),
        Kind("pathlib glob", "pathlib.Path('.').glob('te*')", "", "named", ""),
        Kind("socket", "socket.socket()", "", "named", "a socket cannot be pickled"),
        Kind(
            "path to a socket",
            "type('Model', (), {})() if False else {'model': __import__('types').SimpleNamespace(client=__import__('types').SimpleNamespace(_socket=socket.socket()))}",
            "",
            "named",
            "['model'].client._socket: a socket cannot be pickled",
        ),
        Kind("selector", "selectors.DefaultSelector()", "", "named", ""),
        Kind(
            "standard streams",
            "[__import__('sys').__stdout__, __import__('sys').__stderr__]",
            "b[0] is __import__('sys').__stdout__",
            "rebuilt",
        ),
        Kind("codecs.StreamReader", "codecs.open('text', encoding='utf-8')", "", "named", "can't serialize"),
    ],
)

THREADS = Library(
    "Threads, processes, logging",
    (),
    """
import asyncio, concurrent.futures, ctypes, logging, logging.handlers, multiprocessing, os, queue, sched, signal, subprocess, threading, time, warnings
import http.server, http.client, urllib.request, smtplib, ssl, getpass, gettext, locale, argparse, cmd, shlex, textwrap, pprint, unittest.mock, traceback, timeit, cProfile

def held():
    made = threading.RLock()
    made.acquire(); made.acquire()
    return made

def waiting():
    gate = threading.Event()
    thread = threading.Thread(target=gate.wait, daemon=True)
    thread.start()
    return thread

def busy():
    gate = threading.Event()
    pool = concurrent.futures.ThreadPoolExecutor(1)
    pool.submit(gate.wait)
    pool.submit(gate.wait)
    return pool

def done():
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        future = pool.submit(int, '5')
    return future

def failed():
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        future = pool.submit(int, 'x')
    return future

def levelled():
    made = logging.getLogger('flows.matrix')
    made.setLevel(logging.ERROR)
    made.propagate = False
    return made

def noted():
    made = logging.Logger('own')
    made.setLevel(20)
    return made

def filled(made):
    made.put([1]); made.put([2])
    return made

def thread_local():
    made = threading.local()
    made.rows = [1]
    return made

def mocked():
    made = unittest.mock.Mock()
    made.method(1)
    return made

def declared(function):
    function.argtypes, function.restype = [ctypes.c_char_p], ctypes.c_size_t
    return function

def parser():
    made = argparse.ArgumentParser('x')
    made.add_argument('--n', type=int, default=3)
    return made
""",
    [
        Kind(
            "Lock, free and held",
            "[threading.Lock(), (lambda l: l.acquire() and l)(threading.Lock())]",
            "[one.locked() for one in b] == [False, True]",
            "rebuilt",
        ),
        Kind("RLock held twice", "held()", "b.release() or b.release() or not b._is_owned()", "rebuilt"),
        Kind(
            "one lock at two places",
            "(lambda l: [l, {'l': l}])(threading.Lock())",
            "b[0] is b[1]['l']",
            "rebuilt",
        ),
        Kind(
            "Event, Semaphore, Barrier",
            "[(lambda e: e.set() or e)(threading.Event()), threading.BoundedSemaphore(3), threading.Barrier(2)]",
            "b[0].is_set() and b[1]._value == 3 and b[2].parties == 2",
            "rebuilt",
        ),
        Kind(
            "Condition over a lock",
            "(lambda l: [l, threading.Condition(l)])(threading.Lock())",
            "b[1]._lock is b[0] and b[1].__enter__() and (b[1].notify_all() or b[0].locked())",
            "rebuilt",
        ),
        Kind("threading.local", "thread_local()", "b.rows == [1]", "rebuilt"),
        Kind(
            "Thread that has not begun",
            "threading.Thread(target=print, name='t')",
            "b.name == 't' and not b.is_alive() and (b.start() or b.join() or True)",
            "rebuilt",
        ),
        Kind("Thread that runs", "waiting()", "", "named", "thread"),
        Kind(
            "Thread that has ended",
            "(lambda t: t.start() or t.join() or t)(threading.Thread(target=len, args=([],)))",
            "not b.is_alive() and (b.join() or True)",
            "rebuilt",
        ),
        Kind("main thread", "threading.main_thread()", "b is threading.main_thread()", "rebuilt"),
        Kind("Timer", "threading.Timer(100, print)", "b.interval == 100 and not b.is_alive()", "rebuilt"),
        Kind(
            "Queue, LifoQueue, PriorityQueue",
            "[filled(queue.Queue()), filled(queue.LifoQueue(5)), filled(queue.PriorityQueue())]",
            "[one.get() for one in b] == [[1], [2], [1]] and b[1].maxsize == 5",
            "rebuilt",
        ),
        Kind("SimpleQueue, empty", "queue.SimpleQueue()", "b.empty()", "rebuilt"),
        Kind(
            "SimpleQueue with something in it", "filled(queue.SimpleQueue())", "", "named", "use queue.Queue"
        ),
        Kind(
            "ThreadPoolExecutor, idle",
            "concurrent.futures.ThreadPoolExecutor(3, 'p')",
            "b.submit(int, '4').result() == 4 and b._max_workers == 3",
            "rebuilt",
        ),
        Kind("ThreadPoolExecutor with work", "busy()", "", "named", "wait for it first"),
        Kind(
            "ProcessPoolExecutor, idle",
            "concurrent.futures.ProcessPoolExecutor(1)",
            "b._max_workers == 1",
            "rebuilt",
        ),
        Kind(
            "Future, done and failed",
            "[done(), failed()]",
            "b[0].result() == 5 and isinstance(b[1].exception(), ValueError)",
            "rebuilt",
        ),
        Kind("Future, not done", "concurrent.futures.Future()", "", "named", "not done"),
        Kind(
            "asyncio.Queue, Lock, Event",
            "[asyncio.Queue(), asyncio.Lock(), asyncio.Event()]",
            "b[0].empty() and not b[1].locked() and not b[2].is_set()",
            "rebuilt",
        ),
        Kind("event loop", "asyncio.new_event_loop()", "", "named", ""),
        Kind("multiprocessing.Lock", "multiprocessing.Lock()", "", "named", ""),
        Kind("multiprocessing.Value, Array", "multiprocessing.Value('i', 3)", "", "named", ""),
        Kind("multiprocessing.Pool", "multiprocessing.get_context('spawn')", "type(a) is type(b)"),
        Kind(
            "subprocess.Popen, ended",
            "(lambda p: p.wait() and p or p)(subprocess.Popen(['false']))",
            "b.returncode == 1 and b.wait() == 1",
        ),
        Kind(
            "subprocess.Popen that runs",
            "subprocess.Popen(['cat'], stdin=subprocess.PIPE)",
            "",
            "named",
            "wait for it first",
        ),
        Kind(
            "subprocess.CompletedProcess",
            "subprocess.run(['echo', 'x'], capture_output=True)",
            "b.stdout == b'x\\n' and b.returncode == 0",
        ),
        Kind(
            "Logger with its level",
            "levelled()",
            "b is logging.getLogger('flows.matrix') and b.level == 40 and not b.propagate",
            "rebuilt",
        ),
        Kind("root logger", "logging.getLogger()", "b is logging.getLogger()", "rebuilt"),
        Kind("Logger made by hand", "noted()", "b.level == 20 and b.name == 'own'"),
        Kind(
            "LoggerAdapter",
            "logging.LoggerAdapter(levelled(), {'k': 1})",
            "b.extra == {'k': 1} and b.logger is logging.getLogger('flows.matrix')",
        ),
        Kind(
            "StreamHandler and Formatter",
            "(lambda h: h.setFormatter(logging.Formatter('%(message)s')) or h.setLevel(30) or h)(logging.StreamHandler())",
            "b.level == 30 and b.formatter._fmt == '%(message)s'",
            "rebuilt",
        ),
        Kind(
            "FileHandler",
            "logging.FileHandler('log.txt')",
            "b.baseFilename == a.baseFilename and b.lock is not None",
            "rebuilt",
        ),
        Kind("LogRecord", "logging.makeLogRecord({'msg': 'x %s', 'args': (1,)})", "b.getMessage() == 'x 1'"),
        Kind("warnings.catch_warnings", "warnings.catch_warnings(record=True)", "type(b) is type(a)"),
        Kind(
            "ctypes numbers and arrays",
            "[ctypes.c_int(5), (ctypes.c_int * 3)(1, 2, 3)]",
            "b[0].value == 5 and list(b[1]) == [1, 2, 3]",
            "rebuilt",
        ),
        Kind("ctypes pointer", "ctypes.pointer(ctypes.c_int(5))", "", "named", "pointers"),
        Kind("ctypes library", "ctypes.CDLL(None)", "b.getpid() == os.getpid()", "rebuilt"),
        Kind(
            "function of a ctypes library",
            "declared(ctypes.CDLL(None, use_errno=True).strlen)",
            "b(b'four') == 4 and b.argtypes == [ctypes.c_char_p] and b.restype is ctypes.c_size_t",
            "rebuilt",
        ),
        Kind(
            "Mock with its calls",
            "mocked()",
            "b.method.call_count == 1 and b.method.call_args.args == (1,)",
            "rebuilt",
        ),
        Kind("ArgumentParser", "parser()", "b.parse_args([]).n == 3 and b.parse_args(['--n', '5']).n == 5"),
        Kind("ssl.SSLContext", "ssl.create_default_context()", "", "named", "cannot be pickled"),
        Kind(
            "http.client.HTTPConnection, not connected",
            "http.client.HTTPConnection('127.0.0.1', 9)",
            "b.host == '127.0.0.1' and b.port == 9",
        ),
        Kind(
            "urllib Request",
            "urllib.request.Request('http://127.0.0.1/', headers={'a': 'b'})",
            "b.full_url == a.full_url and b.headers == a.headers",
        ),
        Kind("sched.scheduler", "sched.scheduler()", "b.empty()"),
        Kind("cProfile.Profile", "cProfile.Profile()", "", "named", ""),
        Kind("signal handlers", "signal.SIGINT", "a is b"),
        Kind(
            "time.perf_counter and other functions", "[time.time, os.getcwd]", "a[0] is b[0] and a[1] is b[1]"
        ),
        Kind(
            "getpass, textwrap, pprint objects",
            "[textwrap.TextWrapper(width=5), pprint.PrettyPrinter(indent=2), shlex.shlex('a b')]",
            "b[0].wrap('aa bb cc') == a[0].wrap('aa bb cc') and b[2].get_token() == 'a'",
            "rebuilt",
        ),
    ],
)

DATABASES = Library(
    "sqlite3",
    (),
    """
import sqlite3, os

def filled(path):
    made = sqlite3.connect(path)
    made.execute('create table if not exists t (x)')
    made.execute('delete from t')
    made.execute('insert into t values (3)')
    made.commit()
    return made

def within():
    made = filled('open.db')
    made.execute('insert into t values (4)')
    return made

def stepped():
    cursor = filled(':memory:').execute('select 1 union select 2')
    cursor.fetchone()
    return cursor

def rows():
    made = filled(':memory:')
    made.row_factory = sqlite3.Row
    return made

def with_function():
    made = filled('functions.db')
    made.create_function('double', 1, lambda x: 2 * x)
    return made
""",
    [
        Kind(
            "connection to a file",
            "filled('shop.db')",
            "b.execute('select x from t').fetchall() == [(3,)]",
            "rebuilt",
        ),
        Kind(
            "connection to memory",
            "filled(':memory:')",
            "b.execute('select x from t').fetchall() == [(3,)]",
            "rebuilt",
        ),
        Kind("connection within a transaction", "within()", "", "named", "commit or roll back"),
        Kind(
            "closed connection",
            "(lambda c: c.close() or c)(sqlite3.connect(':memory:'))",
            "",
            "named",
            "closed",
        ),
        Kind(
            "connection with a row factory",
            "rows()",
            "b.execute('select x from t').fetchone()['x'] == 3",
            "rebuilt",
        ),
        Kind("cursor in the middle of its rows", "stepped()", "", "named", "fetch them"),
        Kind(
            "cursor that is at its end",
            "(lambda c: [c, c.cursor()])(filled('cursor.db'))",
            "b[1].connection is b[0] and b[1].execute('select x from t').fetchall() == [(3,)]",
            "rebuilt",
        ),
        Kind(
            "Row",
            "rows().execute('select x from t').fetchone()",
            "b['x'] == 3 and tuple(b) == (3,) and type(a) is type(b)",
            "rebuilt",
        ),
    ],
)

SQLALCHEMY = Library(
    "SQLAlchemy",
    ("sqlalchemy",),
    """
import sqlalchemy as sa
from sqlalchemy import orm

class Base(orm.DeclarativeBase):
    pass
class Customer(Base):
    __tablename__ = 'customers'
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str]
    orders: orm.Mapped[list['Order']] = orm.relationship(back_populates='customer')
class Order(Base):
    __tablename__ = 'orders'
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    customer_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey('customers.id'))
    customer: orm.Mapped[Customer] = orm.relationship(back_populates='orders')

engine = sa.create_engine('sqlite:///shop.db')
Base.metadata.create_all(engine)
with orm.Session(engine) as session:
    session.merge(Customer(id=1, name='Ada', orders=[Order(id=5)]))
    session.commit()
metadata = sa.MetaData()
items = sa.Table('items', metadata, sa.Column('id', sa.Integer, primary_key=True), sa.Column('name', sa.String(20)))

def within():
    made = engine.connect()
    made.execute(sa.text('select 1'))
    return made

def loaded():
    with orm.Session(engine, expire_on_commit=False) as session:
        return session.get(Customer, 1)
""",
    [
        Kind(
            "Engine",
            "sa.create_engine('sqlite:///shop.db', echo=False)",
            "b.connect().execute(sa.text('select count(*) from customers')).scalar() == 1",
            "rebuilt",
        ),
        Kind(
            "Engine with a pool and options",
            "sa.create_engine('sqlite:///shop.db', pool_size=3, pool_pre_ping=True, isolation_level='AUTOCOMMIT')",
            "b.pool.size() == 3 and b.pool._pre_ping and b.dialect._on_connect_isolation_level == 'AUTOCOMMIT'",
            "rebuilt",
        ),
        Kind("Engine of a database in memory", "sa.create_engine('sqlite://')", "", "named", "use a file"),
        Kind("Connection", "engine.connect()", "b.execute(sa.text('select 5')).scalar() == 5", "rebuilt"),
        Kind("Connection within a transaction", "within()", "", "named", "transaction"),
        Kind("Session", "orm.Session(engine)", "b.get_bind().url == engine.url", "rebuilt"),
        Kind(
            "Session with unsaved changes",
            "(lambda s: s.add(Customer(name='x')) or s)(orm.Session(engine))",
            "",
            "named",
            "unsaved",
        ),
        Kind(
            "sessionmaker",
            "orm.sessionmaker(engine, expire_on_commit=False)",
            "b.kw['expire_on_commit'] is False and b.kw['bind'].url == engine.url",
            "rebuilt",
        ),
        Kind(
            "mapped class and object of the flow", "[Customer, loaded()]", "", "named", "put it into a module"
        ),
        Kind(
            "Table, MetaData",
            "[metadata, items]",
            "b[1].metadata is b[0] and [c.name for c in b[1].columns] == ['id', 'name']",
        ),
        Kind("select", "sa.select(items).where(items.c.id > 3)", "str(a) == str(b)"),
        Kind(
            "text with bound values",
            "sa.text('select :x').bindparams(x=3)",
            "str(a) == str(b) and b.compile().params == {'x': 3}",
        ),
        Kind("URL", "sa.make_url('postgresql://u:p@h/d')", "a == b"),
        Kind(
            "Row and result",
            "engine.connect().execute(sa.text('select 1 as a')).one()",
            "b.a == 1 and tuple(b) == (1,)",
        ),
        Kind(
            "result in the middle of its rows",
            "engine.connect().execute(sa.text('select 1 union select 2'))",
            "",
            "named",
            "",
        ),
        Kind("types", "[sa.String(5), sa.Numeric(10, 2), sa.JSON()]", "repr(a) == repr(b)"),
    ],
)

HTTP = Library(
    "requests and httpx",
    ("requests", "httpx"),
    """
import httpx, requests, requests.adapters

def session():
    made = requests.Session()
    made.headers['x-key'] = 'v'
    made.auth = ('u', 'p')
    made.cookies.set('a', 'b', domain='127.0.0.1')
    made.mount('http://', requests.adapters.HTTPAdapter(max_retries=3))
    return made

def response():
    made = requests.Response()
    made._content, made.status_code, made.url = b'{"a": 1}', 200, 'http://127.0.0.1/'
    made._content_consumed = True
    return made

def client(cls=httpx.Client):
    made = cls(headers={'x-key': 'v'}, base_url='http://127.0.0.1:9', timeout=3, auth=('u', 'p'), follow_redirects=True)
    made.cookies.set('a', 'b', '127.0.0.1')
    return made

def closed():
    made = httpx.Client()
    made.close()
    return made
""",
    [
        Kind(
            "requests.Session",
            "session()",
            "b.headers['x-key'] == 'v' and b.auth == ('u', 'p') and b.cookies['a'] == 'b' and b.get_adapter('http://x').max_retries.total == 3",
        ),
        Kind("requests.Response", "response()", "b.json() == {'a': 1} and b.ok"),
        Kind(
            "requests.Request, prepared",
            "requests.Request('GET', 'http://127.0.0.1/', params={'q': 1}).prepare()",
            "b.url == a.url and b.headers == a.headers",
        ),
        Kind(
            "requests' errors",
            "requests.ConnectionError('no', response=response())",
            "b.response.status_code == 200 and b.args == ('no',)",
        ),
        Kind(
            "httpx.Client",
            "client()",
            "b.headers['x-key'] == 'v' and str(b.base_url) == 'http://127.0.0.1:9' and b.timeout.read == 3 and b.cookies['a'] == 'b' and b.follow_redirects and b.auth is not None",
            "rebuilt",
        ),
        Kind("httpx.AsyncClient", "client(httpx.AsyncClient)", "b.headers['x-key'] == 'v'", "rebuilt"),
        Kind("httpx.Client, closed", "closed()", "b.is_closed", "rebuilt"),
        Kind(
            "httpx.Client with hooks and a transport",
            "httpx.Client(event_hooks={'request': [print]}, transport=httpx.HTTPTransport(retries=2))",
            "b.event_hooks['request'] == [print] and b._transport._pool._retries == 2",
            "rebuilt",
        ),
        Kind(
            "httpx.Response",
            "httpx.Response(200, json={'a': 1}, request=httpx.Request('GET', 'http://127.0.0.1'))",
            "b.json() == {'a': 1} and b.request.method == 'GET'",
        ),
        Kind(
            "httpx.URL, Headers, Timeout",
            "[httpx.URL('http://a/b?c=1'), httpx.Headers({'a': 'b'}), httpx.Timeout(3)]",
            "a == b",
        ),
    ],
)

LIBRARIES = [FILES, THREADS, DATABASES, SQLALCHEMY, HTTP]
