"""The lowering of statements, a file for each thing that a frame has to remember.

`frames`, then `expressions`, `assignments`, `blocks`, `handlers`, `definitions`: each goes on where the one
before ends. A method ``_For`` gives the statements that a `for` becomes.
"""

from .definitions import Lowering
from .frames import BREAK, CELLS, CONTINUE, RAISED, RETURN, THROUGH, Birth, is_held

__all__ = ["BREAK", "CELLS", "CONTINUE", "RAISED", "RETURN", "THROUGH", "Birth", "Lowering", "is_held"]
