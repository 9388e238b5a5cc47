"""The command line on a real store."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_flows import __version__
from jupyter_flows.cli import main

SCRIPT = """
def handler(system, this, inputs):
    this.log('hello', size=inputs.get('size', 1))
    this.create_savepoint('half-way')
    this.set_output('double', inputs.get('size', 1) * 2)
    if inputs.get('fail'):
        raise ValueError('as was asked')
    return this.success('all done')
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_FLOWS_STORE", f"sqlite:///{tmp_path / 'store' / 'flows.sqlite'}")
    monkeypatch.setenv("COLUMNS", "80")
    directory = tmp_path / "root"
    directory.mkdir()
    (directory / "double.py").write_text(SCRIPT)
    monkeypatch.chdir(directory)
    return directory


@pytest.fixture
def call(root: Path, capsys: pytest.CaptureFixture[str]):  # noqa: ARG001
    """`call("show", id)` gives the exit code, what was printed, and what was said on stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main(arguments)
        except SystemExit as stop:
            code = stop.code
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


@pytest.fixture
def read(call):
    """`read("show", id)` gives the decoded JSON of a command that succeeds."""

    def read(*arguments: str) -> Any:
        code, out, err = call(*arguments, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    return read


class TestWords:
    def test_help_names_every_command_and_the_exit_codes(self, call):
        code, out, _ = call("--help")
        assert code == 0
        words = {line.split()[0] for line in out.splitlines() if line.startswith("    ")}
        assert {"run", "start", "worker", "executions", "show", "children", "log", "cancel"} <= words
        assert {"savepoints", "variables", "diff", "restore", "pause", "resume", "archive"} <= words
        assert "Exit codes" in out

    def test_version(self, call):
        assert call("--version")[1] == f"jupyter flows {__version__}\n"

    @pytest.mark.parametrize(
        "arguments",
        [(), ("nonsense",), ("show",), ("executions", "--status", "DONE"), ("worker", "--slots", "0")],
    )
    def test_a_wrong_call_exits_with_2(self, call, arguments):
        code, out, err = call(*arguments)
        assert (code, out) == (2, "")
        assert "jupyter flows" in err

    def test_help_and_mistakes_import_little(self):
        code = (
            "import sys; from jupyter_flows.cli import main\n"
            "try: main(['--help'])\n"
            "except SystemExit: pass\n"
            "print(sorted({'msgspec', 'sqlalchemy', 'asyncio'} & set(sys.modules)), file=sys.stderr)"
        )
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert run.stderr.strip() == "[]"


class TestStart:
    def test_prints_the_id(self, call, read):
        code, out, err = call("start", "double", "-i", "size=3", "--name", "nightly")
        assert (code, err) == (0, "")
        shown = read("show", out.strip())
        assert (shown["flow"], shown["status"], shown["name"]) == ("double", "QUEUED", "nightly")
        assert shown["input_value"] == {"size": 3}

    def test_a_key_starts_once(self, call):
        first = call("start", "double", "--key", "monday")
        assert call("start", "double", "--key", "monday") == first

    def test_one_that_a_limit_holds_back_says_so(self, call, root):
        single = root / "single.py"
        single.write_text("jupyter_flows = {'max_concurrent': 1}\n" + SCRIPT)
        ids = [call("start", "single")[1].strip() for _ in range(2)]
        first, second = (call("show", one)[1] for one in ids)
        assert "held back" not in first
        assert "held back   the limit of the flow single is reached" in second
        assert call("executions")[1].count("held back: the limit of the flow single is reached") == 1

    def test_by_path_and_with_another_root(self, call, root, monkeypatch, tmp_path):
        assert call("start", "./double.py")[0] == 0
        monkeypatch.chdir(tmp_path)
        assert call("start", "double")[0] == 2
        assert call("start", "double", "--root", str(root))[0] == 0
        assert call("start", str(root / "double.py"))[0] == 0
        monkeypatch.chdir("/")
        assert call("start", "double", "--root", str(root))[0] == 0

    def test_inputs_from_a_file(self, call, read, root):
        (root / "rows.json").write_text("[1, 2]")
        _, out, _ = call("start", "double", "-i", "rows=@rows.json")
        assert read("show", out.strip())["input_value"] == {"rows": [1, 2]}

    @pytest.mark.parametrize(
        ("arguments", "advice"),
        [
            (("start", "doubel"), "Did you mean double?"),
            (("start", "double", "-i", "region=north"), "-i 'region=\"north\"'"),
            (("start", "double", "-i", "size"), "not KEY=JSON"),
            (("start", "double", "-i", "rows=@none.json"), "cannot be read"),
            (("start", "double", "--root", "nowhere"), "give another --root"),
            (("start", "double", "--store", "mysql://h/d"), "sqlite:///PATH"),
            (("run", "empty"), "no function `handler"),
        ],
    )
    def test_mistakes_say_what_to_do_in_one_line(self, call, root, read, arguments, advice):
        (root / "empty.py").write_text("")
        code, out, err = call(*arguments)
        assert (code, out) == (2, "")
        assert advice in err
        assert err.count("\n") == 1
        assert read("executions")["executions"] == []


class TestLook:
    def test_executions_by_filter(self, call, read, root):
        (root / "other.py").write_text("def handler(system, this): ...")
        ids = [call("start", "double")[1].strip() for _ in range(3)]
        other = call("start", "other")[1].strip()
        call("cancel", ids[0])

        def listed(*arguments: str) -> list[str]:
            return [execution["id"] for execution in read("executions", *arguments)["executions"]]

        assert listed() == [other, *reversed(ids)]
        assert listed("--flow", "other") == [other]
        assert listed("--status", "ended_cancelled") == ids[:1]
        assert listed("--roots", "--limit", "2") == [other, ids[2]]
        code, out, err = call("executions", "--limit", "2")
        assert code == 0
        assert out.splitlines()[0].split() == ["ID", "STATUS", "FLOW", "CREATED", "MESSAGE"]
        assert out.splitlines()[1].startswith(f"{other}  QUEUED  other")
        assert "--limit" in err

    def test_what_is_not_there(self, call):
        for command in ("show", "children", "savepoints", "log", "cancel", "pause", "resume", "archive"):
            code, out, err = call(command, "no-such")
            assert (code, out) == (2, ""), command
            assert "no execution no-such" in err
        code, out, err = call("restore", "no-such")
        assert (code, out) == (2, "")
        assert err.startswith("jupyter flows restore: ")

    def test_nothing_yet(self, call):
        assert call("executions") == (0, "no executions\n", "")

    def test_show_for_people(self, call):
        id = call("start", "double", "-i", "size=3")[1].strip()
        lines = dict(line.split(maxsplit=1) for line in call("show", id)[1].splitlines())
        assert lines["id"] == id
        assert lines["status"] == "QUEUED"
        assert lines["inputs"] == '{"size":3}'
        assert "ended" not in lines

    def test_a_reader_that_has_seen_enough(self, call, root):  # noqa: ARG002
        for _ in range(3):
            call("start", "double")
        script = Path(sys.executable).with_name("jupyter-flows")
        run = subprocess.run(
            f"{script} executions --json | head -c 1", shell=True, capture_output=True, text=True
        )
        assert (run.stdout, run.stderr) == ("{", "")


class TestAct:
    def test_cancel(self, call, read):
        id = call("start", "double")[1].strip()
        assert call("cancel", id) == (0, f"{id} ENDED_CANCELLED\n", "")
        assert read("cancel", id)["status"] == "ENDED_CANCELLED"

    def test_inputs_need_a_fork(self, call):
        code, _, err = call("restore", "sp", "-i", "size=1")
        assert code == 2
        assert "--fork" in err


PIPES = """
def handler(system, this):
    this.log('before')
    open('reached', 'w').close()
    open('go').close()
    this.log('after')
    return this.success('all done')
"""


def spawn(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "jupyter_flows.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def pipes(root: Path) -> Path:
    """A flow that meets the test half-way, at two named pipes."""
    (root / "pipes.py").write_text(PIPES)
    os.mkfifo(root / "reached")
    os.mkfifo(root / "go")
    return root


class TestRun:
    """With a worker of its own, and real kernels."""

    def test_to_its_end(self, call, read):
        code, out, err = call("run", "double", "-i", "size=21")
        assert code == 0, err
        lines = dict(line.split(maxsplit=1) for line in out.splitlines())
        assert (lines["status"], lines["message"]) == ("ENDED_SUCCESS", "all done")
        assert lines["outputs"] == '{"double":42}'
        assert err.splitlines()[0].endswith("info    hello size=21")
        assert read("show", lines["id"])["output_value"] == {"double": 42}

    def test_json_and_a_key(self, read):
        first = read("run", "double", "--key", "monday")
        assert (first["status"], first["output_value"]) == ("ENDED_SUCCESS", {"double": 2})
        assert read("run", "double", "--key", "monday") == first

    def test_a_failure_can_be_restored_and_forked(self, call, read, root):
        (root / "double.py").write_text(
            SCRIPT.replace("inputs.get('fail')", "not __import__('os').path.exists('ok')")
        )
        code, out, err = call("run", "double", "--json")
        assert code == 1
        failed = json.loads(out)
        id = failed["id"]
        assert (failed["status"], failed["error"]["type"]) == ("ENDED_ERROR", "ValueError")
        assert err.strip().endswith("`jupyter flows restore SAVEPOINT`")
        assert "ValueError: as was asked" in call("show", id)[1]
        savepoints = read("savepoints", id)["savepoints"]
        assert [savepoint["action"] for savepoint in savepoints] == ["log", "create_savepoint", "set_output"]
        assert "half-way" in call("savepoints", id)[1]

        (root / "ok").touch()
        named = savepoints[1]["id"]
        assert call("restore", named) == (0, f"{id} QUEUED\n", "")
        forked = read("restore", named, "--fork", "-i", "size=5")
        assert call("worker", "--until-idle")[0] == 0
        assert read("show", id)["output_value"] == {"double": 2}
        ended = read("show", forked["id"])
        assert (ended["status"], ended["input_value"]) == ("ENDED_SUCCESS", {"size": 5})
        assert ended["output_value"] == {"double": 10}
        assert forked["id"] != id
        assert [line["text"] for line in read("log", id)["log"]] == ["hello"]
        assert call("log", id)[1].endswith("info    hello size=1\n")

    def test_a_mended_flow_goes_on_in_its_current_code(self, call, read, root):
        path = root / "double.py"
        flow = SCRIPT.replace("inputs.get('fail')", "True")
        path.write_text(flow)
        id = json.loads(call("run", "double", "--json")[1])["id"]
        named = next(one["id"] for one in read("savepoints", id)["savepoints"] if one["name"])
        path.write_text(flow.replace("True", "False"))
        assert call("restore", named, "--code", "current")[0] == 0
        fork = read("restore", named, "--fork", "--code", "current", "--set", 'inputs={"size": 4}')
        code, _, err = call("restore", named, "--set", "no_such=1")
        assert (code, "no variable no_such" in err) == (2, True)
        assert call("restore", named, "--set", "size")[0] == 2
        assert call("worker", "--until-idle")[0] == 0
        assert read("show", id)["output_value"] == {"double": 2}
        assert read("show", fork["id"])["output_value"] == {"double": 8}

    def test_variables_and_their_difference(self, call, read, root):
        (root / "grow.py").write_text(
            "def handler(system, this):\n"
            "    rows, gone = [1], 'here'\n"
            "    this.create_savepoint('one')\n"
            "    rows.append(2)\n"
            "    del gone\n"
            "    new = 3\n"
            "    this.create_savepoint('two')\n"
        )
        id = read("run", "grow")["id"]
        one, two = (savepoint["id"] for savepoint in read("savepoints", id)["savepoints"])
        variables = {variable["name"]: variable for variable in read("variables", one)["variables"]}
        assert variables["rows"]["type"] == "list"
        assert "rows" in call("variables", one)[1]
        difference = read("diff", one, two)
        assert [variable["name"] for variable in difference["added"]] == ["new"]
        assert [variable["name"] for variable in difference["removed"]] == ["gone"]
        assert [pair["after"]["name"] for pair in difference["changed"]] == ["rows"]
        assert [line.split()[0] for line in call("diff", one, two)[1].splitlines()[1:]] == ["+", "-", "~"]
        assert call("diff", one, one)[1] == "no differences\n"

    @pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
    def test_interrupted_it_is_kept_and_a_worker_goes_on(self, read, pipes, how):
        process = spawn("run", "pipes")
        (pipes / "reached").read_bytes()  # waits until the flow opens it
        process.send_signal(how)
        _, err = process.communicate()
        assert process.returncode == 1
        (execution,) = read("executions")["executions"]
        assert execution["status"] == "QUEUED"
        assert (
            f"execution {execution['id']} is kept: `jupyter flows worker --until-idle`"
            in err.splitlines()[-1]
        )

        worker = spawn("worker", "--until-idle")
        (pipes / "reached").read_bytes()
        # Held open to the end: the first kernel may not be dead yet, and come first.
        with open(pipes / "go", "wb"):
            worker.communicate()
        assert worker.returncode == 0
        assert read("show", execution["id"])["status"] == "ENDED_SUCCESS"
        assert [line["text"] for line in read("log", execution["id"])["log"]] == ["before", "after"]

    def test_a_worker_that_lives_runs_it(self, read, pipes):
        worker = spawn("worker")
        assert worker.stderr is not None
        assert "Ctrl-C stops it" in worker.stderr.readline()
        run = spawn("run", "pipes", "--json")
        (pipes / "reached").read_bytes()
        (execution,) = read("executions")["executions"]
        follow = spawn("log", execution["id"], "--follow")
        assert follow.stdout is not None
        assert follow.stdout.readline().endswith("before\n")
        (pipes / "go").write_bytes(b"")
        out, _ = run.communicate()
        assert (run.returncode, json.loads(out)["status"]) == (0, "ENDED_SUCCESS")
        assert follow.communicate()[0].endswith("after\n")
        worker.send_signal(signal.SIGINT)
        assert worker.wait() == 0


class TestLife:
    def test_again_with_the_same_inputs(self, call, read):
        first = read("run", "double", "-i", "size=4")
        code, out, _ = call("again", first["id"])
        assert code == 0
        assert read("show", out.strip())["input_value"] == {"size": 4}
        assert read("show", out.strip())["status"] == "QUEUED"

    def test_many_at_once(self, call, read):
        ids = [read("start", "double", "--option", "priority=2")["id"] for _ in range(3)]
        assert read("show", ids[0])["priority"] == 2
        code, _, err = call("cancel")
        assert code == 2
        assert "give ids of executions" in err
        cancelled = read("cancel", "--flow", "double", "--since", "1d")
        assert sorted(cancelled["done"]) == ids
        code, out, err = call("cancel", *ids)
        assert (code, out) == (0, "".join(f"{one}\n" for one in ids))
        code, out, err = call("delete", ids[0], ids[0] + "x")
        assert (code, out) == (1, f"{ids[0]}\n")
        assert "there is no execution" in err
        assert read("delete", "--status", "ended_cancelled")["done"] == ids[:0:-1]
        assert read("executions")["executions"] == []

    def test_a_time_that_is_none(self, call):
        code, _, err = call("executions", "--since", "yesterday")
        assert code == 2
        assert "30m, 12h, 14d" in err
