"""What authors give to calls, checked and as the engine takes it; and its values as authors get them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

from .. import model
from ..errors import InvalidInputError
from ..model import ExecutionType, ReturnWhen, Status
from .runtime import current


def encoded(values: Mapping[str, Any]) -> dict[str, model.Value]:
    runtime = current()
    for name in values:
        if not isinstance(name, str):
            raise InvalidInputError(f"inputs and outputs are named by strings, not by {name!r}")
    return {name: runtime.encode(value, name) for name, value in values.items()}


def decoded(values: Mapping[str, model.Value]) -> dict[str, Any]:
    runtime = current()
    return {name: runtime.decode(value) for name, value in values.items()}


def typed(field: str, value: Any) -> Any:
    if value is None:
        return None
    if field.endswith("_at") and isinstance(value, str):
        return datetime.fromisoformat(value)
    if field == "status":
        return Status(value)
    if field == "type":
        return ExecutionType(value)
    return value


Word = TypeVar("Word", bound=StrEnum)


class Like(str):
    """A pattern whose ``%`` stands for any text."""


def conditions(filter: Mapping[str, Any] | None, known: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """The conditions of a filter by field; by field and operator where a field takes only comparisons."""
    if filter is None:
        return {}
    if not isinstance(filter, Mapping):
        raise InvalidInputError("a filter is a mapping of fields to values")
    if set(filter) == {"and"}:
        found: dict[str, Any] = {}
        for part in filter["and"]:
            found |= conditions(part, known)
        return found
    if "field" in filter:
        comparisons = [(filter["field"], filter.get("op", "eq"), filter.get("value"))]
    else:
        comparisons = [(field, "eq", value) for field, value in filter.items()]
    found = {}
    for field, operator, value in comparisons:
        if field not in known:
            raise InvalidInputError(f"a filter knows no field {field!r}; known are {', '.join(known)}")
        if operator not in known[field]:
            raise InvalidInputError(
                f"a filter cannot compare {field} by {operator!r}; it can by {', '.join(known[field])}"
            )
        key = field if "eq" in known[field] else f"{field} {operator}"
        found[key] = Like(value) if operator == "like" else value
    if isinstance(found.get("text"), Like):
        found["text"] = found["text"].strip("%")
    return found


def as_word(words: type[Word], value: Any) -> Word | None:
    if value is None:
        return None
    try:
        return words(value)
    except ValueError:
        raise InvalidInputError(f"{value!r} is none of {', '.join(words)}") from None


def as_instant(value: Any) -> datetime | None:
    """An aware datetime (a naive one is UTC), its text in ISO 8601, or a Unix timestamp in seconds."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise InvalidInputError(f"{value!r} is not an instant in ISO 8601") from None
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    return datetime.fromtimestamp(as_number(value, "an instant"), UTC)


def plain_options(options: Mapping[str, Any] | None) -> dict[str, Any]:
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(options or {}), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"options are plain values by name: {error}") from None
    return plain


def return_when(wait: bool | ReturnWhen) -> ReturnWhen:
    return ReturnWhen.ALL_SUCCEEDED if isinstance(wait, bool) else ReturnWhen(wait)


def as_number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise InvalidInputError(f"{name} is a number, not {value!r}")
    return value


def as_seconds(value: float | None, name: str) -> float | None:
    if value is None:
        return None
    if as_number(value, name) < 0:
        raise InvalidInputError(f"{name} is a number of seconds from now, not {value!r}")
    return float(value)


def as_text(value: Any) -> str | None:
    return None if value is None else str(value)


def check_fields(fields: Mapping[str, Any]) -> None:
    known = ("name", "message", "output_value")
    for field in fields:
        if field not in known:
            raise InvalidInputError(f"{field!r} cannot be set; known are {', '.join(known)}")


def loggable(value: Any) -> Any:
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return repr(value)
