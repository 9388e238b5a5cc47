"""The reducers that come with jupyter_flows; importing this package registers them."""

from . import arrays, classes, files, functions, services, values

__all__ = ["arrays", "classes", "files", "functions", "services", "values"]
