"""The engine: rules (`machine`), the door to them (`Engine`), and what carries them out (`Worker`)."""

from .flows import FlowLibrary
from .service import Engine
from .worker import Worker

__all__ = ["Engine", "FlowLibrary", "Worker"]
