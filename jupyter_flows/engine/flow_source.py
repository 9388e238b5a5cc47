"""One file as a flow: what it says of itself, read without running a line of it.

The reasons. Notebooks are decoded by msgspec into the few fields that count: importing nbformat costs
seconds, and a notebook with 50 MB of outputs must not slow a list of flows down. Python is read by
`ast` alone. A notebook's cells may hold IPython's magics, which only a kernel can translate: such a
cell is taken as it is, and what is wrong in it shows when it runs.
"""

from __future__ import annotations

import ast
import hashlib
import io
import re
import tokenize
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import msgspec

from ..errors import InvalidFlowError
from ..model import NO_OPTIONS, Cell, CellKind, FlowKind, FlowOptions, FlowSource, FlowView
from .options import PLACE, flow_options
from .own_modules import digest_with

SUFFIXES = {".ipynb": FlowKind.NOTEBOOK, ".py": FlowKind.SCRIPT}

# A line that only IPython understands: %magic, !command, name? , x = %magic, x = !command.
_IPYTHON_LINE = re.compile(r"^\s*([%!?]|[\w, .\[\]]+=\s*[%!]|.*\?\s*$)", re.MULTILINE)
_DEFINES_HANDLER = re.compile(r"^(async\s+)?def\s+handler\s*\(", re.MULTILINE)
_IMPORTS_FLOW_API = re.compile(r"^\s*(import|from)\s[^#\n]*\bflow_api\b", re.MULTILINE)
_HEADING = re.compile(r"^#+\s+(.+?)\s*#*\s*$", re.MULTILINE)

_warnings_lock = Lock()


class _NotebookCell(msgspec.Struct):
    cell_type: str
    source: str | list[str] = ""
    id: str = ""
    metadata: dict[str, Any] = {}

    @property
    def text(self) -> str:
        return self.source if isinstance(self.source, str) else "".join(self.source)

    @property
    def tags(self) -> tuple[str, ...]:
        tags = self.metadata.get("tags")
        return tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else ()


class _Notebook(msgspec.Struct):
    cells: list[_NotebookCell] | None = None
    metadata: dict[str, Any] = {}
    nbformat: int = 0


_notebook_decoder = msgspec.json.Decoder(_Notebook)


def source_of(path: Path, below_root: str) -> FlowSource:
    """The flow version in a file.

    Arguments: `path`, the file, absolute and resolved; `below_root`, its path below the flows' root
    with ``/`` between the parts. Raises InvalidFlowError, which says what to mend.
    """
    kind = SUFFIXES[path.suffix]
    content = _content(path, below_root)
    cells, options, digest = (
        _parsed_script(content, below_root)
        if kind is FlowKind.SCRIPT
        else (_parsed_notebook(content, below_root))
    )
    return FlowSource(
        name=below_root.removesuffix(path.suffix),
        path=below_root,
        directory=str(path.parent),
        kind=kind,
        cells=cells,
        digest=digest_with(digest, path.parent, [cell.source for cell in _code(cells)]),
        options=options,
    )


_Parsed = tuple[tuple[Cell, ...], FlowOptions, str]


def _parsed_notebook(content: bytes, name: str) -> _Parsed:
    notebook = _notebook(content, name)
    cells = _notebook_cells(notebook, name)
    return cells, flow_options(notebook.metadata.get(PLACE), name), _digest(cells)


@lru_cache(maxsize=128)
def _parsed_script(content: bytes, name: str) -> _Parsed:
    """A script that is started again and again is parsed once. (A notebook's bytes may be many.)"""
    cells = _script_cells(content, name)
    return cells, _script_options(cells[0].source, name), _digest(cells)


def source_of_text(text: str, name: str, directory: str) -> FlowSource:
    """A flow that lies in no file. It may have a `handler` or not. Raises InvalidFlowError."""
    source = _newlines(text)
    try:
        tree = _parse(source)
    except SyntaxError as error:
        raise _not_python(error, name, name) from None
    handler = _handler(tree)
    if handler is not None:
        _check_parameters(handler, name)
    cells = (Cell(id="script", kind=CellKind.CODE, source=source),)
    return FlowSource(
        name=name,
        path=f"{name}.py",
        directory=directory,
        kind=FlowKind.SCRIPT,
        cells=cells,
        digest=_digest(cells),
        options=_script_options(source, name),
    )


def view_of(path: Path, below_root: str) -> FlowView | None:
    """The flow in a file as a list shows it, or None if the file is not meant as one.

    A script is meant as a flow when it defines `handler` at its top level; a notebook when its kernel
    is *Flows*, when it defines `handler` or imports flow_api, or when its metadata hold ``"flow": true``
    (``false`` keeps it out). One that is meant as a flow but cannot be run comes with its `error`.
    """
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if SUFFIXES[path.suffix] is FlowKind.SCRIPT:
        return _script_view(path, content, below_root)
    return _notebook_view(path, content, below_root)


def defines_handler(path: Path) -> bool:
    """Whether a script defines `handler`; one that cannot be parsed is asked by its text."""
    try:
        content = path.read_bytes()
    except OSError:
        return False
    return _script_is_flow(content)


# --- notebooks ----------------------------------------------------------------------------------


def _notebook(content: bytes, name: str) -> _Notebook:
    try:
        notebook = _notebook_decoder.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidFlowError(
            f"{name} is not a notebook: {error}. Open it in JupyterLab, or fetch a good copy of it.",
            flow=name,
        ) from None
    if notebook.nbformat < 4:
        found = f"format {notebook.nbformat}" if notebook.nbformat else "no format"
        raise InvalidFlowError(
            f"{name} is not a notebook of format 4 or later ({found}). Open and save it in JupyterLab "
            "to convert it.",
            flow=name,
        )
    if notebook.cells is None:
        raise InvalidFlowError(f"{name} is not a notebook: it has no list of cells.", flow=name)
    return notebook


def _notebook_cells(notebook: _Notebook, name: str) -> tuple[Cell, ...]:
    language = _language(notebook)
    if language not in ("", "python"):
        raise InvalidFlowError(f"{name} is written in {language}; flows are written in Python.", flow=name)
    cells = tuple(
        Cell(
            id=cell.id or f"cell-{index}",
            kind=CellKind(cell.cell_type) if cell.cell_type in list(CellKind) else CellKind.RAW,
            source=_newlines(cell.text),
            tags=cell.tags,
        )
        for index, cell in enumerate(notebook.cells or ())
    )
    if not any(cell.source.strip() for cell in _code(cells)):
        raise InvalidFlowError(f"{name} has no code cells, so there is nothing to run.", flow=name)
    _check_cells(cells, name)
    return cells


def _check_cells(cells: Sequence[Cell], name: str) -> None:
    handler = None
    for index, cell in enumerate(cells):
        if cell.kind is not CellKind.CODE:
            continue
        tree = _parse_cell(cell.source, f"cell {index + 1} of {name}", name)
        handler = (_handler(tree) if tree else None) or handler
    if handler is not None:
        _check_parameters(handler, name)


def _parse_cell(source: str, where: str, name: str) -> ast.Module | None:
    """The tree of a cell, or None for one with magics."""
    if source.lstrip().startswith("%%"):
        return None
    try:
        return _parse(source)
    except SyntaxError as error:
        if _IPYTHON_LINE.search(source):
            return None
        raise _not_python(error, where, name) from None


def _language(notebook: _Notebook) -> str:
    kernelspec, info = notebook.metadata.get("kernelspec"), notebook.metadata.get("language_info")
    for found in (
        isinstance(kernelspec, dict) and kernelspec.get("language"),
        isinstance(info, dict) and info.get("name"),
    ):
        if isinstance(found, str) and found:
            # A kernel for Python may call its language "ipython" or "python3".
            return "python" if "python" in found.lower() else found
    return ""


def _notebook_view(path: Path, content: bytes, below_root: str) -> FlowView | None:
    try:
        notebook = _notebook(content, below_root)
    except InvalidFlowError as error:
        # Nobody can tell what a broken file was; one that speaks of flows is shown, so that it is not missed.
        speaks_of_flows = re.search(rb'flow_api|def handler\(|"name":\s*"flows"', content)
        return _view(path, below_root, error=error.message) if speaks_of_flows else None
    if not _notebook_is_flow(notebook):
        return None
    error_text, options = None, NO_OPTIONS
    try:
        _notebook_cells(notebook, below_root)
        options = flow_options(notebook.metadata.get(PLACE), below_root)
    except InvalidFlowError as error:
        error_text = error.message
    return _view(
        path,
        below_root,
        title=next(_headings(notebook), ""),
        parameters=_parameters(notebook),
        options=options,
        error=error_text,
    )


def _notebook_is_flow(notebook: _Notebook) -> bool:
    marked = notebook.metadata.get("flow")
    if isinstance(marked, bool):
        return marked
    kernelspec = notebook.metadata.get("kernelspec")
    if isinstance(kernelspec, dict) and kernelspec.get("name") == "flows":
        return True
    texts = [cell.text for cell in notebook.cells or () if cell.cell_type == "code"]
    return any(_DEFINES_HANDLER.search(text) or _IMPORTS_FLOW_API.search(text) for text in texts)


def _headings(notebook: _Notebook) -> Iterator[str]:
    for cell in notebook.cells or ():
        if cell.cell_type == "markdown" and (heading := _HEADING.search(cell.text)):
            yield heading[1]


def _parameters(notebook: _Notebook) -> dict[str, Any]:
    """The literal assignments of the cells tagged `parameters`, as JSON; others are left to the run."""
    found: dict[str, Any] = {}
    for cell in notebook.cells or ():
        if cell.cell_type != "code" or "parameters" not in cell.tags:
            continue
        try:
            statements = _parse(cell.text).body
        except SyntaxError:
            continue
        for statement in statements:
            found |= _literal(statement)
    return found


def _literal(statement: ast.stmt) -> dict[str, Any]:
    if isinstance(statement, ast.Assign):
        targets, expression = statement.targets, statement.value
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        targets, expression = [statement.target], statement.value
    else:
        return {}
    try:
        value = msgspec.json.decode(msgspec.json.encode(ast.literal_eval(expression)))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return {}
    return {target.id: value for target in targets if isinstance(target, ast.Name)}


# --- scripts ------------------------------------------------------------------------------------


def _script_cells(content: bytes, name: str) -> tuple[Cell, ...]:
    source = _script_text(content, name)
    try:
        tree = _parse(source)
    except SyntaxError as error:
        raise _not_python(error, name, name) from None
    handler = _handler(tree)
    if handler is None:
        raise InvalidFlowError(
            f"{name} is not a flow: it has no function `handler(system, this)` at its top level. Add one, "
            "or write the flow as a notebook.",
            flow=name,
        )
    _check_parameters(handler, name)
    return (Cell(id="script", kind=CellKind.CODE, source=source),)


def _script_options(source: str, name: str) -> FlowOptions:
    """What the last assignment to the name of options says."""
    if PLACE not in source:
        return NO_OPTIONS
    found = None
    for statement in _parse(source).body:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == PLACE for target in targets):
            assert isinstance(statement, ast.Assign)
            found = statement
    if found is None:
        return NO_OPTIONS
    try:
        plain = ast.literal_eval(found.value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise InvalidFlowError(
            f"The options of {name}, line {found.lineno}, are not plain values. They are read without "
            "running the flow: write them out.",
            flow=name,
        ) from None
    return flow_options(plain, name)


def _script_text(content: bytes, name: str) -> str:
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        return _newlines(content.decode(encoding))
    except (SyntaxError, UnicodeDecodeError) as error:
        raise InvalidFlowError(
            f"{name} is not a Python script: {error}. Save it as UTF-8.", flow=name
        ) from None


def _script_view(path: Path, content: bytes, below_root: str) -> FlowView | None:
    if not _script_is_flow(content):
        return None
    try:
        source = _script_cells(content, below_root)[0].source
        options = _script_options(source, below_root)
    except InvalidFlowError as error:
        return _view(path, below_root, error=error.message)
    documentation = ast.get_docstring(_parse(source)) or ""
    return _view(path, below_root, title=documentation.split("\n", 1)[0], options=options)


def _script_is_flow(content: bytes) -> bool:
    # Most scripts are not flows: a look at the bytes saves parsing them.
    if b"handler" not in content:
        return False
    try:
        return _handler(_parse(_script_text(content, ""))) is not None
    except (SyntaxError, InvalidFlowError):
        return _DEFINES_HANDLER.search(content.decode(errors="replace")) is not None


# --- both ---------------------------------------------------------------------------------------


def _content(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidFlowError(f"{name} cannot be read: {error.strerror or error}.", flow=name) from error


def _parse(source: str) -> ast.Module:
    """Raises SyntaxError for all that is not Python."""
    with _warnings_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an author sees the warnings of his code when it runs
        try:
            return ast.parse(source)
        except ValueError as error:  # null bytes, before Python 3.12
            raise SyntaxError(str(error)) from None
        except (RecursionError, MemoryError):
            raise SyntaxError("it is nested too deeply") from None


def _not_python(error: SyntaxError, where: str, name: str) -> InvalidFlowError:
    line = f", line {error.lineno}" if error.lineno else ""
    text = f": {error.text.strip()}" if error.text and error.text.strip() else ""
    return InvalidFlowError(f"{where} is not Python: {error.msg}{line}{text}", flow=name)


def _handler(tree: ast.Module) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    found = None
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and statement.name == "handler":
            found = statement
    return found


def _check_parameters(handler: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> None:
    advice = "Write it as `def handler(system, this)` or `def handler(system, this, inputs)`"
    if isinstance(handler, ast.AsyncFunctionDef):
        raise InvalidFlowError(
            f"`handler` in {name}, line {handler.lineno}, is an `async def`. {advice}.", flow=name
        )
    arguments = handler.args
    positional = [*arguments.posonlyargs, *arguments.args]
    required = len(positional) - len(arguments.defaults)
    keywords = [
        argument.arg
        for argument, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if value is None
    ]
    if (len(positional) >= 2 or arguments.vararg is not None) and required <= 3 and not keywords:
        return
    written = ast.unparse(arguments)
    raise InvalidFlowError(
        f"`handler({written})` in {name}, line {handler.lineno}, does not take what a flow is given. "
        f"{advice}; further parameters need defaults.",
        flow=name,
    )


def _code(cells: Sequence[Cell]) -> list[Cell]:
    return [cell for cell in cells if cell.kind is CellKind.CODE]


def _digest(cells: Sequence[Cell]) -> str:
    digest = hashlib.sha256()
    for cell in _code(cells):
        content = cell.source.encode(errors="surrogatepass")
        digest.update(b"%d:" % len(content))  # so that text cannot move between cells unseen
        digest.update(content)
    return digest.hexdigest()


def _newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _view(
    path: Path,
    below_root: str,
    *,
    title: str = "",
    parameters: dict[str, Any] | None = None,
    options: FlowOptions = NO_OPTIONS,
    error: str | None = None,
) -> FlowView:
    return FlowView(
        name=below_root.removesuffix(path.suffix),
        path=below_root,
        kind=SUFFIXES[path.suffix],
        title=title,
        parameters=parameters or {},
        options=options,
        error=error,
    )
