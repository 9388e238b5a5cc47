"""A flow's source at one moment."""

from __future__ import annotations

from typing import Any

import msgspec

from .options import NO_OPTIONS, FlowOptions
from .words import CellKind, FlowKind


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One cell of a notebook; a script is a single code cell."""

    id: str
    kind: CellKind
    source: str
    tags: tuple[str, ...] = ()


class FlowSource(msgspec.Struct, frozen=True, kw_only=True):
    """A flow version.

    `name` is the path below the root without its suffix ("etl/score"), `path` the path below the root
    with it, `directory` the absolute directory the execution runs in, `digest` the hash of the code
    cells (what names the version: prose and outputs do not count). `options` may change without a new
    version: executions keep those that they were created with.
    """

    name: str
    path: str
    directory: str
    kind: FlowKind
    cells: tuple[Cell, ...]
    digest: str
    options: FlowOptions = NO_OPTIONS


class FlowView(msgspec.Struct, frozen=True, kw_only=True):
    """A flow as lists show it. `error` says why it cannot be run, if so."""

    name: str
    path: str
    kind: FlowKind
    title: str = ""
    parameters: dict[str, Any] = {}
    options: FlowOptions = NO_OPTIONS
    error: str | None = None
