"""Which files below a root are flows, and what is read of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_flows.engine import flow_source
from jupyter_flows.engine.flows import FlowLibrary
from jupyter_flows.errors import ConflictError, InvalidFlowError, ResourceNotFoundError
from jupyter_flows.model import CellKind, FlowKind

HANDLER = "def handler(system, this):\n    return this.success('done')\n"


def code(source: str, *tags: str, **more: Any) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "metadata": {"tags": list(tags)}, "outputs": [], **more}


def markdown(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "source": source, "metadata": {}}


def write_notebook(path: Path, *cells: dict[str, Any], nbformat: int = 4, **metadata: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"nbformat": nbformat, "nbformat_minor": 5, "metadata": metadata, "cells": list(cells)}
    path.write_text(json.dumps(content))
    return path


def write_script(path: Path, source: str = HANDLER) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    return path


@pytest.fixture
def library(tmp_path: Path) -> FlowLibrary:
    return FlowLibrary(tmp_path)


def names(library: FlowLibrary) -> list[str]:
    return [view.name for view in library.flows()]


class TestList:
    def test_scripts_are_flows_when_they_define_a_handler(self, library, tmp_path):
        write_script(tmp_path / "score.py", '"""Scores a region.\n\nSlowly."""\n' + HANDLER)
        write_script(tmp_path / "logs.py", "import logging\nhandler = logging.StreamHandler()\n")
        write_script(tmp_path / "nested.py", "class A:\n    def handler(self, system): ...\n")
        (flow,) = library.flows()
        assert (flow.name, flow.path, flow.kind) == ("score", "score.py", FlowKind.SCRIPT)
        assert flow.title == "Scores a region."
        assert flow.error is None

    def test_notebooks_are_flows_by_kernel_handler_import_or_mark(self, library, tmp_path):
        write_notebook(tmp_path / "kernel.ipynb", code("1"), kernelspec={"name": "flows"})
        write_notebook(tmp_path / "handler.ipynb", code(HANDLER))
        write_notebook(tmp_path / "imports.ipynb", code("from jupyter_flows import flow_api"))
        write_notebook(tmp_path / "marked.ipynb", code("1"), flow=True)
        write_notebook(tmp_path / "plain.ipynb", code("1"), kernelspec={"name": "python3"})
        write_notebook(tmp_path / "unmarked.ipynb", code("import flow_api"), flow=False)
        assert names(library) == ["handler", "imports", "kernel", "marked"]

    def test_title_and_parameters_come_from_the_cells(self, library, tmp_path):
        write_notebook(
            tmp_path / "etl" / "load.ipynb",
            markdown("Some words.\n\n## Load the orders ##\n"),
            code("import flow_api"),
            code(
                "rows: int = 10\nnames = ('a', 'b')\nsum = 1 + len('x')\nunset: str\nlimit = -1", "parameters"
            ),
        )
        (flow,) = library.flows()
        assert flow.name == "etl/load"
        assert flow.title == "Load the orders"
        assert flow.parameters == {"rows": 10, "names": ["a", "b"], "limit": -1}

    def test_directories_of_tools_hidden_ones_and_links_are_skipped(self, library, tmp_path):
        for directory in (".git", ".ipynb_checkpoints", "node_modules/x", "lib/site-packages", "__pycache__"):
            write_script(tmp_path / directory / "flow.py")
        (write_script(tmp_path / "env" / "flow.py").parent / "pyvenv.cfg").touch()
        write_script(tmp_path / "here" / "flow.py")
        (tmp_path / "loop").symlink_to(tmp_path)
        assert names(library) == ["here/flow"]

    def test_one_that_cannot_run_says_why_and_hides_no_other(self, library, tmp_path):
        write_script(tmp_path / "good.py")
        write_script(tmp_path / "syntax.py", HANDLER + "\n    oops oops\n")
        write_script(tmp_path / "few.py", "def handler(system): ...")
        (tmp_path / "cut.ipynb").write_text('{"cells": [{"source": "import flow_api')
        (tmp_path / "noise.ipynb").write_text("not a notebook at all")
        write_notebook(tmp_path / "empty.ipynb", kernelspec={"name": "flows"})
        errors = {view.name: view.error for view in library.flows()}
        assert list(errors) == ["cut", "empty", "few", "good", "syntax"]
        assert errors["good"] is None
        assert "is not a notebook" in errors["cut"]
        assert "no code cells" in errors["empty"]
        assert "handler(system)" in errors["few"]
        assert "line 4" in errors["syntax"]

    def test_two_files_of_one_name_say_so(self, library, tmp_path):
        write_script(tmp_path / "score.py")
        write_notebook(tmp_path / "score.ipynb", code(HANDLER))
        assert ["Two flows are called score" in (view.error or "") for view in library.flows()] == [
            True,
            True,
        ]

    def test_only_what_changed_is_read_again(self, library, tmp_path, monkeypatch):
        write_script(tmp_path / "one.py")
        write_script(tmp_path / "two.py")
        library.flows()
        read: list[str] = []
        real = flow_source.view_of
        monkeypatch.setattr(
            "jupyter_flows.engine.flows.view_of", lambda path, name: read.append(name) or real(path, name)
        )
        write_script(tmp_path / "two.py", '"""Now with a title."""\n' + HANDLER)
        write_script(tmp_path / "three.py")
        (tmp_path / "one.py").unlink()
        assert {view.name: view.title for view in library.flows()} == {
            "three": "",
            "two": "Now with a title.",
        }
        assert sorted(read) == ["three.py", "two.py"]

    def test_nothing_is_executed(self, library, tmp_path):
        mark = tmp_path / "executed"
        source = f"open({str(mark)!r}, 'w')\n{HANDLER}"
        write_script(tmp_path / "script.py", source)
        write_notebook(tmp_path / "notebook.ipynb", code(source))
        assert names(library) == ["notebook", "script"]
        library.read("script")
        library.read("notebook")
        assert not mark.exists()


class TestRead:
    def test_a_notebook_with_its_cells(self, library, tmp_path):
        write_notebook(
            tmp_path / "etl" / "load.ipynb",
            markdown("# Load"),
            code(["rows = 1\r\n", "x = 2"], "parameters", id="abc"),
            code(HANDLER),
        )
        source = library.read("etl/load")
        assert (source.name, source.path, source.kind) == ("etl/load", "etl/load.ipynb", FlowKind.NOTEBOOK)
        assert source.directory == str(tmp_path / "etl")
        assert [cell.kind for cell in source.cells] == [CellKind.MARKDOWN, CellKind.CODE, CellKind.CODE]
        assert source.cells[1].source == "rows = 1\nx = 2"
        assert source.cells[1].tags == ("parameters",)
        assert source.cells[1].id == "abc"
        assert source.cells[2].id == "cell-2"

    @pytest.mark.parametrize("name", ["etl/score", "etl/score.py", "./etl/score", "etl/../etl/score"])
    def test_by_name_and_by_path(self, library, tmp_path, name):
        write_script(tmp_path / "etl" / "score.py")
        assert library.read(name).path == "etl/score.py"
        assert library.read(str(tmp_path / "etl" / "score.py")).name == "etl/score"

    def test_the_directory_of_the_one_who_asks_comes_first(self, library, tmp_path):
        write_script(tmp_path / "score.py")
        write_script(tmp_path / "etl" / "score.py")
        write_script(tmp_path / "other.py")
        assert library.read("score", relative_to=tmp_path / "etl").name == "etl/score"
        assert library.read("other", relative_to=tmp_path / "etl").name == "other"
        assert library.read("score", relative_to=tmp_path).name == "score"
        assert library.read("../score", relative_to=tmp_path / "etl").name == "score"

    def test_a_name_may_have_dots(self, library, tmp_path):
        write_script(tmp_path / "score-v1.2.py")
        assert library.read("score-v1.2").path == "score-v1.2.py"

    def test_the_digest_names_the_code_alone(self, library, tmp_path):
        path = tmp_path / "flow.ipynb"

        def digest(*cells: dict[str, Any]) -> str:
            return library.read(write_notebook(path, *cells).name).digest

        first = digest(markdown("# One"), code("a = 1"), code("b = 2"))
        assert digest(markdown("# Two"), code("a = 1", outputs=[{"text": "x"}]), code("b = 2")) == first
        assert digest(code("a = 1"), code("b = 3")) != first
        assert digest(code("b = 2"), code("a = 1")) != first
        assert digest(code("a = 1\nb = 2")) != first

    def test_magics_are_left_to_the_kernel(self, library, tmp_path):
        cells = [
            "%matplotlib inline\nx = 1",
            "!ls",
            "files = !ls",
            "%%bash\necho $x",
            "x?",
            "import flow_api",
        ]
        write_notebook(tmp_path / "magic.ipynb", *[code(cell) for cell in cells])
        assert [cell.source for cell in library.read("magic").cells] == cells

    def test_other_encodings_of_scripts(self, library, tmp_path):
        text = f"# -*- coding: latin-1 -*-\nname = 'Grüße'\n{HANDLER}"
        (tmp_path / "latin.py").write_bytes(text.encode("latin-1"))
        assert "Grüße" in library.read("latin").cells[0].source

    @pytest.mark.parametrize(
        "parameters",
        [
            "system, this",
            "system, this, inputs",
            "s, t, /",
            "*args",
            "system, this, inputs=None, *, dry=False",
        ],
    )
    def test_handlers_that_fit(self, library, tmp_path, parameters):
        write_script(tmp_path / "flow.py", f"def handler({parameters}): ...")
        assert library.read("flow").name == "flow"


class TestWhatCannotBeRead:
    def test_a_missing_flow_comes_with_the_nearest_names(self, library, tmp_path):
        write_script(tmp_path / "etl" / "score.py")
        write_script(tmp_path / "scores.py")
        with pytest.raises(ResourceNotFoundError, match=r"Did you mean etl/score, scores\?") as caught:
            library.read("score")
        assert caught.value.flow == "score"
        with pytest.raises(ResourceNotFoundError, match="no flow zzz below"):
            library.read("zzz")

    @pytest.mark.parametrize("name", ["", " ", "a\0b", "/", ".", "..", "x" * 5000, "\ud800"])
    def test_strange_names_are_not_found(self, library, name):
        with pytest.raises(ResourceNotFoundError):
            library.read(name)

    def test_nothing_outside_of_the_root(self, tmp_path):
        root = tmp_path / "root"
        outside = write_script(tmp_path / "secret.py")
        write_script(root / "fine.py")
        (root / "link.py").symlink_to(outside)
        library = FlowLibrary(root)
        for name in ("../secret", str(outside), "link", "link.py"):
            with pytest.raises(ResourceNotFoundError, match="outside of"):
                library.read(name)
        with pytest.raises(ResourceNotFoundError, match="outside of"):
            library.read("../secret", relative_to=root)

    def test_a_flow_of_elsewhere_finds_its_neighbours_and_no_more(self, library, tmp_path_factory):
        """Its worker has another root: the two share a store."""
        elsewhere = tmp_path_factory.mktemp("elsewhere")
        write_script(elsewhere / "etl" / "score.py")
        write_script(elsewhere / "secret.py")
        found = library.read("score", relative_to=elsewhere / "etl")
        assert (found.name, found.directory) == ("score", str(elsewhere / "etl"))
        with pytest.raises(ResourceNotFoundError, match="outside of"):
            library.read("../secret", relative_to=elsewhere / "etl")

    def test_two_files_of_one_name(self, library, tmp_path):
        write_script(tmp_path / "score.py")
        write_notebook(tmp_path / "score.ipynb", code("1"))
        with pytest.raises(ConflictError, match=r"score\.ipynb and score\.py"):
            library.read("score")
        assert library.read("score.py").kind is FlowKind.SCRIPT
        write_script(tmp_path / "score.py", "def helper(): ...")
        assert library.read("score").kind is FlowKind.NOTEBOOK

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("", "is not a notebook"),
            ("{}", "no format"),
            ("[1, 2]", "is not a notebook"),
            ('{"nbformat": 3, "worksheets": []}', "format 3"),
            ('{"nbformat": 4}', "no list of cells"),
            ('{"nbformat": 4, "cells": []}', "no code cells"),
            ('{"nbformat": 4, "cells": [{"cell_type": "markdown", "source": "x"}]}', "no code cells"),
            ('{"nbformat": 4, "cells": [{"cell_type": "code", "source": " "}]}', "no code cells"),
            ('{"nbformat": 4, "cells": [{"source": "x"}]}', "is not a notebook"),
            ('{"nbformat": 4, "cells": 7}', "is not a notebook"),
        ],
    )
    def test_not_a_notebook(self, library, tmp_path, content, message):
        (tmp_path / "flow.ipynb").write_text(content)
        with pytest.raises(InvalidFlowError, match=message) as caught:
            library.read("flow")
        assert "flow.ipynb" in caught.value.message

    def test_another_language(self, library, tmp_path):
        write_notebook(tmp_path / "r.ipynb", code("x <- 1"), language_info={"name": "R"})
        with pytest.raises(InvalidFlowError, match="written in R"):
            library.read("r")

    def test_a_cell_that_is_not_python_is_named(self, library, tmp_path):
        write_notebook(tmp_path / "bad.ipynb", markdown("x"), code("ok = 1"), code("a = 1\nfor in range"))
        with pytest.raises(InvalidFlowError, match=r"cell 3 of bad\.ipynb is not Python.*line 2"):
            library.read("bad")

    @pytest.mark.parametrize(
        ("source", "message"),
        [
            ("", "no function `handler"),
            ("x = 1", "no function `handler"),
            ("def handler(:", "is not Python"),
            ("x = '\0'\n" + HANDLER, "is not Python"),
            ("(" * 5000 + ")" * 5000 + "\n" + HANDLER, "is not Python"),
            ("# coding: nonsense\n" + HANDLER, "is not a Python script"),
            ("def handler(): ...", "does not take"),
            ("def handler(system): ...", "does not take"),
            ("def handler(system, this, inputs, more): ...", "does not take"),
            ("def handler(system, this, *, more): ...", "does not take"),
            ("async def handler(system, this): ...", "async def"),
        ],
    )
    def test_not_a_script_that_runs(self, library, tmp_path, source, message):
        (tmp_path / "flow.py").write_text(source)
        with pytest.raises(InvalidFlowError, match=message):
            library.read("flow")

    def test_a_notebooks_handler_must_fit_too(self, library, tmp_path):
        write_notebook(tmp_path / "flow.ipynb", code("def handler(event): ..."))
        with pytest.raises(InvalidFlowError, match=r"handler\(event\)"):
            library.read("flow")

    def test_bytes_that_are_no_text(self, library, tmp_path):
        (tmp_path / "flow.py").write_bytes(b"def handler(system, this): return '\xff'")
        with pytest.raises(InvalidFlowError, match="Save it as UTF-8"):
            library.read("flow")
        (tmp_path / "nb.ipynb").write_bytes(
            b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": "\xff"}]}'
        )
        with pytest.raises(InvalidFlowError, match="is not a notebook"):
            library.read("nb")

    def test_another_kind_of_file(self, library, tmp_path):
        (tmp_path / "data.csv").write_text("1,2")
        with pytest.raises(InvalidFlowError, match="neither a notebook"):
            library.read("data.csv")
