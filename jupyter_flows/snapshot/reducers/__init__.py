"""The reducers that come with jupyter_flows; importing this package registers them."""

from .. import dill_reducers
from . import (
    arrays,
    classes,
    code,
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
    "code",
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
