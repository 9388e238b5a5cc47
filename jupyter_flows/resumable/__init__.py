"""Ordinary Python that stops at any Flow-API call and goes on, elsewhere, at exactly that instruction.

`compile_unit` normalises and compiles flow source, `capture` takes the call stack at a Flow-API call,
`Continuation.resume` goes on. docs/resumable.md tells how it works and what it refuses.
"""

from .capturing import capture
from .continuing import Continuation, Frame, NotResumable, Place
from .coroutines import finish_coroutine
from .debugging import hide_temporaries
from .depth import limit as recursion_limit
from .depth import room
from .functions import reduce_builtin_method, reduce_cell, reduce_function
from .generators import reduce_generator
from .importing import OwnModule, OwnModules, is_own
from .moving import CodeChanged, Move
from .redefining import redefine
from .temporaries import is_temporary, set_uncatchable
from .units import (
    Unit,
    UnitSource,
    UnknownUnit,
    compile_unit,
    digest_of,
    kept_unit,
    register_source,
    unit_of,
    unit_source,
)

__all__ = [
    "CodeChanged",
    "Continuation",
    "Frame",
    "Move",
    "NotResumable",
    "OwnModule",
    "OwnModules",
    "Place",
    "Unit",
    "UnitSource",
    "UnknownUnit",
    "capture",
    "compile_unit",
    "digest_of",
    "finish_coroutine",
    "hide_temporaries",
    "is_own",
    "is_temporary",
    "kept_unit",
    "recursion_limit",
    "redefine",
    "reduce_builtin_method",
    "reduce_cell",
    "reduce_function",
    "reduce_generator",
    "register_source",
    "room",
    "set_uncatchable",
    "unit_of",
    "unit_source",
]
