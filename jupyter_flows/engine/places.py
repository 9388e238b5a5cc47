"""Where the store lies when nobody says so."""

from __future__ import annotations

import os
from pathlib import Path

STORE_VARIABLE = "JUPYTER_FLOWS_STORE"


def store_url(given: str | None = None) -> str:
    """`given`, else what the environment variable JUPYTER_FLOWS_STORE says, else an SQLite file in
    Jupyter's data directory: the same for the server and for the command line."""
    if url := given or os.environ.get(STORE_VARIABLE):
        return url
    from jupyter_core.paths import jupyter_data_dir

    return f"sqlite:///{Path(jupyter_data_dir()).absolute() / 'jupyter_flows' / 'flows.sqlite'}"
