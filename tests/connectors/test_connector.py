"""Connectors are found by their type, and check what they are given."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from jupyter_flows.connectors import connector, decode_inputs, find, known_types
from jupyter_flows.connectors.rest import RESTConnector
from jupyter_flows.connectors.sql import SQLConnector
from jupyter_flows.errors import (
    ExtraInputError,
    InternalError,
    InvalidInputError,
    MissingInputError,
    ResourceNotFoundError,
)


def test_the_types_that_come_with_the_package():
    assert {"SQL", "REST"} <= set(known_types())
    assert isinstance(find("SQL"), SQLConnector)
    assert isinstance(find("REST"), RESTConnector)
    assert find("SQL") is find("SQL")


def test_an_unknown_type_names_the_known_ones():
    with pytest.raises(ResourceNotFoundError, match=r"type LDAP\. Known are .*REST.*SQL") as caught:
        find("LDAP")
    assert caught.value.connector_type == "LDAP"


def test_a_connector_that_cannot_be_loaded_says_which(monkeypatch):
    from importlib.metadata import EntryPoint

    broken = EntryPoint(name="BROKEN", value="no_such_package:Connector", group=connector.GROUP)
    monkeypatch.setattr(connector, "_entries", lambda: {"BROKEN": broken})
    with pytest.raises(InternalError, match=r"BROKEN \(no_such_package:Connector\) cannot be loaded"):
        find("BROKEN")


def test_finding_loads_no_other_connector():
    code = (
        "import sys; from jupyter_flows import connectors; connectors.known_types(); connectors.find('REST');"
        "print('sqlalchemy' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


class Inputs(msgspec.Struct):
    host: str
    port: int = 80


def test_inputs_are_checked_and_the_known_ones_named():
    assert decode_inputs({"host": "a", "port": 1}, Inputs, "X") == Inputs("a", 1)
    with pytest.raises(ExtraInputError, match=r"does not know the input prot.*host \(required\), port"):
        decode_inputs({"host": "a", "prot": 1}, Inputs, "X")
    with pytest.raises(MissingInputError, match=r"needs the input host.*port"):
        decode_inputs({"port": 1}, Inputs, "X")
    with pytest.raises(MissingInputError, match="host"):
        decode_inputs({"host": None}, Inputs, "X")
    with pytest.raises(InvalidInputError, match=r"Expected `int`, got `str` - at `\$\.port`"):
        decode_inputs({"host": "a", "port": "b"}, Inputs, "X")
