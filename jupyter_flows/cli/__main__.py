"""``python -m jupyter_flows.cli``: the same without the script."""

import sys

from . import main

sys.exit(main())
