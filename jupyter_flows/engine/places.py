"""Where the store lies when nobody says so."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import InvalidInputError

STORE_VARIABLE = "JUPYTER_FLOWS_STORE"
OWNER_VARIABLE = "JUPYTER_FLOWS_OWNER_CONCURRENT"


def store_url(given: str | None = None) -> str:
    """`given`, else what the environment variable JUPYTER_FLOWS_STORE says, else an SQLite file in
    Jupyter's data directory: the same for the server and for the command line."""
    if url := given or os.environ.get(STORE_VARIABLE):
        return url
    from jupyter_core.paths import jupyter_data_dir

    return f"sqlite:///{Path(jupyter_data_dir()).absolute() / 'jupyter_flows' / 'flows.sqlite'}"


def owner_concurrent(given: int | None = None) -> int | None:
    """`given`, else what JUPYTER_FLOWS_OWNER_CONCURRENT says: how many executions that one owner started may
    have begun and not ended. None: no limit. Raises InvalidInputError."""
    text = os.environ.get(OWNER_VARIABLE, "") if given is None else str(given)
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise InvalidInputError(f"{OWNER_VARIABLE} is {text!r}, not a number of executions")
    return int(text)
