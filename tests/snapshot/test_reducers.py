"""Things of the outside world are rebuilt where that is right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_flows import reducer
from jupyter_flows.errors import SavepointError

from .conftest import Session


def test_files_go_on_at_their_offset(session: Session, tmp_path: Path) -> None:
    text, binary, log = tmp_path / "text", tmp_path / "binary", tmp_path / "log"
    text.write_text("äone\ntwo\nthree\n", encoding="utf-8")
    binary.write_bytes(b"0123456789")
    session.namespace.update(text=str(text), binary=str(binary), log=str(log))
    session.run("""
        reader = open(text, encoding='utf-8'); reader.readline()
        lines = open(text, encoding='utf-8'); next(lines)
        data = open(binary, 'rb'); data.read(3)
        writer = open(log, 'w'); writer.write('before ')
        done = open(text); done.close()
    """)
    assert session.save().missing == ()
    after = session.load()
    assert after["reader"].readline() == "two\n"
    assert next(after["lines"]) == "two\n"
    assert next(session["lines"]) == "two\n"
    assert after["data"].read(2) == b"34"
    after["writer"].write("after")
    after["writer"].flush()
    assert log.read_text() == "before after"
    assert after["done"].closed


def test_a_file_that_is_gone_says_so(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    session.namespace["path"] = str(file)
    session.run("file = open(path); other = 1")
    session.save()
    file.unlink()
    after = session.load()
    assert after["other"] == 1
    with pytest.raises(SavepointError, match="not there any more"):
        after["file"].read()


def test_locks_queues_pools_and_loggers(session: Session) -> None:
    session.run("""
        import threading, queue, logging, concurrent.futures, tempfile
        free, held = threading.Lock(), threading.Lock(); held.acquire()
        again = threading.RLock(); again.acquire(); again.acquire()
        event = threading.Event(); event.set()
        condition = threading.Condition()
        semaphore = threading.Semaphore(3); semaphore.acquire()
        waiting = queue.Queue(); waiting.put([1])
        pool = concurrent.futures.ThreadPoolExecutor(2)
        future = pool.submit(int, '5'); future.result()
        logger = logging.getLogger('snapshot.test'); logger.setLevel(logging.ERROR)
        temporary = tempfile.NamedTemporaryFile('w+'); temporary.write('kept')
        view = memoryview(bytearray(b'abc'))
    """)
    assert session.save().missing == ()
    session.run("logger.setLevel(logging.DEBUG)")
    after = session.load()
    assert (after["free"].locked(), after["held"].locked()) == (False, True)
    after["again"].release()
    after["again"].release()
    with pytest.raises(RuntimeError):
        after["again"].release()
    assert after["event"].is_set()
    with after["condition"]:
        after["condition"].notify_all()
    assert after["semaphore"]._value == 2
    assert after["waiting"].get_nowait() == [1]
    assert after["pool"].submit(int, "7").result() == 7
    assert after["future"].result() == 5
    assert after["logger"].level == 40
    assert after["logger"] is session["logger"]
    after["temporary"].seek(0)
    assert after["temporary"].read() == "kept"
    assert after["view"].tobytes() == b"abc"
    session["pool"].shutdown()
    after["pool"].shutdown()


def test_databases(session: Session, tmp_path: Path) -> None:
    session.namespace["path"] = str(tmp_path / "shop.db")
    session.run("""
        import sqlite3, sqlalchemy
        file = sqlite3.connect(path)
        file.execute('create table orders (id)'); file.execute('insert into orders values (7)'); file.commit()
        memory = sqlite3.connect(':memory:')
        memory.execute('create table t (x)'); memory.execute('insert into t values (3)'); memory.commit()
        engine = sqlalchemy.create_engine('sqlite:///' + path)
        half_way = sqlite3.connect(path); half_way.execute('insert into orders values (8)')
    """)
    (missing,) = session.save().missing
    assert missing.path == "half_way"
    assert "commit" in missing.reason
    after = session.load()
    assert after["file"].execute("select id from orders").fetchall() == [(7,)]
    assert after["memory"].execute("select x from t").fetchall() == [(3,)]
    with after["engine"].connect() as connection:
        assert connection.exec_driver_sql("select count(*) from orders").scalar() == 1
    session["half_way"].rollback()
    for name in ("file", "memory", "half_way"):
        session[name].close()


def test_http_clients(session: Session) -> None:
    after = session.after("""
        import httpx, requests
        client = httpx.Client(headers={'x-key': 'v'}, base_url='http://127.0.0.1:9', timeout=3)
        client.cookies.set('a', 'b', '127.0.0.1')
        web = requests.Session(); web.headers['x-key'] = 'v'
    """)
    assert session.manifest is not None
    assert session.manifest.missing == ()
    assert after["client"].headers["x-key"] == "v"
    assert str(after["client"].base_url) == "http://127.0.0.1:9"
    assert after["client"].cookies["a"] == "b"
    assert after["web"].headers["x-key"] == "v"


CAMERA = """
    from jupyter_flows import flow_api

    class Camera:
        def __init__(self, port): self.port, self.handle = port, __import__('socket').socket()
    class Infrared(Camera):
        pass
"""


@pytest.fixture
def no_reducers() -> Iterator[None]:
    before = dict(reducer.registered())
    yield
    reducer.forget(*(kind for kind, _ in reducer.registered() if kind not in before))


@pytest.mark.usefixtures("no_reducers")
def test_a_reducer_of_ones_own(session: Session) -> None:
    session.run(CAMERA)
    session.run("camera, dark = Camera(3), Infrared(4); cameras = [camera]")
    assert {one.path for one in session.save().missing} == {"camera.handle", "dark.handle"}
    session.run("""
        @flow_api.reducer(Camera)
        def reduce_camera(camera):
            if camera.port > 3:
                raise ValueError('this port cannot be opened twice')
            return type(camera), (camera.port,)
    """)
    (missing,) = session.save().missing
    assert missing.path == "dark"
    assert "cannot be opened twice" in missing.reason
    after = session.load()
    assert after["camera"].port == 3
    assert after["cameras"][0] is after["camera"]


@pytest.mark.usefixtures("no_reducers")
def test_a_reducer_is_part_of_the_state(session: Session) -> None:
    """After a restore in a new process the cell that registered it does not run again."""
    session.run(CAMERA)
    session.run("""
        @flow_api.reducer(Camera)
        def reduce_camera(camera): return Camera, (camera.port,)
        camera = Camera(3)
        process = __import__('jupyter_flows').snapshot.ProcessState.now()
    """)
    assert session.save().missing == ()
    reducer.forget(session["Camera"])
    after = session.load()
    assert after["process"].put_back() == ()
    assert reducer.find(after["Camera"]) is after["reduce_camera"]
    assert after.save().missing == ()


@pytest.mark.usefixtures("no_reducers")
def test_a_reducer_for_a_library_by_name(session: Session) -> None:
    @reducer.reducer("fractions.Fraction")
    def reduce_fraction(fraction: object) -> object:
        return str, (f"was {fraction}",)

    assert session.after("from fractions import Fraction; third = Fraction(1, 3)")["third"] == "was 1/3"


def test_figures_are_kept_and_not_changed_by_it(session: Session) -> None:
    pytest.importorskip("matplotlib")
    session.run("""
        from matplotlib.figure import Figure
        figure = Figure(); axes = figure.add_subplot(); (line,) = axes.plot([1, 2, 3])
    """)
    assert session.save().missing == ()
    assert session.save().bytes_new == 0
    after = session.load()
    assert after["line"] is after["figure"].axes[0].lines[0]
    assert list(after["line"].get_ydata()) == [1, 2, 3]
    assert after["axes"].figure is after["figure"]


def test_widgets(session: Session) -> None:
    pytest.importorskip("ipywidgets")
    session.run("import ipywidgets; slider = ipywidgets.IntSlider(value=7); box = ipywidgets.HBox([slider])")
    assert session.save().missing == ()
    after = session.load()
    assert after["slider"].value == 7
    assert after["box"].children[0] is after["slider"]
