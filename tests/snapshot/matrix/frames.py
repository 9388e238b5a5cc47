"""Data frames: pandas, Polars, PyArrow."""

from __future__ import annotations

from . import Kind, Library

PANDAS = Library(
    "pandas",
    ("pandas", "numpy"),
    """
import pandas as pd, numpy as np, datetime

frame = pd.DataFrame({'a': [1, 2, 3], 'b': [0.5, np.nan, 2], 'c': ['x', None, 'y']})
days = pd.date_range('2026-01-01', periods=3, freq='D')

class Tagged(pd.DataFrame):
    _metadata = ['tag']
    @property
    def _constructor(self): return Tagged

@pd.api.extensions.register_dataframe_accessor('flow_shop')
class Shop:
    def __init__(self, frame): self.frame = frame
    def rows(self): return len(self.frame)

def tagged():
    made = Tagged({'a': [1]})
    made.tag = 'kept'
    return made

def with_attributes():
    made = frame.copy()
    made.attrs['source'] = {'file': 'a.csv'}
    made.flags.allows_duplicate_labels = False
    return made
""",
    [
        Kind("DataFrame", "frame.copy()"),
        Kind("large DataFrame", "pd.DataFrame(np.arange(200_000.0).reshape(-1, 4), columns=list('abcd'))"),
        Kind(
            "DataFrame with attrs and flags",
            "with_attributes()",
            "not same(a, b) and not b.flags.allows_duplicate_labels",
        ),
        Kind("empty frames", "[pd.DataFrame(), pd.DataFrame(columns=['a']), pd.DataFrame(index=[1, 2])]"),
        Kind(
            "duplicate column names",
            "pd.DataFrame([[1, 2]], columns=['a', 'a'])",
            "(a.values == b.values).all() and list(a.columns) == list(b.columns)",
        ),
        Kind(
            "MultiIndex on both axes",
            "pd.DataFrame(np.eye(4), pd.MultiIndex.from_product([[1, 2], ['a', 'b']], names=['n', 'l']), pd.MultiIndex.from_product([['x', 'y'], [0, 1]]))",
        ),
        Kind("frame of objects", "pd.DataFrame({'o': [[1], {'a': 2}, None]})"),
        Kind(
            "a list in a cell that is elsewhere too",
            "(lambda rows: [rows, pd.DataFrame({'o': [rows, 1]})])([1])",
            "b[1]['o'][0] is b[0]",
        ),
        Kind("Series with a name and freq", "pd.Series([1, 2, 3], index=days, name='n')"),
        Kind(
            "Series of one frame (copy on write)",
            "(lambda f: [f, f['a']])(frame.copy())",
            "not same(a, b) and (b[0].__setitem__('a', 0) or b[1].tolist() == [1, 2, 3])",
        ),
        Kind(
            "subclass with metadata",
            "tagged()",
            "b.tag == 'kept' and type(b).__name__ == 'Tagged' and type(b.iloc[:1]).__name__ == 'Tagged'",
        ),
        Kind("accessor of the flow", "[frame.flow_shop, frame]", "b[0].rows() == 3 and b[0].frame is b[1]"),
        Kind(
            "styled frame",
            "frame.style.highlight_max(subset=['a'])",
            "a.set_uuid('u').to_html() == b.set_uuid('u').to_html()",
        ),
        *(
            Kind(f"Series of {name}", f"pd.Series({source})")
            for name, source in (
                ("Int64 with NA", "[1, None, 3], dtype='Int64'"),
                ("Float32 with NA", "[1.5, None], dtype='Float32'"),
                ("boolean with NA", "[True, None], dtype='boolean'"),
                ("string", "['a', None], dtype='string'"),
                ("str", "['a', 'b']"),
                ("string[pyarrow]", "['a', None], dtype='string[pyarrow]'"),
                ("ArrowDtype", "[1, None], dtype='int64[pyarrow]'"),
                (
                    "ordered categories",
                    "pd.Categorical(['a', 'b', None], categories=['b', 'a', 'unused'], ordered=True)",
                ),
                ("periods", "pd.period_range('2026-01', periods=3, freq='M')"),
                ("intervals", "pd.interval_range(0, 3, closed='left')"),
                ("sparse", "pd.arrays.SparseArray([0, 0, 1], fill_value=0)"),
                ("datetimes with a zone", "pd.date_range('2026', periods=2, tz='Europe/Berlin')"),
                ("datetimes in seconds", "np.array(['2026-01-01', 'NaT'], 'M8[s]')"),
                ("timedeltas", "pd.to_timedelta([1, None], unit='h')"),
                ("complex", "[1j, 2]"),
            )
        ),
        Kind(
            "Index",
            "[pd.Index([1, 2]), pd.Index(['a'], name='n'), pd.RangeIndex(1, 10, 3), pd.Index([], dtype='f8')]",
        ),
        Kind(
            "DatetimeIndex with freq and zone",
            "pd.date_range('2026-03-28', periods=3, freq='D', tz='Europe/Berlin')",
        ),
        Kind(
            "TimedeltaIndex, PeriodIndex, IntervalIndex",
            "[pd.timedelta_range('1h', periods=2), pd.period_range('2026', periods=2, freq='Q'), pd.interval_range(0, 2)]",
        ),
        Kind("CategoricalIndex", "pd.CategoricalIndex(['a', 'b'], ordered=True)"),
        Kind("MultiIndex", "pd.MultiIndex.from_tuples([(1, 'a'), (2, None)], names=['x', None])"),
        Kind(
            "two frames share an index", "(lambda i: [pd.Series([1], i), pd.Series([2], i)])(pd.Index(['k']))"
        ),
        Kind(
            "Timestamp, Timedelta, Period, Interval",
            "[pd.Timestamp('2026-01-01 02:00', tz='UTC'), pd.Timestamp('2026').as_unit('s'), pd.Timedelta('1D'), pd.Period('2026Q1'), pd.Interval(0, 1, 'both')]",
            "a == b and [str(x) for x in a] == [str(x) for x in b] and b[1].unit == 's'",
        ),
        Kind("NA and NaT are the ones", "[pd.NA, pd.NaT]", "b[0] is pd.NA and b[1] is pd.NaT"),
        Kind(
            "offsets",
            "[pd.offsets.MonthEnd(2), pd.offsets.CustomBusinessDay(holidays=['2026-01-01']), pd.DateOffset(months=1)]",
            "a == b",
        ),
        Kind(
            "dtypes",
            "[pd.CategoricalDtype(['a'], True), pd.Int64Dtype(), pd.DatetimeTZDtype(tz='UTC'), pd.PeriodDtype('M'), pd.IntervalDtype('f8'), pd.StringDtype()]",
            "a == b",
        ),
        Kind("GroupBy", "frame.groupby('c')", "a['a'].sum().equals(b['a'].sum())"),
        Kind(
            "GroupBy of several keys",
            "frame.groupby(['c', 'a'], dropna=False)['b']",
            "a.sum().equals(b.sum())",
        ),
        Kind(
            "rolling, expanding, ewm",
            "[frame['b'].rolling(2), frame['b'].expanding(), frame['b'].ewm(span=2)]",
            "all(x.mean().equals(y.mean()) for x, y in zip(a, b))",
        ),
        Kind("resampler", "pd.Series([1, 2, 3], days).resample('2D')", "a.sum().equals(b.sum())"),
        Kind("Grouper", "pd.Grouper(freq='D', key='x')", "repr(a) == repr(b)"),
        Kind("loc and iloc", "[frame.loc, frame.iloc]", "b[1][0, 0] == 1 and b[0][0, 'a'] == 1"),
        Kind(
            "str, dt and cat accessors",
            "[frame['c'].str, pd.Series(days).dt]",
            "b[0].upper().tolist()[0] == 'X' and b[1].year.tolist() == [2026] * 3",
        ),
        Kind("iterator of rows", "frame.itertuples()", "", "named", "generator"),
        Kind(
            "reader in parts",
            "(frame.to_csv('rows.csv'), pd.read_csv('rows.csv', chunksize=2))[1]",
            "",
            "named",
            "",
        ),
        Kind("option_context", "pd.option_context('display.max_rows', 5)", "", "named", "generator"),
    ],
)

POLARS = Library(
    "Polars",
    ("polars",),
    """
import polars as pl, datetime

frame = pl.DataFrame({'a': [1, 2, None], 'b': ['x', 'y', 'x'], 'c': [[1], [], None]})
plus = lambda x: x + 1
""",
    [
        Kind("DataFrame", "frame"),
        Kind("large DataFrame", "pl.DataFrame({'n': range(100_000)})"),
        Kind("empty frames", "[pl.DataFrame(), frame.clear()]"),
        Kind("Series", "pl.Series('n', [1, None])"),
        Kind(
            "Categorical and Enum",
            "[pl.Series(['a', 'b', None], dtype=pl.Categorical), pl.Series(['a'], dtype=pl.Enum(['b', 'a']))]",
        ),
        Kind(
            "Date, Datetime with zone, Duration, Time",
            "pl.DataFrame({'d': [datetime.date(2026, 1, 1)], 't': [datetime.datetime(2026, 1, 1)], 'x': [datetime.timedelta(1)], 'y': [datetime.time(1)]}).with_columns(pl.col('t').dt.replace_time_zone('Europe/Berlin'))",
        ),
        Kind(
            "Struct, Array, Decimal, Binary",
            "pl.DataFrame({'s': [{'a': 1}], 'r': pl.Series([[1, 2]], dtype=pl.Array(pl.Int8, 2)), 'd': [__import__('decimal').Decimal('1.10')], 'b': [b'x']})",
        ),
        Kind(
            "Object",
            "pl.Series('o', [{1}, [2]], dtype=pl.Object)",
            "b.to_list() == [{1}, [2]] and b.name == 'o'",
            "rebuilt",
        ),
        Kind("LazyFrame", "frame.lazy().filter(pl.col('a') > 1).select('b')"),
        Kind("LazyFrame of a file", "(frame.select('a').write_csv('lazy.csv'), pl.scan_csv('lazy.csv'))[1]"),
        Kind(
            "LazyFrame with a flow's function",
            "frame.lazy().select(pl.col('a').map_elements(plus, return_dtype=pl.Int64))",
            "a.collect().equals(b.collect())",
        ),
        Kind("expression", "pl.col('a').sum().over('b')"),
        Kind("when/then/otherwise", "pl.when(pl.col('a') > 1).then(1).otherwise(0)"),
        Kind("selectors", "__import__('polars.selectors').selectors.numeric()"),
        Kind(
            "GroupBy",
            "frame.group_by('b')",
            "b.agg(pl.len()).sort('b').equals(a.agg(pl.len()).sort('b'))",
            "rebuilt",
        ),
        Kind(
            "schema and dtypes",
            "[frame.schema, pl.Int8, pl.List(pl.Int8), pl.Datetime('ms', 'UTC')]",
            "a == b",
        ),
        Kind("Config", "pl.Config(tbl_rows=3)", "type(b) is pl.Config"),
        Kind("SQLContext", "pl.SQLContext(frame=frame)", "", "named", "cannot be pickled"),
    ],
)

ARROW = Library(
    "PyArrow",
    ("pyarrow",),
    """
import pyarrow as pa, pyarrow.compute as pc, pyarrow.parquet as pq, pyarrow.dataset as ds, pyarrow.csv, pyarrow.fs, pyarrow.ipc
import os

table = pa.table({'a': [1, 2, None], 'b': ['x', 'y', 'x']}, metadata={'k': 'v'})
pq.write_table(table, 'table.parquet')
""",
    [
        Kind("Table with metadata", "table"),
        Kind("Table of a slice", "table.slice(1, 2)"),
        Kind(
            "Array, ChunkedArray, Scalar", "[pa.array([1, None]), pa.chunked_array([[1], [2]]), pa.scalar(5)]"
        ),
        Kind("slice of an Array", "pa.array(range(1000))[10:20]"),
        Kind("nested types", "pa.array([{'a': [1, 2]}, None])"),
        Kind(
            "dictionary, union, map, extension",
            "[pa.array(['a', 'b']).dictionary_encode(), pa.array([[('k', 1)]], pa.map_(pa.string(), pa.int8()))]",
        ),
        Kind("RecordBatch", "pa.record_batch({'a': [1]})"),
        Kind(
            "Schema, Field, DataType",
            "[table.schema, pa.field('x', pa.int8(), metadata={'m': 'n'}), pa.timestamp('ns', 'UTC')]",
        ),
        Kind("Buffer", "pa.py_buffer(b'abc')", "b.to_pybytes() == b'abc'"),
        Kind("mutable Buffer", "pa.allocate_buffer(4)", "b.size == 4"),
        Kind("compute expression", "pc.field('a') > 1", "str(a) == str(b)"),
        Kind("Dataset", "ds.dataset('table.parquet')", "b.to_table().equals(a.to_table())"),
        Kind("Scanner", "ds.dataset('table.parquet').scanner(columns=['a'])", "", "named", ""),
        Kind("ParquetFile", "pq.ParquetFile('table.parquet')", "", "named", "__reduce__"),
        Kind("ParquetWriter", "pq.ParquetWriter('open.parquet', table.schema)", "", "named", ""),
        Kind("FileMetaData", "pq.read_metadata('table.parquet')", "b.num_rows == 3"),
        Kind("RecordBatchReader", "table.to_reader()", "", "named", ""),
        Kind("LocalFileSystem", "pa.fs.LocalFileSystem()", "a == b"),
        Kind("memory_map", "pa.memory_map('table.parquet')", "", "named", "__reduce__"),
        Kind("OSFile", "pa.OSFile('table.parquet')", "", "named", "__reduce__"),
        Kind(
            "BufferReader",
            "(lambda r: r.read(1) and r)(pa.BufferReader(b'abc'))",
            "b.read() == b'bc'",
            "rebuilt",
        ),
        Kind(
            "Tensor",
            "pa.Tensor.from_numpy(__import__('numpy').eye(2))",
            "(b.to_numpy() == a.to_numpy()).all()",
            "rebuilt",
        ),
    ],
)

LIBRARIES = [PANDAS, POLARS, ARROW]
