"""What of a process belongs to a flow's state though no variable holds it.

Random generators of `random`, NumPy and torch; changes of `os.environ` and the current directory; warning
filters; options of pandas and matplotlib that are not the defaults; the decimal context; reducers that the
flow registered. Keep a `ProcessState.now()` among the objects of a savepoint (`state/process`), and call
`put_back()` after loading.

Levels of loggers, the locale, the recursion limit and NumPy's options belong to it too. Not part of it:
sys.path and imported modules (a new process imports them anew), handlers of loggers, signals, threads.
"""

from __future__ import annotations

import decimal
import locale
import logging
import marshal
import os
import random
import re
import sys
import warnings
from collections.abc import Callable
from operator import is_
from typing import Any

from ..reducer import put_back, registered
from ..resumable import recursion_limit
from .references import is_importable

_ENVIRONMENT_AT_START: dict[str, str] = {}
# As the system keeps it: compared in a microsecond, where all the names and values need no decoding.
_RAW_AT_START: dict[Any, Any] = {}
_LOCALES = ("LC_CTYPE", "LC_COLLATE", "LC_TIME", "LC_MONETARY", "LC_NUMERIC", "LC_MESSAGES")
_LOCALE_AT_START = {name: locale.setlocale(getattr(locale, name)) for name in _LOCALES}
_RECURSION_AT_START = sys.getrecursionlimit()
_LEVELS_AT_START = {
    "" if isinstance(one, logging.RootLogger) else one.name: (one.level, one.propagate, one.disabled)
    for one in (logging.getLogger(), *logging.Logger.manager.loggerDict.values())
    if isinstance(one, logging.Logger)
}


def begin_here() -> None:
    """Take the environment as it is now for the one that this process was started with."""
    _ENVIRONMENT_AT_START.clear()
    _ENVIRONMENT_AT_START.update(os.environ)
    _RAW_AT_START.clear()
    _RAW_AT_START.update(getattr(os.environ, "_data", {}))


begin_here()


class ProcessState:
    """A process-wide state; libraries that are not imported are not part of it."""

    def __init__(self, parts: dict[str, Any]) -> None:
        self.parts = parts

    @classmethod
    def now(cls) -> ProcessState:
        """The state at this moment. Never raises: what cannot be asked is left out."""
        parts = {}
        for name, (take, _) in _PARTS.items():
            try:
                found = take()
            except Exception:
                continue
            if found is not None:
                parts[name] = found
        return cls(parts)

    def fingerprint(self) -> Any:
        """A value that is equal for equal states only; None where parts of it cannot be compared."""
        try:
            return {
                name: _fingerprint_of_filters(part) if name == "warnings" else _fingerprint(part)
                for name, part in self.parts.items()
            }
        except LookupError:
            return None

    def put_back(self) -> tuple[str, ...]:
        """Set the process as it was; returns what could not be set, each in a few words."""
        failed = []
        for name, value in self.parts.items():
            if name in _PARTS:
                try:
                    _PARTS[name][1](value)
                except Exception as error:
                    failed.append(f"{name}: {error}")
        return tuple(failed)


def _fingerprint(part: Any) -> Any:
    """Raises LookupError for an object of which it is not known what makes it what it is."""
    try:
        return marshal.dumps(part, 2)  # the version that does not look at who else refers to an object
    except ValueError:
        kind = type(part)
        if kind in (list, tuple):
            return kind, [_fingerprint(one) for one in part]
        if kind is dict:
            return [(_fingerprint(key), _fingerprint(value)) for key, value in part.items()]
        if kind is decimal.Context:
            return repr(part)
        if kind is re.Pattern:
            return part.pattern, part.flags
        if kind is type and is_importable(part):
            return part
        raise LookupError(kind) from None


class _LastFilters:
    """Filters of warnings refer to classes, whose names are looked up; they are the same ones each time."""

    filters: tuple[Any, ...] = ()
    fingerprint: Any = None


def _fingerprint_of_filters(filters: list[Any]) -> Any:
    """Raises LookupError as `_fingerprint` does."""
    before = _LastFilters.filters
    if len(filters) != len(before) or not all(map(is_, filters, before)):
        _LastFilters.fingerprint = _fingerprint(filters)
        _LastFilters.filters = tuple(filters)
    return _LastFilters.fingerprint


def _environment() -> dict[str, str | None]:
    """What the flow changed: None for a name it removed."""
    if _RAW_AT_START and getattr(os.environ, "_data", None) == _RAW_AT_START:
        return {}
    now = dict(os.environ)
    changed: dict[str, str | None] = {
        name: value for name, value in now.items() if _ENVIRONMENT_AT_START.get(name) != value
    }
    return changed | {name: None for name in _ENVIRONMENT_AT_START if name not in now}


def _set_environment(changed: dict[str, str | None]) -> None:
    if not changed and not _environment():
        return
    for name in list(os.environ):
        if name not in _ENVIRONMENT_AT_START and name not in changed:
            del os.environ[name]
    for name, value in (_ENVIRONMENT_AT_START | changed).items():
        if value is None:
            os.environ.pop(name, None)
        elif os.environ.get(name) != value:
            os.environ[name] = value


def _numpy_random() -> Any:
    loaded = sys.modules.get("numpy.random")
    return None if loaded is None else loaded.get_state()


def _set_numpy_random(state: Any) -> None:
    import numpy

    numpy.random.set_state(state)


def _torch_random() -> Any:
    loaded = sys.modules.get("torch")
    return None if loaded is None else loaded.get_rng_state().numpy().tobytes()


def _set_torch_random(state: bytes) -> None:
    import importlib

    torch = importlib.import_module("torch")
    torch.set_rng_state(torch.frombuffer(bytearray(state), dtype=torch.uint8))


def _filters() -> list[Any]:
    return list(warnings.filters)


def _set_filters(filters: list[Any]) -> None:
    warnings.filters[:] = filters  # type: ignore[index]
    warnings._filters_mutated()  # type: ignore[attr-defined]


def _pandas_options() -> Any:
    config = sys.modules.get("pandas._config.config")
    return None if config is None else _PandasOptions.changed(config)


class _PandasOptions:
    """To ask pandas for all of its options takes longer than the rest of a small savepoint."""

    _asked: tuple[Any, bytes, dict[str, Any]] | None = None

    @classmethod
    def changed(cls, config: Any) -> dict[str, Any]:
        """Those that are not the defaults."""
        try:  # exact to the types of the values, and only of plain ones
            now = marshal.dumps((config._global_config, len(config._registered_options)), 2)
        except (AttributeError, ValueError):
            now = b""
        if now and cls._asked is not None and cls._asked[:2] == (config, now):
            return dict(cls._asked[2])
        found = {
            key: value
            for key, option in config._registered_options.items()
            if key not in config._deprecated_options and (value := config.get_option(key)) != option.defval
        }
        cls._asked = (config, now, dict(found)) if now else None
        return found


def _set_pandas_options(options: dict[str, Any]) -> None:
    import importlib

    pandas = importlib.import_module("pandas")
    for key, value in options.items():
        pandas.set_option(key, value)


def _matplotlib_options() -> Any:
    matplotlib = sys.modules.get("matplotlib")
    if matplotlib is None:
        return None
    defaults = matplotlib.rcParamsDefault
    return {
        key: value
        for key, value in dict.items(matplotlib.rcParams)
        if key != "backend" and value != dict.get(defaults, key)
    }


def _set_matplotlib_options(options: dict[str, Any]) -> None:
    import importlib

    matplotlib = importlib.import_module("matplotlib")
    backend = dict.get(matplotlib.rcParams, "backend")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dict.update(matplotlib.rcParams, matplotlib.rcParamsDefault)
        dict.update(matplotlib.rcParams, options | {"backend": backend})


def _numpy_options() -> Any:
    """How NumPy prints, and what it does about errors, where that is not the default."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not hasattr(numpy, "get_printoptions"):
        return None
    return {"print": numpy.get_printoptions(), "errors": numpy.geterr()}


def _set_numpy_options(options: dict[str, Any]) -> None:
    import numpy

    known = {name: value for name, value in options["print"].items() if name != "override_repr"}
    numpy.set_printoptions(**known)
    numpy.seterr(**options["errors"])


def _levels() -> Any:
    """Levels and switches of all loggers that have any; handlers belong to the process."""
    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    changed = {
        "" if one is loggers[0] else one.name: (one.level, one.propagate, one.disabled)
        for one in loggers
        if isinstance(one, logging.Logger)
        and _level_at_start(one) != (one.level, one.propagate, one.disabled)
    }
    return (changed, logging.root.manager.disable) if changed or logging.root.manager.disable else None


def _level_at_start(logger: logging.Logger) -> tuple[int, bool, bool]:
    name = "" if isinstance(logger, logging.RootLogger) else logger.name
    return _LEVELS_AT_START.get(name, (logging.NOTSET, True, False))


def _set_levels(state: tuple[dict[str, tuple[int, bool, bool]], int]) -> None:
    levels, disabled_up_to = state
    for name, (level, propagates, is_disabled) in levels.items():
        logger = logging.getLogger(name or None)
        logger.setLevel(level)
        logger.propagate, logger.disabled = propagates, is_disabled
    logging.disable(disabled_up_to)


def _locale() -> Any:
    kept = {name: locale.setlocale(getattr(locale, name)) for name in _LOCALES}
    return kept if kept != _LOCALE_AT_START else None


def _set_locale(kept: dict[str, str]) -> None:
    for name, value in kept.items():
        locale.setlocale(getattr(locale, name), value)


def _recursion_limit() -> Any:
    limit = recursion_limit()
    return limit if limit != _RECURSION_AT_START else None


def _reducers() -> Any:
    return registered() or None


_PARTS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "reducers": (_reducers, put_back),
    "random": (random.getstate, random.setstate),
    "numpy.random": (_numpy_random, _set_numpy_random),
    "torch": (_torch_random, _set_torch_random),
    "environment": (_environment, _set_environment),
    "directory": (os.getcwd, os.chdir),
    "warnings": (_filters, _set_filters),
    "numpy": (_numpy_options, _set_numpy_options),
    "logging": (_levels, _set_levels),
    "locale": (_locale, _set_locale),
    "recursion": (_recursion_limit, sys.setrecursionlimit),
    "decimal": (decimal.getcontext, decimal.setcontext),
    "pandas": (_pandas_options, _set_pandas_options),
    "matplotlib": (_matplotlib_options, _set_matplotlib_options),
}
