"""How exactly a session goes on after a restore: ours, Kishu, dill, cloudpickle, on the same probes.

    python -m benchmarks.probes [--json FILE] [--verbose] [--competitor NAME]

The probes are those of `tests/snapshot/probes`: some lines that make a state, and a check that must hold when
the session goes on. Each runs in processes of its own, in the environment of `benchmarks.savepoints`: one
saves and one loads. (Kishu restores only in the process that ran the cells, so it has it easier: modules,
options and random numbers need not come back; its variables are deleted before.) Probes that ask for what
only we promise, that an object which cannot be kept is named while all others live, are counted apart.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path

from tests.snapshot.probes import PROBES

from .savepoints import COMPETITORS, ROOT, environment, settings

_RUN = "__import__('benchmarks.competitors.probe_sessions', fromlist=['x']).main(*{!r})"
#: Their checks name SavepointError.
NAMING = frozenset(name for name, cells, check in PROBES if "refused(" in check or "SavepointError" in check)


def run(python: Path, name: str) -> dict[str, str]:
    """What failed, by probe; an empty text for what did not."""
    with tempfile.TemporaryDirectory(prefix="probes-") as where:
        subprocess.run(
            [str(python), "-W", "ignore", "-c", _RUN.format((name, where))],
            cwd=ROOT,
            env={**settings(), "HOME": where, "IPYTHONDIR": os.path.join(where, "ipython")},
            check=True,
        )
        found: dict[str, str] = json.loads((Path(where) / "results.json").read_text())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--verbose", action="store_true", help="say why each probe failed")
    parser.add_argument("--competitor", action="append", choices=COMPETITORS)
    options = parser.parse_args()
    python = environment()
    results = {name: run(python, name) for name in options.competitor or COMPETITORS}
    print(f"{'':12} {'exact':>10} {'bad ones named':>16}")
    figures = {}
    for name, found in results.items():
        exact = [probe for probe in found if probe not in NAMING]
        passed = sum(not found[probe] for probe in exact)
        named = sum(not found[probe] for probe in NAMING)
        figures[name] = {"passed": passed, "probes": len(exact), "named": named, "to_name": len(NAMING)}
        print(f"{name:12} {passed:>4} of {len(exact):>3} {named:>9} of {len(NAMING):>3}")
    if options.verbose:
        for name, found in results.items():
            for probe, problem in found.items():
                if problem:
                    print(f"{name}: {probe}: {problem}")
    if options.json:
        options.json.write_text(json.dumps({"figures": figures, "results": results}, indent=1))


if __name__ == "__main__":
    main()
