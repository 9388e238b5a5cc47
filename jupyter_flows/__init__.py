"""Durable automations in Jupyter notebooks. See README.md; `flow_api` is the author's door."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Importing the package must stay cheap for the kernel and the command line.
    if name == "flow_api":
        from importlib import import_module

        return import_module("jupyter_flows.flow_api")
    raise AttributeError(name)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "jupyter-flows"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from .server_ext.app import FlowsApp

    return [{"module": "jupyter_flows", "app": FlowsApp}]
