"""How much memory kernels take, and whether the system killed one for it.

No limit of the operating system is set: a limit on the address space fails where nothing is used yet, and
control groups need rights that a Jupyter server seldom has. The worker looks, often for those with a limit.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec

#: How often kernels are looked at, in seconds: those with a limit, and the others.
OFTEN, SELDOM = 0.1, 1.0


class Usage(msgspec.Struct, frozen=True):
    """Bytes of one process: what it has in memory, and the most that it ever had, as far as is known."""

    now: int
    peak: int


def usage(pid: int) -> Usage | None:
    """None for a process that has gone, and where the system does not tell."""
    if sys.platform == "linux":
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return None
        sizes = {
            name: int(rest.split()[0]) * 1024
            for name, _, rest in (line.partition(":") for line in status.splitlines())
            if name in ("VmRSS", "VmHWM")
        }
        return Usage(sizes["VmRSS"], sizes["VmHWM"]) if len(sizes) == 2 else None
    command = ["ps", "-o", "rss=", "-p", str(pid)]
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return Usage(int(found) * 1024, int(found) * 1024) if found.isdigit() else None


def kills(vmstat: Path = Path("/proc/vmstat")) -> int:
    """How many processes the system has killed because it was out of memory; 0 where it does not tell."""
    try:
        lines = vmstat.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def size(count: int) -> str:
    """Bytes as people say them: 7.9 GB."""
    shown, units = float(count), ["B", "kB", "MB", "GB", "TB"]
    while shown >= 1000 and len(units) > 1:
        shown /= 1000
        units.pop(0)
    return f"{shown:.1f} {units[0]}" if units[0] != "B" else f"{count} B"
