"""The two processes of the matrix: ``save`` and ``load``, each for one library in one directory."""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

from jupyter_flows import resumable, snapshot

from . import Library, libraries
from .same import same


def prepared(library: Library) -> dict[str, Any]:
    """A flow's namespace in which the library's prelude ran."""
    namespace: dict[str, Any] = {"__name__": "__main__", "same": same}
    unit = resumable.compile_unit(library.prelude, "matrix.py")
    exec(unit.code, namespace)
    return namespace


def made(library: Library, namespace: dict[str, Any]) -> dict[str, Any]:
    """One object for each kind, all in one savepoint: a bad one must not cost the others."""
    objects = {}
    for number, kind in enumerate(library.kinds):
        unit = resumable.compile_unit(f"kind_{number} = ({kind.source}\n)", "matrix.py")
        exec(unit.code, namespace)
        objects[f"globals/kind_{number}"] = namespace.pop(f"kind_{number}")
    return objects


def save(library: Library) -> dict[str, Any]:
    namespace = prepared(library)
    objects = made(library, namespace)
    own = {
        f"globals/{name}": value
        for name, value in namespace.items()
        if name not in ("same", "__builtins__", "__name__")
    }
    objects |= own
    chunks = snapshot.DirectoryChunks("chunks")
    manifest = snapshot.save(objects, chunks, namespace)
    again = snapshot.save(objects, chunks, namespace, manifest)
    Path("manifest").write_bytes(manifest.to_bytes())
    # Saving must not change what it looks at.
    return {"changed": compared(library, prepared(library), objects), "again": again.bytes_new}


def load(library: Library) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    manifest = snapshot.Manifest.from_bytes(Path("manifest").read_bytes())
    objects = snapshot.load(manifest, snapshot.DirectoryChunks("chunks"), namespace)
    namespace.update({name.removeprefix("globals/"): value for name, value in objects.items()})
    missing: dict[str, list[str]] = {}
    for one in manifest.missing:
        missing.setdefault(one.path.split("[")[0].split(".")[0].split(":")[0].split(" ")[0], []).append(
            f"{one.path}: {one.reason}"
        )
    return {"missing": missing, "different": compared(library, prepared(library), objects)}


def compared(library: Library, namespace: dict[str, Any], objects: dict[str, Any]) -> dict[str, str]:
    """What differs, by the name of the kind."""
    different = {}
    for number, kind in enumerate(library.kinds):
        if kind.outcome == "named":
            continue
        try:
            a = made(Library(library.name, (), "", [kind]), namespace)["globals/kind_0"]
            scope = {**namespace, "a": a, "b": objects[f"globals/kind_{number}"]}
            found = eval(kind.check, scope)
        except BaseException as error:
            found = f"{type(error).__name__}: {error}"
        if found is False or (isinstance(found, str) and found):
            different[kind.name] = found or f"not so: {kind.check}"
    return different


def main() -> None:
    warnings.simplefilter("ignore")
    step, name, directory = sys.argv[1:]
    os.chdir(directory)
    library = next(one for one in libraries() if one.name == name)
    result = {"save": save, "load": load}[step](library)
    Path(f"{step}.json").write_text(json.dumps(result))
    sys.stdout.flush()
    os._exit(0)  # threads of pools that the kinds made


if __name__ == "__main__":
    main()
