"""The executed notebook of an execution, as an nbformat 4 dict.

Written by hand: importing nbformat, which validates by a JSON schema, can cost seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..model import Cell, CellKind, CellOutput, ExecutionView, FlowSource


def executed_notebook(
    view: ExecutionView, source: FlowSource | None, outputs: Iterable[CellOutput]
) -> dict[str, Any]:
    """`source` is None for a notebook that a person drives: then only its outputs are known."""
    by_cell = {output.cell: output for output in outputs}
    cells = source.cells if source else ()
    about = {
        "execution_id": view.id,
        "flow": view.flow,
        "flow_version": view.flow_version,
        "status": view.status.value,
    }
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": "flows", "display_name": "Flows", "language": "python"},
            "language_info": {"name": "python"},
            "jupyter_flows": about,
        },
        "cells": [_cell(cell, by_cell.get(number)) for number, cell in enumerate(cells)],
    }


def _cell(cell: Cell, output: CellOutput | None) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": cell.id,
        "cell_type": cell.kind.value,
        "metadata": {"tags": list(cell.tags)} if cell.tags else {},
        "source": cell.source,
    }
    if cell.kind is CellKind.CODE:
        shown["execution_count"] = output.execution_count if output else None
        shown["outputs"] = list(output.outputs) if output else []
    return shown
