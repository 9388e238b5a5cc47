"""Connections: what talks to a service outside for a flow. See `connector.py` for how to add a type."""

from .connector import Connector, ConnectorContext, decode_inputs, find, known_types

__all__ = ["Connector", "ConnectorContext", "decode_inputs", "find", "known_types"]
