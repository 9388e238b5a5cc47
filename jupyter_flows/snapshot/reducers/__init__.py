"""The reducers that come with jupyter_flows; importing this package registers them."""

from . import classes, functions, values

__all__ = ["classes", "functions", "values"]
