"""The one place that says which error is which HTTP answer."""

from __future__ import annotations

from typing import Any

from .. import errors

_CODES: dict[type[errors.EngineException], int] = {
    errors.ResourceNotFoundError: 404,
    errors.PermissionDenied: 403,
    errors.ConflictError: 409,
    errors.SavepointError: 409,
    errors.StaleLeaseError: 409,
    errors.InvalidFlowError: 400,
    errors.MissingInputError: 400,
    errors.InvalidInputError: 400,
    errors.ExtraInputError: 400,
    errors.SchemaValidationError: 400,
    errors.StoreError: 503,
    errors.EngineException: 500,
}

# What Jupyter and Tornado refuse themselves, in our words.
_TYPES = {401: "PermissionDenied", 403: "PermissionDenied", 404: "ResourceNotFoundError", 503: "StoreError"}


def code_of(error: errors.EngineException) -> int:
    """The HTTP status code: that of the nearest class in the table."""
    return next(_CODES[kind] for kind in type(error).__mro__ if kind in _CODES)


def body_of(error: errors.EngineException) -> dict[str, Any]:
    """The JSON body: message, type and ids."""
    type_name, message, ids = errors.parts(error)
    return {**ids, "message": message, "type": type_name}


def body_of_code(code: int, message: str) -> dict[str, Any]:
    """The JSON body for an answer that did not come from an error of ours."""
    return {
        "message": message,
        "type": _TYPES.get(code, "InvalidInputError" if code < 500 else "InternalError"),
    }
