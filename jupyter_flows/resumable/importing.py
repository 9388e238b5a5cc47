"""Modules of the flow's own: plain Python files in its folder, compiled as units when they are imported.

An import hook that only looks where it is told. Nothing is cached as bytecode: a `.pyc` of ordinary Python
would not do, and ours would not do for ordinary Python. Source is read anew for each process.

A savepoint keeps such a module as state: its variables, and its source as it was. In another process the
module is made without running it (`revive`), and the savepoint's values are put into it.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import types
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from . import units


@dataclass(frozen=True)
class OwnModule:
    """A module that was imported: its `name`, the `digest` of its unit, its `path` below the folder."""

    name: str
    digest: str
    source: str
    path: str
    is_package: bool


class _Loader(importlib.machinery.SourceFileLoader):
    """Runs a module's file as a unit; the digest of that unit is the `loader_state` of its spec."""

    def unit(self, fullname: str) -> units.Unit:
        path = self.get_filename(fullname)
        return units.compile_unit(importlib.util.decode_source(self.get_data(path)), path)

    def get_code(self, fullname: str) -> types.CodeType:
        return self.unit(fullname).code

    def exec_module(self, module: types.ModuleType) -> None:
        unit = self.unit(module.__name__)
        assert module.__spec__ is not None
        module.__spec__.loader_state = unit.digest
        exec(unit.code, module.__dict__)


class OwnModules(importlib.abc.MetaPathFinder):
    """Finds them. `folder` is the flow's; `packages` names installed packages that count as its own."""

    def __init__(self, folder: str, packages: Iterable[str] = ()) -> None:
        self._folder = os.path.abspath(folder)
        self._packages = frozenset(packages)
        #: Names of all modules that can be its.
        self._found: set[str] = set()

    def install(self) -> None:
        """Ask this finder first from now on; in the place of an earlier one, whose modules are forgotten."""
        self.remove()
        importlib.invalidate_caches()
        sys.meta_path.insert(0, self)

    @staticmethod
    def remove() -> None:
        for finder in [one for one in sys.meta_path if isinstance(one, OwnModules)]:
            if finder._found:
                for name in [name for name, module in sys.modules.items() if is_own(module)]:
                    del sys.modules[name]
                importlib.invalidate_caches()
            sys.meta_path.remove(finder)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        del target
        top = fullname.partition(".")[0]
        if top in self._packages:
            found = _installed(fullname, path)
            if found is None and fullname == top:
                raise ModuleNotFoundError(
                    f"no package {top!r} can be found, which is named as one of the flow's own: "
                    "install it for this Python, or correct JUPYTER_FLOWS_PACKAGES",
                    name=top,
                )
        elif path is None or is_own(sys.modules.get(fullname.rpartition(".")[0])):
            found = importlib.machinery.PathFinder.find_spec(fullname, path or [self._folder])
        else:
            return None
        if found is None or not isinstance(found.loader, importlib.machinery.SourceFileLoader):
            return None
        self._found.add(fullname)
        return self._spec(fullname, found.loader.path, found.submodule_search_locations)

    @staticmethod
    def _spec(name: str, path: str, locations: list[str] | None) -> importlib.machinery.ModuleSpec | None:
        return importlib.util.spec_from_file_location(
            name, path, loader=_Loader(name, path), submodule_search_locations=locations
        )

    def loaded(self) -> list[OwnModule]:
        """Those that are imported now, in order."""
        if not self._found:  # every savepoint asks
            return []
        found = []
        for name, module in [(name, one) for name, one in sys.modules.items() if name in self._found]:
            spec = getattr(module, "__spec__", None)
            if spec is None or not is_own(module) or spec.loader_state is None:  # being imported
                continue
            path = os.path.relpath(spec.origin or name, self._folder)
            source = units.unit_source(spec.loader_state).source
            found.append(OwnModule(name, spec.loader_state, source, path, hasattr(module, "__path__")))
        return found

    def current(self, module: OwnModule) -> str:
        """The digest of the unit that the module's file makes now; its own if the file is gone."""
        path = os.path.join(self._folder, module.path)
        try:
            with open(path, "rb") as file:
                source = importlib.util.decode_source(file.read())
        except OSError:
            return module.digest
        return units.compile_unit(source, path).digest

    def revive(self, modules: Sequence[OwnModule], digests: Sequence[str]) -> None:
        """Put the modules of a savepoint into this process, without running them; empty as yet.

        Arguments: `digests`, for each the unit that its code is from now on.
        """
        for module, digest in zip(modules, digests, strict=True):
            path = os.path.join(self._folder, module.path)
            # An edited file must not stand for the saved source in tracebacks.
            now, saved = (units.source_digest(one) for one in (self.current(module), module.digest))
            path_shown = path if now == saved else f"<{module.path}, as saved>"
            units.compile_unit(module.source, path_shown)
            units.register_source(module.digest, module.source, path_shown)
            locations = [os.path.dirname(path)] if module.is_package else None
            spec = self._spec(module.name, path, locations)
            assert spec is not None
            made = importlib.util.module_from_spec(spec)
            spec.loader_state = digest
            self._found.add(module.name)
            sys.modules[module.name] = made
            parent, _, child = module.name.rpartition(".")
            if parent in sys.modules:
                setattr(sys.modules[parent], child, made)


def _installed(name: str, path: Sequence[str] | None) -> importlib.machinery.ModuleSpec | None:
    """Where a module is installed: on the path, or where another finder has it (an editable install)."""
    for finder in [one for one in sys.meta_path if not isinstance(one, OwnModules)]:
        found = finder.find_spec(name, path, None)
        if found is not None:
            return found
    return None


def is_own(module: object) -> bool:
    """Whether it is a module of the flow's own."""
    spec = getattr(module, "__spec__", None)
    return isinstance(spec, importlib.machinery.ModuleSpec) and isinstance(spec.loader, _Loader)
