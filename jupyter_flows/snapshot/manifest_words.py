"""What the manifests of small savepoints have in common: the dictionary that zstd compresses them with.

Most of a small manifest says the same in every execution: names of scopes, types, the fields of a view. With
a dictionary of that, the manifest of a flow that sleeps takes half of the room; nearly all that is left are
hashes. The dictionary is part of format 2: its bytes never change. A better one is a format of its own.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import zstandard

_SEAL, _DIGEST = b"\0" * 16, "0" * 32
_SHA256 = "6a3ba2e039ae5623b702f0a009f76063bf9a099b02731d9f39d65caa15302e6b"

_SHOWN = (
    ("numpy.ndarray", "[0. 0. 0.]"),
    ("pandas.DataFrame", "DataFrame"),
    ("datetime.datetime", "datetime.datetime(2026, 1, 1, 0, 0)"),
    ("jupyter_flows.flow_api.Setting", "<jupyter_flows.flow_api.Setting>"),
    ("bytes", "b''"),
    ("set", "{}"),
    ("tuple", "()"),
    ("type", "<class "),
    ("NoneType", "None"),
    ("bool", "True"),
    ("bool", "False"),
    ("float", "0.0"),
    ("str", "''"),
    ("list", "[]"),
    ("int", "0"),
)
_OF_EVERY_FLOW = (
    ("globals", "this", "jupyter_flows.flow_api.Execution", "<jupyter_flows.flow_api.Execution>", None, 88),
    ("globals", "system", "jupyter_flows.flow_api.System", "<jupyter_flows.flow_api.System>", None, 54),
    ("globals", "inputs", "dict", "{}", (0,), 17),
    ("globals", "flow_api", "module", "<module jupyter_flows.flow_api>", None, 74),
    ("globals", "handler", "function", "<function handler>", None, 242),
    ("handler", "system", "jupyter_flows.flow_api.System", "<jupyter_flows.flow_api.System>", None, 54),
    ("handler", "this", "jupyter_flows.flow_api.Execution", "<jupyter_flows.flow_api.Execution>", None, 88),
    ("handler", "inputs", "dict", "{}", (0,), 17),
)
_GROUPS = (
    ("globals/this", "0 handler/this"),
    ("globals/inputs", "0 handler/inputs"),
    ("globals/system",),
    ("globals/inputs",),
    ("globals/flow_api",),
    ("globals/json",),
    ("globals/os",),
    ("globals/time",),
    ("globals/datetime",),
    ("globals/pd",),
    ("globals/np",),
    ("globals/handler",),
    ("state/pending",),
    ("state/progress",),
    ("state/process",),
    ("state/recorder",),
    ("0 handler/system",),
    ("state/continuation",),
)


def _view(scope: str, name: str, kind: str, shown: str, shape: Any, size: int) -> dict[str, Any]:
    return {
        "scope": scope,
        "name": name,
        "type": kind,
        "text": shown,
        "shape": shape,
        "bytes": size,
        "digest": _DIGEST,
        "missing": None,
        "extra": {},
    }


def _group(names: tuple[str, ...], at: int) -> list[Any]:
    has_unit = names == ("globals/handler",)
    reference = [_DIGEST, at, 58]
    return [names, [reference], [], _SEAL, _DIGEST, [2 * _DIGEST] if has_unit else [], [], []]


def _words() -> bytes:
    order = [name for names in _GROUPS for name in names]
    views = [_view("handler", "x", kind, shown, None, 16) for kind, shown in _SHOWN]
    views += [_view(*one) for one in _OF_EVERY_FLOW]
    groups = [_group(names, 70 * number) for number, names in enumerate(_GROUPS)]
    units = [[2 * _DIGEST, "<flow.py>", [[_DIGEST, 0, 48]], True]]
    body = ["3.11.7", groups, {_DIGEST: 5476}, views, order, units, 5524]
    packed = msgspec.msgpack.encode(body)
    return packed.replace(_SEAL, b"").replace(_DIGEST.encode(), b"")


WORDS = zstandard.ZstdCompressionDict(_words(), dict_type=zstandard.DICT_TYPE_RAWCONTENT)
assert hashlib.sha256(WORDS.as_bytes()).hexdigest() == _SHA256
