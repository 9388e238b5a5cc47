"""Modules beside the flow, as part of an execution's state: see `resumable.OwnModules`.

What is kept: for each that is imported its source and its variables, named ``module NAME/variable`` in the
snapshot. Going on, the modules are there as they were, without being run again; with the current code their
functions and classes are those of the files as they are now.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from .. import resumable
from .new_code import NewCode

#: Names of installed packages, with commas between, whose code can be gone on from too.
PACKAGES_VARIABLE = "JUPYTER_FLOWS_PACKAGES"
_SCOPE = "module "
_OF_THE_IMPORT = frozenset(
    ["__builtins__", "__spec__", "__loader__", "__file__", "__path__", "__cached__", "__package__"]
) | {"__name__"}


class KernelModules:
    """The flow's own modules in this process; `folder` is where they lie."""

    def __init__(self, folder: str) -> None:
        named = os.environ.get(PACKAGES_VARIABLE, "").split(",")
        self._finder = resumable.OwnModules(folder, [name.strip() for name in named if name.strip()])
        self._finder.install()

    def state(self) -> tuple[resumable.OwnModule, ...]:
        """What a savepoint keeps of them beside their variables."""
        return tuple(self._finder.loaded())

    def variables(self) -> dict[str, Any]:
        """Their variables, by names for the snapshot."""
        return {
            f"{_SCOPE}{module.name}/{name}": value
            for module in self._finder.loaded()
            for name, value in vars(sys.modules[module.name]).items()
            if name not in _OF_THE_IMPORT and not resumable.is_temporary(name)
        }

    def leave(self) -> bool:
        """Take the finder away; returns whether nothing of the flow's own had been imported."""
        is_clean = not self._finder.loaded()
        self._finder.remove()
        return is_clean

    def revive(self, modules: tuple[resumable.OwnModule, ...], new_code: NewCode | None) -> None:
        """Make the modules of a savepoint, empty; with `new_code` they get the code of their files now."""
        self._finder.install()
        digests = [one.digest if new_code is None else self._finder.current(one) for one in modules]
        self._finder.revive(modules, digests)
        if new_code is not None:
            new_code.add_modules(
                {one.name: (one.digest, new) for one, new in zip(modules, digests, strict=True)}
            )

    @staticmethod
    def put_back(objects: dict[str, Any]) -> None:
        """Fill the modules with their variables."""
        for key, value in objects.items():
            if key.startswith(_SCOPE):
                module, _, name = key.removeprefix(_SCOPE).partition("/")
                setattr(sys.modules[module], name, value)
