"""All exactness probes, saved in one process and gone on with in another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from .probes import PROBES

ROOT = Path(__file__).resolve().parents[2]


def test_every_probe_goes_on_exactly(tmp_path: Path) -> None:
    assert len(PROBES) >= 80
    assert len({name for name, _, _ in PROBES}) == len(PROBES)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JUPYTER_FLOWS_KEY": "probes", "MPLBACKEND": "agg"}
    found = {}
    for step in ("save", "load"):
        done = subprocess.run(
            [sys.executable, "-m", "tests.snapshot.probes.process", step, str(tmp_path)],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        found[step] = json.loads((tmp_path / f"{step}.json").read_text())
    assert found == {"save": {}, "load": {}}
