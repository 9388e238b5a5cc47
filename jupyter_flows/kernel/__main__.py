"""`python -m jupyter_flows.kernel`: headless with ``--socket``, else the Jupyter kernel (``-f FILE``)."""

from __future__ import annotations

import os
import sys

# `python -m` puts the present directory first: a file there must not stand in for a module of Python's.
if __name__ == "__main__" and sys.path[0] in ("", os.getcwd()):
    del sys.path[0]

import argparse


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m jupyter_flows.kernel", add_help=False)
    parser.add_argument("--socket")
    parser.add_argument("--kernel-id")
    options, _ = parser.parse_known_args()
    if options.socket:
        from .runner import main as run_headless

        run_headless(options.socket, options.kernel_id)
    else:
        from .notebook import launch

        launch()


if __name__ == "__main__":
    main()
