"""Open files, opened again where they stood.

The content of a file is the outside world and not part of the state: one that was opened for writing is
opened again without being emptied, and what was written since stays. Only temporary files, which go with
their process, are kept with what is in them.
"""

from __future__ import annotations

import bz2
import gc
import gzip
import io
import lzma
import os
import sys
import tempfile
from typing import Any

from ...errors import SavepointError
from ..pickling import Saving
from ..registry import builtin

#: A temporary file or directory with more than this in it (bytes) is refused rather than kept.
TEMPORARY_BYTES = 64 << 20


@builtin(io.TextIOWrapper)
def _reduce_text_file(file: io.TextIOWrapper, _: Saving) -> Any:
    standard = _standard_stream(file)
    if standard is not None:
        return standard
    if file.closed:
        return _closed_text_file, ()
    if not file.seekable():
        raise TypeError(f"the file {file.name!r} has no place on disk to open it from again")
    if file.writable():
        file.flush()  # not when reading: it makes tell() forget that it must refuse
    options = (file.encoding, file.errors, _newline(file), file.line_buffering, file.write_through)
    return _wrap_text, (file.buffer, options, _position(file), file.__dict__.get("mode"))


def _standard_stream(stream: Any) -> Any:
    for name in ("stdout", "stderr", "stdin", "__stdout__", "__stderr__", "__stdin__"):
        if getattr(sys, name, None) is stream:
            return getattr, (sys, name)
    return None


@builtin("ipykernel.iostream.OutStream")
def _reduce_output_of_cells(stream: Any, _: Saving) -> Any:
    standard = _standard_stream(stream)
    if standard is None:
        raise TypeError("a stream of another kernel's output cannot be kept: use sys.stdout")
    return standard


def _newline(file: io.TextIOWrapper) -> str | None:
    """How it was told to treat ends of lines: only its C struct knows."""
    named = (file.encoding, file.errors)
    endings = [one for one in gc.get_referents(file) if one in ("", "\n", "\r", "\r\n") and one not in named]
    return endings[0] if endings else None


def _position(file: Any) -> int:
    try:
        return int(file.tell())
    except OSError:
        # After next() a text file does not tell. What it has read ahead but not handed out is the rest of
        # the buffer; reading it, and seeking back, finds the place.
        rest = file.read()
        end = file.buffer.tell()
        place = end - len(rest.encode(file.encoding, file.errors or "strict"))
        file.seek(place)
        return int(place)


def _wrap_text(buffer: Any, options: tuple[Any, ...], position: int, mode: str | None) -> Any:
    encoding, errors, newline, by_line, at_once = options
    file: Any = io.TextIOWrapper(buffer, encoding, errors, newline, by_line, at_once)
    if mode is not None:
        file.mode = mode
    file.seek(position)
    return file


def _closed_text_file() -> Any:
    file = io.TextIOWrapper(io.BytesIO())
    file.close()
    return file


@builtin(io.BufferedReader, io.BufferedWriter, io.BufferedRandom)
def _reduce_buffered_file(file: Any, _: Saving) -> Any:
    if file.closed:
        return _closed_binary_file, ()
    if not isinstance(file.raw, io.FileIO):
        if not file.seekable():
            raise TypeError(f"a {type(file).__name__} over something that cannot seek cannot be kept")
        if file.writable():
            file.flush()
        return _wrap_buffer, (type(file), file.raw, file.tell())
    if _is_unnamed(file.raw):
        return _make_unnamed_file, (str(file.mode), _content(file), file.tell())
    path, mode = _opened(file)
    file.flush()
    return _open_binary_file, (path, _again(mode), file.tell(), -1)


@builtin(io.FileIO)
def _reduce_raw_file(file: io.FileIO, _: Saving) -> Any:
    if file.closed:
        return _closed_binary_file, ()
    path, mode = _opened(file)
    return _open_binary_file, (path, _again(mode), file.tell(), 0)


def _is_unnamed(raw: io.FileIO) -> bool:
    """Whether it is a temporary file without any name."""
    return isinstance(raw.name, int) and raw.seekable() and os.fstat(raw.fileno()).st_nlink == 0


def _content(file: Any) -> bytes:
    file.flush()
    size = os.fstat(file.fileno()).st_size
    _check_size(size)
    return os.pread(file.fileno(), size, 0)


def _check_size(size: int) -> None:
    if size > TEMPORARY_BYTES:
        raise TypeError(
            f"temporary files of {size >> 20} MiB are too much to keep (at most {TEMPORARY_BYTES >> 20}): "
            "use a file of your own"
        )


def _opened(file: Any) -> tuple[str, str]:
    """Name and mode of a file that can be opened again. Raises TypeError for pipes and terminals."""
    name = getattr(file, "name", None)
    if not isinstance(name, str | bytes | os.PathLike) or not file.seekable():
        raise TypeError(f"the file {name!r} has no place on disk to open it from again")
    path = os.path.abspath(os.fsdecode(name))
    if not os.path.exists(path):
        raise TypeError(f"the file {path} is gone: it cannot be opened again")
    return path, str(file.mode)


def _again(mode: str) -> str:
    """The mode that goes on with what is there instead of emptying it."""
    plain = mode.replace("x", "w")
    return plain.replace("w", "r+").replace("++", "+") if "w" in plain else plain


def _checked_place(name: str) -> None:
    if not os.path.exists(name):
        raise SavepointError(f"the file {name} that was open is not there any more")


def _open_binary_file(name: str, mode: str, position: int, buffering: int) -> Any:
    _checked_place(name)
    mode = mode if "b" in mode else mode + "b"
    file = open(name, mode.replace("rb+", "r+b"), buffering)  # noqa: SIM115 - it stays open
    file.seek(position)
    return file


def _wrap_buffer(kind: Any, raw: Any, position: int) -> Any:
    made = kind(raw)
    made.seek(position)
    return made


def _make_unnamed_file(mode: str, content: bytes, position: int) -> Any:
    made = tempfile.TemporaryFile(mode.replace("r", "w") if "b" in mode else "w+b")  # noqa: SIM115 - it stays open
    made.write(content)
    made.seek(position)
    return made


def _closed_binary_file() -> Any:
    file = io.BufferedReader(io.BytesIO())
    file.close()
    return file


# --- compressed files ---------------------------------------------------------------------------------


@builtin(gzip.GzipFile, bz2.BZ2File, lzma.LZMAFile)
def _reduce_compressed_file(file: Any, _: Saving) -> Any:
    kind = type(file)
    if file.closed:
        return _closed_binary_file, ()
    if file.writable():
        raise TypeError(f"a {kind.__name__} that is being written cannot be kept: close it first")
    under: Any = (file.fileobj if kind is gzip.GzipFile else None) or getattr(file, "_fp", None)
    name = getattr(under, "name", None) or getattr(file, "name", None)
    if not isinstance(name, str | bytes | os.PathLike) or not os.path.exists(name):
        raise TypeError(f"a {kind.__name__} over something that is no file cannot be kept")
    return _open_compressed_file, (kind, os.path.abspath(os.fsdecode(name)), file.tell())


def _open_compressed_file(kind: Any, path: str, position: int) -> Any:
    _checked_place(path)
    made = kind(path, "rb")
    made.seek(position)
    return made


# --- temporary files ----------------------------------------------------------------------------------


@builtin("tempfile._TemporaryFileWrapper")
def _reduce_temporary_file(subject: Any, _: Saving) -> Any:
    name = subject.name
    if subject.file.closed:
        return _closed_binary_file, ()
    if not isinstance(name, str) or not os.path.exists(name):
        raise TypeError("a temporary file that is gone cannot be opened again")
    subject.file.flush()
    _check_size(os.path.getsize(name))
    # The file belongs to this process, which removes it at its end: its content is kept.
    with open(name, "rb") as stream:
        content = stream.read()
    text = subject.file if isinstance(subject.file, io.TextIOWrapper) else None
    options = None if text is None else (text.encoding, text.errors, _newline(text))
    return _make_temporary_file, (str(subject.file.mode), subject.file.tell(), content, name, options)


def _make_temporary_file(
    mode: str, position: int, content: bytes, name: str, options: tuple[Any, ...] | None = None
) -> Any:
    """Under its old name where that is free: texts with this name stay true."""
    mode = mode.replace("r", "w") if "+" in mode else mode
    encoding, errors, newline = options or (None, None, None)
    directory, base = os.path.split(name)
    made: Any = tempfile.NamedTemporaryFile(  # noqa: SIM115 - it stays open
        mode,
        suffix=os.path.splitext(base)[1],
        dir=directory if os.path.isdir(directory) else None,
        encoding=encoding,
        errors=errors,
        newline=newline,
    )
    with open(made.name, "wb") as stream:
        stream.write(content)
    made.seek(position)
    if not os.path.exists(name) and os.path.dirname(made.name) == directory:
        os.rename(made.name, name)
        made.name = made._closer.name = name
    return made


@builtin(tempfile.TemporaryDirectory)
def _reduce_temporary_directory(subject: tempfile.TemporaryDirectory[str], _: Saving) -> Any:
    files: dict[str, bytes | None] = {}
    size = 0
    for at, directories, names in os.walk(subject.name):
        for name in directories:
            files[os.path.relpath(os.path.join(at, name), subject.name)] = None
        for name in names:
            path = os.path.join(at, name)
            if os.path.isfile(path):
                size += os.path.getsize(path)
                _check_size(size)
                with open(path, "rb") as stream:
                    files[os.path.relpath(path, subject.name)] = stream.read()
    return _make_temporary_directory, (subject.name, files)


def _make_temporary_directory(name: str, files: dict[str, bytes | None]) -> Any:
    """The same directory if it is still there, as it is; else one of this name with what was in it."""
    made: Any = tempfile.TemporaryDirectory()
    if not os.path.isdir(name) and os.path.isdir(os.path.dirname(name)):
        os.mkdir(name, 0o700)
        for place, content in files.items():
            path = os.path.join(name, place)
            os.makedirs(path if content is None else os.path.dirname(path), exist_ok=True)
            if content is not None:
                with open(path, "wb") as stream:
                    stream.write(content)
    if os.path.isdir(name):
        os.rmdir(made.name)
        made._finalizer.detach()
        made.name = name
        made._finalizer = _finalizer(made, name)
        return made
    raise SavepointError(f"the temporary directory {name} cannot be made again: its parent is gone")


def _finalizer(directory: Any, name: str) -> Any:
    import weakref

    return weakref.finalize(
        directory, directory._cleanup, name, warn_message=f"Implicitly cleaning up {directory!r}"
    )
