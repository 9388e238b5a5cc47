"""Which functions of C have words of ours, how they are called, and what of a flow's code they run.

``sum(price(one) for one in order)``: C goes through what it is given, and keeps no frame that a savepoint
could hold. Where that may reach the Flow API (`knowledge`), the call goes to words instead (`wording`). This
table is all that the compiler knows of them; what they do is in the files `from_…`.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace

_TRUTH = ("__bool__", "__len__")


@dataclass(frozen=True)
class Words:
    """How a function is called, and what it runs.

    Attributes: `home`, the file with its words; `module`, what it is imported from, "" for a method and
    "builtins" for what everyone has; `least` and `most`, numbers of positional arguments; `options`, names
    that it takes; `first` and `last`, positions of what it goes through (`last` -1: all the rest; `first`
    -1: nothing); `called`, positions and options of functions that it calls; `methods`, special methods of
    the items that it runs; `is_lazy`: its result goes through what it was given, item by item, so words may
    stand for it only where nobody sees the result but a loop, or words; `named`, the name that the words have
    where they stand for several.
    """

    home: str = "builtins"
    module: str = "builtins"
    least: int = 1
    most: int | None = 1
    options: frozenset[str] = frozenset()
    first: int = 0
    last: int = 0
    called: tuple[int | str, ...] = ()
    methods: tuple[str, ...] = ()
    is_lazy: bool = False
    named: str = ""

    def iterables(self, arguments: list[ast.expr]) -> list[ast.expr]:
        """Of the positional arguments those that it goes through."""
        if self.first < 0:
            return []
        end = len(arguments) if self.last < 0 else self.last + 1
        return arguments[self.first : end]

    def functions(self, node: ast.Call) -> list[ast.expr]:
        """What it calls."""
        found = [node.args[at] for at in self.called if isinstance(at, int) and at < len(node.args)]
        return found + [one.value for one in node.keywords if one.arg in self.called]

    def fits(self, node: ast.Call) -> bool:
        """Whether a call has the arguments that the words take."""
        count = len(node.args)
        is_plain = not any(isinstance(one, ast.Starred) for one in node.args)
        is_counted = self.least <= count and (self.most is None or count <= self.most)
        return is_plain and is_counted and {one.arg for one in node.keywords} <= self.options


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _method(**what: object) -> Words:
    return Words(home="collections", module="", **what)  # type: ignore[arg-type]


def _of_itertools(**what: object) -> Words:
    return Words(home="itertools", module="itertools", **({"is_lazy": True} | what))  # type: ignore[arg-type]


_plain, _by_key = Words(), _names("key default")
_choosing = Words(most=None, last=0, options=_by_key, called=("key",), methods=("__lt__", "__gt__"))
_by_test = _of_itertools(least=2, most=2, first=1, last=1, called=(0,))
_combining = _of_itertools(least=2, most=2, is_lazy=False)
_of_heap = Words("collections", "heapq", 2, 3, _names("key"), 1, 1, (2, "key"))
_searching = Words("collections", "bisect", 2, 4, _names("key lo hi"), -1, called=("key",))
_counted = Words("collections", "statistics", named="statistic")

#: By the last name of what is called.
WORDS: dict[str, Words] = {
    **dict.fromkeys(("dict", "frozenset", "list", "set", "tuple", "bytes", "bytearray"), _plain),
    **dict.fromkeys(("all", "any"), Words(methods=_TRUTH)),
    **dict.fromkeys(("max", "min"), _choosing),
    "sorted": Words(options=_names("key reverse"), called=("key",)),
    "sum": Words(most=2, options=_names("start"), methods=("__add__", "__radd__")),
    "enumerate": Words(most=2, options=_names("start"), is_lazy=True),
    "zip": Words(least=0, most=None, options=_names("strict"), last=-1, is_lazy=True),
    "map": Words(least=2, most=None, first=1, last=-1, called=(0,), is_lazy=True),
    "filter": Words(least=2, most=2, first=1, last=1, called=(0,), methods=_TRUTH, is_lazy=True),
    "iter": Words("collections", least=2, most=2, first=-1, called=(0,), methods=("__eq__",), is_lazy=True),
    # Methods; words look at what they are methods of.
    "join": Words(module=""),
    "sort": Words(module="", least=0, most=0, options=_names("key reverse"), called=("key",)),
    **dict.fromkeys(("extend", "extendleft", "update", "writelines"), _method()),
    **dict.fromkeys(("index", "count", "remove"), _method(first=-1, methods=("__eq__",))),
    "fromkeys": _method(most=2),
    # Modules
    "reduce": Words(module="functools", least=2, most=3, first=1, last=1, called=(0,)),
    "chain": Words(module="itertools", least=0, most=None, last=-1, is_lazy=True),
    "from_iterable": _of_itertools(methods=("yield", "__iter__", "__next__")),
    "islice": _of_itertools(least=2, most=4),
    "accumulate": _of_itertools(
        most=2, options=_names("func initial"), called=(1, "func"), methods=("__add__", "__radd__")
    ),
    "starmap": _by_test,
    "takewhile": _by_test,
    "dropwhile": _by_test,
    "filterfalse": _by_test,
    "compress": _of_itertools(least=2, most=2, last=1),
    "pairwise": _of_itertools(),
    "cycle": _of_itertools(),
    "zip_longest": _of_itertools(least=0, most=None, last=-1, options=_names("fillvalue")),
    "batched": _of_itertools(least=2, most=2, options=_names("strict")),
    "groupby": _of_itertools(most=2, options=_names("key"), called=(1, "key"), methods=("__eq__",)),
    "product": _of_itertools(least=0, most=None, last=-1, options=_names("repeat"), is_lazy=False),
    "permutations": _of_itertools(most=2, is_lazy=False),
    "combinations": _combining,
    "combinations_with_replacement": _combining,
    "deque": Words("collections", "collections", most=2, options=_names("maxlen")),
    "Counter": Words("collections", "collections"),
    **dict.fromkeys(("nlargest", "nsmallest"), _of_heap),
    **dict.fromkeys(("bisect_left", "bisect_right"), _searching),
    "bisect": replace(_searching, named="bisect_right"),
    **dict.fromkeys(("mean", "fmean", "median", "median_low", "median_high", "mode", "stdev"), _counted),
    **dict.fromkeys(("variance", "pstdev", "pvariance", "multimode", "geometric_mean"), _counted),
    "prod": Words("collections", "math", options=_names("start"), methods=("__mul__", "__rmul__")),
    "fsum": Words("collections", "math"),
}
_OF_SYNTAX = ("starred", "unpacked", "contains", "added")
#: What is no call in the author's code: `*`, unpacking, `in`, `+=`, and decorators that keep results.
_OTHERS = {**dict.fromkeys(_OF_SYNTAX, "builtins"), "cached": "collections"}
#: Their decorators.
CACHES = frozenset({"cache", "lru_cache"})
#: The file with the words, by name.
HOMES = {**{one.named or name: one.home for name, one in WORDS.items()}, **_OTHERS}


def words_of(node: ast.Call, name: str | None) -> Words | None:
    """The words that may stand for a call; `name`: the last one of what is called."""
    words = WORDS.get(name or "")
    function = node.func
    if words is None:
        return None
    if words.module == "":
        return words if isinstance(function, ast.Attribute) else None
    if isinstance(function, ast.Name):
        return words
    if words.module == "builtins" or not isinstance(function, ast.Attribute):
        return None
    owner = function.value
    is_nested = name == "from_iterable" and isinstance(owner, ast.Attribute) and owner.attr == "chain"
    return words if isinstance(owner, ast.Name) or is_nested else None
