"""Whether a kernel can run another execution of the same flow version, and how it is made fresh again.

A fork costs tens of milliseconds, a fresh namespace costs two. So a kernel whose execution ended well is used
again: for the same version of the same flow and the same owner only, never after an error, and only if
nothing of the run is left in the process. What can be put back is (variables, directory, environment, import
path, warnings, random generators); what cannot (threads, open files, modules of the flow's own, hooks of
IPython, patched builtins, signal handlers, options of libraries) ends the process. Changes *inside* imported
libraries are not looked for.
"""

from __future__ import annotations

import atexit
import builtins
import gc
import os
import random
import resource
import signal
import site
import sys
import sysconfig
import threading
from pathlib import Path
from typing import Any

from .. import snapshot
from .shell import HeadlessShell

#: After so many executions, or when it ever needed so much memory (bytes), a kernel is not used again.
MOST_RUNS = 100
MOST_MEMORY = 400_000_000
_SETTLING = 2  # executions

# SIGUSR1 is the cancellation's.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM, signal.SIGCHLD, signal.SIGUSR2)
#: Parts of the state of the process that `ProcessState` can set without any trace.
_RANDOM = ("random", "numpy.random", "torch")


class Pristine:
    """The state of this process before its first execution."""

    def __init__(self, shell: HeadlessShell) -> None:
        self._shell = shell
        self._runs = 0
        gc.freeze()  # collections between executions look at what is new only
        self._path = list(sys.path)
        self._process = snapshot.ProcessState.now()
        for name in _RANDOM:  # no two executions may get the same numbers
            self._process.parts.pop(name, None)
        self._modules = set(sys.modules)
        #: The generator of `random` as it was made: who has not taken a number has left it so.
        self._unused = random.getstate()
        self._traits = self._of_process()

    def is_back(self) -> bool:
        """Put everything back; False when something of the execution is left, or it is time for a new one."""
        self._runs += 1
        try:
            return self._runs < MOST_RUNS and self._put_back()
        except Exception:
            return False

    def _put_back(self) -> bool:
        self._shell.empty()
        for name in ("last_type", "last_value", "last_traceback", "last_exc"):
            sys.__dict__.pop(name, None)
        sys.path[:] = self._path
        if not self._are_modules_harmless():
            return False
        gc.collect()
        # Asked before it is put back: options of libraries stay as the flow has set them.
        left = {
            name: value
            for name, value in snapshot.ProcessState.now().parts.items()
            if value and name not in self._process.parts and name not in _RANDOM
        }
        if left or self._process.put_back():
            return False
        self._reseed()
        if self._runs <= _SETTLING:
            gc.freeze()  # what the first executions have brought is there to stay
        return self._of_process() == self._traits and _most_memory() < MOST_MEMORY

    def _are_modules_harmless(self) -> bool:
        """Whether all that was imported is installed: the flow's own modules may be edited meanwhile."""
        imported = (sys.modules[name] for name in sys.modules.keys() - self._modules)
        files = (getattr(module, "__file__", None) for module in imported)
        return all(file is None or file.startswith(_INSTALLED) for file in files)

    def _reseed(self) -> None:
        """Other numbers for the next execution, if the last one took any: asking for chance is slow."""
        if random.getstate() != self._unused:
            random.seed()
            self._unused = random.getstate()
        if "numpy.random" in sys.modules:
            sys.modules["numpy.random"].seed(None)

    def _of_process(self) -> list[Any]:
        """What must be the same again."""
        shell = self._shell
        return [
            {thread.name for thread in threading.enumerate()} - {"flows-outputs"},
            len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0,
            [signal.getsignal(number) for number in _SIGNALS],
            # IPython puts `display` and `get_ipython` there.
            {name: id(value) for name, value in vars(builtins).items() if name != "_"},
            (sys.gettrace(), sys.getprofile(), sys.excepthook, sys.getrecursionlimit(), gc.isenabled()),
            [id(finder) for finder in (*sys.meta_path, *sys.path_hooks)],
            {event: len(callbacks) for event, callbacks in shell.events.callbacks.items()},
            (len(shell.input_transformers_post), len(shell.input_transformers_cleanup)),
            len(shell.ast_transformers),
            {kind: len(magics) for kind, magics in shell.magics_manager.magics.items()},
            atexit._ncallbacks(),
        ]


def _most_memory() -> int:
    """The most memory that this process ever had, in bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _installed() -> tuple[str, ...]:
    """Where modules lie that do not change while a kernel lives."""
    known = {*sysconfig.get_paths().values(), *site.getsitepackages(), site.getusersitepackages()}
    own = Path(__file__).resolve().parent.parent
    return (*(f"{path}{os.sep}" for path in known if path), f"{own}{os.sep}")


_INSTALLED = _installed()
