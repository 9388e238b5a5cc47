"""State that fills most of the memory is saved and restored in a stream: no second copy of it is made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MEGABYTE = 1 << 20
_COMMON = """
import json, resource, sys, time
import numpy
from jupyter_flows import snapshot

where, megabytes, limit = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_AS, (limit << 20, limit << 20))

def peak():
    # What the process ever held, in MB.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

chunks = snapshot.DirectoryChunks(where + "/chunks")
namespace = {"__name__": "__main__"}
"""
SAVE = (
    _COMMON
    + """
block = numpy.random.default_rng(1).random((1 << 20) // 8)
arrays = [numpy.empty((megabytes // 4, (1 << 20) // 8)) for _ in range(4)]
for number, array in enumerate(arrays):
    for line in range(len(array)):
        numpy.add(block, number * 1000 + line, out=array[line])
before = peak()
manifest = snapshot.save({"globals/arrays": arrays}, chunks, namespace)
with open(where + "/manifest", "wb") as file:
    file.write(manifest.to_bytes())
print(json.dumps({"before": before, "peak": peak(), "cpu": time.process_time()}))
"""
)
LOAD = (
    _COMMON
    + """
with open(where + "/manifest", "rb") as file:
    manifest = snapshot.Manifest.from_bytes(file.read())
before = peak()
arrays = snapshot.load(manifest, chunks, namespace, needs_all=True)["globals/arrays"]
block = numpy.random.default_rng(1).random((1 << 20) // 8)
for number, array in enumerate(arrays):
    assert len(array) == megabytes // 4
    for line in range(len(array)):
        assert (array[line] == block + (number * 1000 + line)).all()
print(json.dumps({"before": before, "peak": peak(), "cpu": time.process_time()}))
"""
)


def run(source: str, where: Path, megabytes: int, limit: int) -> dict[str, float]:
    settings = {"PYTHONPATH": str(ROOT), "JUPYTER_FLOWS_KEY": "large", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", source, str(where), str(megabytes), str(limit)],
        capture_output=True,
        text=True,
        env={**os.environ, **settings},
        cwd=where,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(found)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is Linux's")
@pytest.mark.parametrize(
    ("megabytes", "limit"),
    # The limit counts addresses: libraries take some hundred megabytes of them that they never use.
    [(256, 1400), pytest.param(5 * 1024, 8 * 1024, marks=pytest.mark.long)],
)
def test_no_second_copy_is_made(tmp_path: Path, megabytes: int, limit: int) -> None:
    saved = run(SAVE, tmp_path, megabytes, limit)
    assert saved["peak"] - saved["before"] < 64 + megabytes / 100
    loaded = run(LOAD, tmp_path, megabytes, limit)
    assert loaded["peak"] - loaded["before"] < megabytes + 64 + megabytes / 100
