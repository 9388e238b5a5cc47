"""What a connector is, and how one is found by its type.

A connector is a class that a package names in the entry point group ``jupyter_flows.connectors``; the
name of the entry point is the `connector_type` that authors write. It is loaded when it is first asked
for, so that a worker without SQL connections never imports SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, TypeVar

import msgspec

from ..errors import (
    ExtraInputError,
    InternalError,
    InvalidInputError,
    MissingInputError,
    ResourceNotFoundError,
)

GROUP = "jupyter_flows.connectors"

Inputs = TypeVar("Inputs", bound=msgspec.Struct)


class ConnectorContext(msgspec.Struct, frozen=True, kw_only=True):
    """For whom a connector works.

    `execution_id` is the connection's own; `idempotency_key` stays the same however often the call
    has to be made, so that a service can tell a repetition from a second request; `directory` is
    the absolute directory of the flow, which relative paths start from.
    """

    execution_id: str
    idempotency_key: str
    directory: str


class Connector(Protocol):
    """Talks to one kind of service. Made without arguments and kept, so it must hold no state of a call."""

    def run(self, inputs: Mapping[str, Any], context: ConnectorContext) -> dict[str, Any]:
        """Make the call and return the outputs of the connection.

        It may block: the worker calls it in a thread of its own. Inputs are what the author gave to
        `connect`; outputs are made of what JSON knows, and of bytes, dates, Decimal and UUID. After a
        crash it can be called again for the same connection. Raises errors of `jupyter_flows.errors`:
        ConnectorError for what the service did, the input errors for what the author gave.
        """


@cache
def find(connector_type: str) -> Connector:
    """The connector of that type.

    Raises ResourceNotFoundError for an unknown one, and InternalError for one that cannot be loaded.
    """
    entries = _entries()
    if connector_type not in entries:
        raise ResourceNotFoundError(
            f"There is no connector of the type {connector_type}. Known are {', '.join(sorted(entries))}; "
            "install the package that brings it where the worker runs.",
            connector_type=connector_type,
        )
    try:
        connector: Connector = entries[connector_type].load()()
    except Exception as error:
        raise InternalError(
            f"The connector {connector_type} ({entries[connector_type].value}) cannot be loaded: "
            f"{type(error).__name__}: {error}",
            connector_type=connector_type,
        ) from error
    return connector


def known_types() -> list[str]:
    """The connector types that are installed, in order."""
    return sorted(_entries())


def decode_inputs(inputs: Mapping[str, Any], into: type[Inputs], connector_type: str) -> Inputs:
    """The inputs as a struct whose fields are all that the connector knows.

    Raises ExtraInputError, MissingInputError or InvalidInputError, each of which says what it knows.
    """
    fields = msgspec.structs.fields(into)
    names = ", ".join(f"{field.name} (required)" if field.required else field.name for field in fields)
    if extra := sorted(set(inputs) - {field.name for field in fields}):
        raise ExtraInputError(
            f"The connector {connector_type} does not know the input {', '.join(extra)}. It knows {names}."
        )
    if missing := [field.name for field in fields if field.required and inputs.get(field.name) is None]:
        raise MissingInputError(
            f"The connector {connector_type} needs the input {', '.join(missing)}. It knows {names}."
        )
    try:
        return msgspec.convert(dict(inputs), into)
    except msgspec.ValidationError as error:
        raise InvalidInputError(
            f"An input of the connector {connector_type} cannot be used: {error}. It knows {names}."
        ) from None


def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}
