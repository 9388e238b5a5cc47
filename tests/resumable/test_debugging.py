"""What a person who debugs a flow sees is the author's code, also after a restore in another process.

And what is saved could go to any machine: no bytecode, no paths, nothing that only this process knows.
"""

from __future__ import annotations

import importlib
import inspect
import io
import json
import linecache
import os
import pdb
import pickletools
import subprocess
import sys
import textwrap
import traceback
from pathlib import Path
from typing import Any

import coverage
import pytest

from jupyter_flows import resumable, snapshot

from .test_stop_everywhere import PROGRAMS

STORY = """\
import inspect, json, sys, traceback

def fails(n):
    values = [n for n in range(3)]
    raise ValueError(f'no {n}')

def middle(n):
    for item in [n]:
        try:
            fails(item + 1)  # the author's comment
        except ValueError:
            point(item)
            raise

def outer():
    try:
        middle(1)
    except ValueError as error:
        seen = sorted(locals())
        point('caught')
        places = [(one.name, one.line) for one in traceback.extract_tb(error.__traceback__)]
    print(json.dumps([places, seen, sorted(locals()), inspect.getsource(middle).splitlines()]))

outer()
for number in [1]:
    point(number)
    print(json.dumps([name for name in dir() if name.startswith('.')]))
    1 / len([])
"""

GO_ON = """
import sys, traceback
sys.path.insert(0, sys.argv[3])
from jupyter_flows import resumable, snapshot
from tests.resumable.test_debugging import point
chunks = snapshot.DirectoryChunks(sys.argv[1])
manifest = snapshot.Manifest.from_bytes(open(sys.argv[2], "rb").read())
namespace = {"__name__": "__main__"}
objects = snapshot.load(manifest, chunks, namespace=namespace)
namespace.update({key.removeprefix("globals/"): one for key, one in objects.items() if "globals/" in key})
namespace["point"] = point
continuation = objects["state/continuation"].with_locals(objects)
try:
    continuation.resume(namespace=namespace)
except ZeroDivisionError as error:
    shown = "".join(traceback.format_exception(error))
    assert not [name for name in namespace if name.startswith(".")]
    print(shown[shown.index('File "story.py"'):])
"""


class _Stop:
    on_call: Any = None


def point(value: Any = None) -> Any:
    """A Flow-API call that returns its argument."""
    if _Stop.on_call is not None:
        _Stop.on_call(resumable.capture(sys._getframe(1), point))
    return value


def saved(source: str, directory: Path) -> tuple[list[Path], str]:
    """Run it, with a savepoint in a file for each call; returns the files and how it ended."""
    files: list[Path] = []
    namespace: dict[str, Any] = {"__name__": "__main__", "point": point}
    chunks = snapshot.DirectoryChunks(directory / "chunks")

    def keep(continuation: resumable.Continuation) -> None:
        assert continuation.exact, continuation.inexact_reason
        hidden = ("__builtins__", "__name__", "point")
        objects = {
            f"globals/{name}": one
            for name, one in namespace.items()
            if name not in hidden and not resumable.is_temporary(name)
        }
        objects |= continuation.locals()
        objects["state/continuation"] = continuation
        manifest = snapshot.save(objects, chunks, namespace=namespace)
        files.append(directory / f"savepoint {len(files)}")
        files[-1].write_bytes(manifest.to_bytes())

    unit = resumable.compile_unit(source, "story.py")
    _Stop.on_call = keep
    try:
        exec(unit.code, namespace)
        shown = ""
    except ZeroDivisionError as error:
        shown = "".join(traceback.format_exception(error))
    finally:
        _Stop.on_call = None
    return files, shown[shown.find('File "story.py"') :]


def test_tracebacks_sources_and_locals_are_the_authors_here_and_in_another_process(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files, shown = saved(STORY, tmp_path)
    here = capsys.readouterr().out.splitlines()
    places, seen, seen_later, middle = json.loads(here[0])
    assert places == [
        ["outer", "middle(1)"],
        ["middle", "fails(item + 1)  # the author's comment"],
        ["fails", "raise ValueError(f'no {n}')"],
    ]
    assert seen == ["error"]
    assert seen_later == ["places", "seen"]
    assert middle[-1] == "            raise"
    assert json.loads(here[1]) == []
    assert shown.splitlines()[:2] == ['File "story.py", line 28, in <module>', "    1 / len([])"]
    root = str(Path(__file__).resolve().parents[2])
    command = [sys.executable, "-c", GO_ON, str(tmp_path / "chunks")]
    for number, file in enumerate(files):
        done = subprocess.run(
            [*command, str(file), root], capture_output=True, text=True, cwd=tmp_path, check=False
        )
        assert done.returncode == 0, done.stderr
        printed = done.stdout.splitlines()
        if number < 2:
            assert json.loads(printed[0]) == [places, seen, seen_later, middle], f"stop {number}"
        assert "\n".join(printed[-len(shown.splitlines()) - 1 :]).strip() == shown.strip(), f"stop {number}"


def test_a_function_of_a_unit_shows_its_source() -> None:
    unit = resumable.compile_unit("def f(x):\n    # why\n    return point(x)\n", "shown.py")
    namespace: dict[str, Any] = {"point": point}
    exec(unit.code, namespace)
    assert inspect.getsource(namespace["f"]) == "def f(x):\n    # why\n    return point(x)\n"
    assert linecache.getline("shown.py", 2) == "    # why\n"


@pytest.mark.parametrize(
    "name", [name for name in PROGRAMS if name.startswith(("basics", "constructs"))][::6]
)
def test_the_same_lines_run_as_in_plain_python(name: str) -> None:
    """What coverage and a debugger see."""

    def lines(code: Any, filename: str) -> set[int]:
        found: set[int] = set()

        def trace(frame: Any, event: str, _: Any) -> Any:
            if frame.f_code.co_filename != filename:
                return None
            if event == "line":
                found.add(frame.f_lineno)
            return trace

        namespace: dict[str, Any] = {"__name__": "__main__", "point": point, "fail": _fail, "this": _This()}
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            exec(code, namespace)
        except Exception:
            pass
        finally:
            sys.settrace(before)
        return found

    source = PROGRAMS[name]
    plain = lines(compile(source, "plain.py", "exec", dont_inherit=True), "plain.py")
    assert lines(resumable.compile_unit(source, "unit.py").code, "unit.py") == plain


STEPS = """
def f(n):
    total = 0
    for i in range(n):
        try:
            if point(i) == 1:
                continue
            total += point(i)
        finally:
            point("left")
            total += 1
    while point(total) > 100:
        total -= point(1)
    try:
        total = point(total) / point(n)
    except ZeroDivisionError:
        total = point(0)
    return total

print(f(3))
print(f(0))
if point(True):
    done = point(1)
done += 1
"""


def test_a_debugger_that_steps_goes_where_it_goes_in_plain_python() -> None:
    def stepped(code: Any) -> list[int]:
        found: list[int] = []

        def trace(frame: Any, event: str, _: Any) -> Any:
            if frame.f_code.co_filename != code.co_filename:
                return None
            if event == "line":
                found.append(frame.f_lineno)
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            exec(code, {"__name__": "__main__", "point": point})
        finally:
            sys.settrace(before)
        return found

    plain = stepped(compile(STEPS, "plain.py", "exec", dont_inherit=True))
    assert stepped(resumable.compile_unit(STEPS, "steps.py").code) == plain


def test_whoever_looks_at_a_cells_namespace_sees_no_temporaries(capsys: pytest.CaptureFixture[str]) -> None:
    source = """
for one in [point(1)]:
    with open(__file__) as opened:
        looks = [list(globals()), sorted(vars()), [*locals()], {**globals()}, dict(globals().items())]
        looks += [[name for name in globals()], list(vars().keys()), dict(**locals())]
        for name in globals():
            looks.append([name])
            globals()["written"] = point("through")
            break
        print(written, any(str(name).startswith(".") for look in looks for name in look))
"""
    exec(
        resumable.compile_unit(source, "looks.py").code,
        {"__name__": "__main__", "__file__": __file__, "point": point},
    )
    assert capsys.readouterr().out == "through False\n"


def _covered(source: str, path: Path, is_own: bool) -> tuple[list[int], list[int]]:
    """The lines that coverage.py counts, and those that it saw run, of a file that a flow imports."""
    path.write_text(source)
    measure = coverage.Coverage(data_file=None, include=[str(path)], config_file=False)
    own = resumable.OwnModules(str(path.parent))
    if is_own:
        own.install()
    sys.path.append(str(path.parent))
    measure.start()
    try:
        importlib.import_module(path.stem)
    finally:
        measure.stop()
        sys.path.remove(str(path.parent))
        own.remove()
        sys.modules.pop(path.stem, None)
    _, counted, __, missing, ___ = measure.analysis2(str(path))
    return counted, sorted(set(counted) - set(missing))


@pytest.mark.parametrize("place", range(0, 60, 12))
def test_coverage_counts_the_same_lines_as_in_plain_python(place: int, tmp_path: Path) -> None:
    names = [name for name in PROGRAMS if name.startswith(("constructs", "generators", "managers"))]
    program = PROGRAMS[names[place % len(names)]]
    programs = {
        "plain_covered": False,
        "own_covered": True,
    }
    start = "from tests.resumable.test_debugging import _fail as fail, _This, point\nthis = _This()\n"
    found = []
    for name, is_own in programs.items():
        (tmp_path / name).mkdir()
        source = f"{start}def program():\n{textwrap.indent(program, '    ')}\nprogram()\n"
        found.append(_covered(source, tmp_path / name / f"{name}.py", is_own))
    assert found[0] == found[1]
    assert found[0][1]


def test_a_debugger_after_an_error_of_a_flow_that_went_on_shows_the_authors_code(tmp_path: Path) -> None:
    source = STORY.replace("1 / len([])", "raise SystemError('told')").split("for number in")[0]
    source = source.replace("        point('caught')", "        point('caught')\n        1 / len([])")
    continuations: list[resumable.Continuation] = []
    namespace: dict[str, Any] = {"__name__": "__main__", "point": point}
    unit = resumable.compile_unit(source, str(tmp_path / "debugged.py"))
    _Stop.on_call = continuations.append
    try:
        with pytest.raises(ZeroDivisionError):
            exec(unit.code, namespace)
    finally:
        _Stop.on_call = None
    with pytest.raises(ZeroDivisionError) as caught:
        continuations[0].resume(namespace=namespace)
    resumable.hide_temporaries()
    said = io.StringIO()
    debugger = pdb.Pdb(stdin=io.StringIO("p sorted(locals())\nw\np seen\nl\nq\n"), stdout=said)
    debugger.reset()
    debugger.interaction(None, caught.value.__traceback__)
    told = said.getvalue()
    assert "['seen']" in told
    assert "-> 1 / len([])" in told
    assert "(Pdb) ['error']" in told, "what `seen` holds"
    assert "'." not in told
    assert "(Pdb)" in told


def _fail(error: BaseException) -> Any:
    raise error


class _This:
    def point(self, value: Any = None) -> Any:
        return value


def test_what_is_saved_could_go_to_any_machine(tmp_path: Path) -> None:
    """No bytecode, no path of this machine, nothing named after this process."""
    files, _ = saved(STORY, tmp_path)
    here = {os.getcwd(), str(tmp_path), sys.prefix, str(Path(__file__).resolve().parents[2]), os.sep + "root"}
    for file in files:
        manifest = snapshot.Manifest.from_bytes(file.read_bytes())
        for group in manifest.body.groups:
            stream = _stream(group, tmp_path / "chunks")
            for operation, argument, _ in pickletools.genops(stream):
                assert operation.name != "INST"
                if isinstance(argument, str):
                    assert not [one for one in here if one in argument], argument
                    assert " at 0x" not in argument
                    assert argument not in ("CodeType", "marshal", "_make_code"), argument
                if isinstance(argument, bytes):
                    assert len(argument) < 64, "what else would so many bytes be than code"


def _stream(group: Any, directory: Path) -> bytes:
    from jupyter_flows.snapshot.chunks import ChunkReader

    return bytes(ChunkReader(snapshot.DirectoryChunks(directory)).bytes_of(group.stream))
