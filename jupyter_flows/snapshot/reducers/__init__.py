"""The reducers that come with jupyter_flows; importing this package registers them."""

from .. import dill_reducers
from . import (
    arrays,
    classes,
    files,
    functions,
    iterators,
    memory,
    services,
    standard,
    streams,
    tensors,
    threads,
    values,
)

__all__ = [
    "arrays",
    "classes",
    "dill_reducers",
    "files",
    "functions",
    "iterators",
    "memory",
    "services",
    "standard",
    "streams",
    "tensors",
    "threads",
    "values",
]
