"""The two processes of the probes: ``save`` and ``load``, in one directory."""

from __future__ import annotations

import json
import os
import sys
import types
import warnings
from pathlib import Path
from typing import Any

from jupyter_flows import resumable, snapshot

from . import PROBES


def run(text: str, namespace: dict[str, Any]) -> None:
    exec(resumable.compile_unit(text, "probe.py").code, namespace)


def main_namespace() -> dict[str, Any]:
    """A new one, which is that of __main__ as in a kernel."""
    module = sys.modules["__main__"] = types.ModuleType("__main__")
    return module.__dict__


def save(number: int, where: Path) -> str:
    namespace = main_namespace()
    run(PROBES[number][1], namespace)
    objects = {f"globals/{name}": value for name, value in namespace.items() if not name.startswith("__")}
    objects["state/process"] = snapshot.ProcessState.now()
    manifest = snapshot.save(objects, snapshot.DirectoryChunks(where / "chunks"), namespace)
    (where / f"manifest-{number}").write_bytes(manifest.to_bytes())
    return ""


def load(number: int, where: Path) -> str:
    namespace = main_namespace()
    manifest = snapshot.Manifest.from_bytes((where / f"manifest-{number}").read_bytes())
    objects = snapshot.load(manifest, snapshot.DirectoryChunks(where / "chunks"), namespace)
    failed = objects.pop("state/process").put_back()
    namespace.update({name.removeprefix("globals/"): value for name, value in objects.items()})
    run(PROBES[number][2], namespace)
    return "; ".join(failed)


def main() -> None:
    warnings.simplefilter("ignore")
    step, directory = sys.argv[1:]
    results = {}
    for number, (name, _, _) in enumerate(PROBES):
        os.makedirs(f"{directory}/cwd", exist_ok=True)
        os.chdir(f"{directory}/cwd")
        try:
            problem = {"save": save, "load": load}[step](number, Path(directory))
        except BaseException as error:
            problem = f"{type(error).__name__}: {error}"
        if problem:
            results[name] = problem
    Path(f"{directory}/{step}.json").write_text(json.dumps(results))
    sys.stdout.flush()
    os._exit(0)  # a thread of a probe waits for ever


if __name__ == "__main__":
    main()
