"""Options of a flow as its author writes them: checked, with one clear error.

A notebook has them in its metadata under `jupyter_flows`, a script in a top-level assignment of a literal,
``jupyter_flows = {"retries": 3}``. They are read without running anything. Whoever starts the flow may
replace some of them for that execution.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from ..errors import InvalidFlowError, InvalidInputError
from ..model import NO_OPTIONS, FlowOptions

#: The key in a notebook's metadata, and the name in a script.
PLACE = "jupyter_flows"

_KNOWN = tuple(field for field in FlowOptions.__struct_fields__ if field != "owner_concurrent")
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", re.IGNORECASE)
_LEAST = {
    "retries": 0,
    "retry_delay": 0,
    "max_runtime": 0.001,
    "memory_limit": 1,
    "max_concurrent": 1,
    "sleep_max_seconds": 0,
    "savepoint_retention": 0,
}


def flow_options(plain: Any, flow: str) -> FlowOptions:
    """The options that a flow declares. Raises InvalidFlowError."""
    if plain is None:
        return NO_OPTIONS
    if not isinstance(plain, Mapping):
        raise InvalidFlowError(f"The options of {flow} are not a mapping: {PLACE} is {plain!r}.", flow=flow)
    try:
        return with_options(NO_OPTIONS, plain)
    except InvalidInputError as error:
        raise InvalidFlowError(f"The options of {flow} cannot be used: {error.message}", flow=flow) from None


def with_options(options: FlowOptions, plain: Mapping[str, Any]) -> FlowOptions:
    """`options` with some replaced; None gives the default back. Raises InvalidInputError."""
    if not plain:
        return options
    unknown = [repr(name) for name in plain if name not in _KNOWN]
    if unknown:
        raise InvalidInputError(f"there is no option {', '.join(unknown)}; known are {', '.join(_KNOWN)}.")
    given = {
        name: getattr(NO_OPTIONS, name) if value is None else _value(name, value)
        for name, value in plain.items()
    }
    try:
        merged = msgspec.convert({**msgspec.structs.asdict(options), **given}, FlowOptions)
    except msgspec.ValidationError as error:
        raise InvalidInputError(f"{error}.") from None
    for name, least in _LEAST.items():
        value = getattr(merged, name)
        # Said so that a number that is none (nan) does not pass.
        if value is not None and not value >= least:
            raise InvalidInputError(f"{name} is {value}, but must be at least {least}.")
    return merged


def _value(name: str, value: Any) -> Any:
    if name != "memory_limit" or not isinstance(value, str):
        return value
    found = _SIZE.fullmatch(value)
    if found is None:
        raise InvalidInputError(f"memory_limit is {value!r}; write bytes, or a size such as '2 GB'.")
    number, unit, is_binary = found.groups()
    return int(float(number) * (1024 if is_binary else 1000) ** ["", "k", "m", "g", "t"].index(unit.lower()))
