"""Programs made up from Python's grammar: statements and expressions nested in each other, calls everywhere.

Every program ends: loops run over short lists or burn fuel, and functions call only those before them. An
error may happen anywhere; that is part of what the program does. Values are whole numbers, lists of them
and short texts, so that a difference shows.

`choose(n)` gives a number below `n`: hypothesis draws it (and makes a failing program small), or a seed does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

Choose = Callable[[int], int]

PRELUDE = """\
import functools, heapq, itertools
class Pages:
    def __init__(self, n): self.left = abs(n) % 4
    def __iter__(self): return self
    def __next__(self):
        if not self.left: raise StopIteration
        self.left -= 1
        return point(self.left)
class Box:
    def __init__(self, v):
        self.v = v
        self.items = [v, v + 1, v + 2]
    def get(self, more=0, *rest, key=0):
        return self.v + more + len(rest) + point(key)
    @classmethod
    def of(cls, v): return cls(point(v))
    @staticmethod
    def twice(v): return 2 * point(v)
    def __repr__(self): return f"Box({self.v})"
class Sub(Box):
    def __init__(self, v):
        super().__init__(point(v))
    def get(self, more=0, *rest, key=0):
        return 1 + super().get(more, *rest, key=key)
    def __private(self): return point(self.v)
    def use(self): return self.__private()
class Guard:
    def __init__(self, name, suppressed=()):
        self.name, self.suppressed = name, suppressed
    def __enter__(self):
        print("enter", self.name)
        return self
    def __exit__(self, kind, error, traceback):
        print("exit", self.name, kind and kind.__name__)
        return kind is not None and issubclass(kind, self.suppressed)
def spare(n=1):
    global fuel
    fuel -= n
    return fuel > 0
def counted(n, step=1):
    for number in range(abs(n) % 4):
        got = yield point(number * step)
        if got:
            print("got", got)
    return n
def same(function): return function
fuel = 40
a, b, c, s, t, o, q = 1, 2, 3, [1, 2, 3], [4, 5, 6], Box(7), Sub(8)
"""

ERRORS = ("ValueError", "KeyError", "ZeroDivisionError", "IndexError", "TypeError")
DEEPEST = 4  # blocks in each other


@dataclass
class Names:
    """What the code that is being written can use."""

    numbers: list[str]
    lists: list[str]
    boxes: list[str]
    functions: list[str]  # of two arguments, giving a number
    generators: list[str]  # of two arguments
    kind: str = "module"  # "module", "function", "generator"; "part" in a lambda or comprehension
    in_loop: bool = False
    in_handler: bool = False
    in_clause: bool = False  # of an `except*`, which cannot be left by `return`, `break` or `continue`
    in_text: bool = False  # Python 3.11 has no text in a text
    shared: list[str] = field(default_factory=list)  # numbers of the function around


class Grammar:
    """Writes one program."""

    def __init__(self, choose: Choose, size: int = 14) -> None:
        self._choose = choose
        self._left = size  # statements that may still be written
        self._made = 0

    def program(self) -> str:
        names = Names(["a", "b", "c"], ["s", "t"], ["o", "q"], ["o.get", "q.get"], ["counted"])
        lines: list[str] = []
        for _ in range(self._choose(3) + 1):
            self._left = max(self._left, 6)
            lines += self._definition(names, 0)
        self._left = max(self._left, 8)
        for _ in range(3):
            lines += [*self._block(names, 0)] if self._choose(2) else self._guarded(self._body(names, 0))
        for name in names.functions[2:]:
            lines += self._guarded([f"    print({name}({self._two(names, 1)}))"])
        for name in names.generators[1:]:
            loop = f"for {self._pick(names.numbers)} in {name}({self._two(names, 1)}):"
            lines += self._guarded([f"    {loop}", "        print(a, b, c)", "        if not spare(): break"])
        lines.append("print(a, b, c, s, t, o, q, o.items, q.items, fuel)")
        return PRELUDE + "\n".join(lines) + "\n"

    @staticmethod
    def _guarded(body: list[str]) -> list[str]:
        return ["try:", *body, "except Exception as error:", "    print(type(error).__name__, error)"]

    def _pick(self, options: Sequence[str]) -> str:
        return options[self._choose(len(options))]

    def _often(self, of: int) -> bool:
        return self._choose(of) > 0

    def _new(self, start: str) -> str:
        self._made += 1
        return f"{start}{self._made}"

    # --- statements ------------------------------------------------------------------------------

    def _block(self, names: Names, depth: int) -> list[str]:
        lines: list[str] = []
        for _ in range(self._choose(3) + 1):
            self._left -= 1
            lines += self._statement(names, depth)
        return lines

    def _body(self, names: Names, depth: int) -> list[str]:
        return ["    " + line for line in self._block(names, depth + 1)]

    def _statement(self, names: Names, depth: int) -> list[str]:
        simple = [
            self._assign,
            self._augmented,
            self._print,
            self._unpack,
            self._store,
            self._bare,
            self._drop,
        ]
        nested = [self._if, self._for, self._while, self._try, self._with, self._match, self._definition]
        nested.append(self._class)
        if depth >= DEEPEST or self._left <= 0 or not self._choose(3):
            leaving = self._leaving(names) if depth and not self._choose(4) else []
            return leaving or simple[self._choose(len(simple))](names)
        return nested[self._choose(len(nested))](names, depth)

    def _leaving(self, names: Names) -> list[str]:
        options = [f"raise {self._pick(ERRORS)}({self._number(names, 1)})"]
        if not self._choose(4):
            errors = f"{self._pick(ERRORS)}({self._number(names, 1)}), {self._pick(ERRORS)}(5)"
            options = [f"raise ExceptionGroup('group', [{errors}])"]
        if names.kind in ("function", "generator") and not names.in_clause:
            options += [f"return {self._number(names, 2)}"] * 2
        if names.in_loop and not names.in_clause:
            options += ["break", "continue"]
        if names.in_handler:
            options += [
                "raise",
                f"raise {self._pick(ERRORS)}(point(1)) from KeyError({self._number(names, 1)})",
            ]
        line = self._pick(options)
        return [f"if {self._condition(names, 1)}: {line}"] if self._often(3) else [line]

    def _assign(self, names: Names) -> list[str]:
        if self._often(3):
            return [f"{self._pick(names.numbers)} = {self._number(names, 3)}"]
        if self._often(3):
            return [f"{self._pick(names.lists)} = {self._list(names, 2)}"]
        targets = [self._pick(names.numbers), f"{self._box(names, 1)}.v", self._place(names)]
        return [f"{self._pick(targets)} = {self._pick(targets)} = {self._number(names, 2)}"]

    def _place(self, names: Names) -> str:
        return f"{self._list(names, 1)}[{self._number(names, 1)} % 3]"

    def _augmented(self, names: Names) -> list[str]:
        operator = self._pick(["+", "-", "*", "|"])
        target = self._pick(
            [
                self._pick(names.numbers),
                f"{self._box(names, 1)}.v",
                f"{self._box(names, 1)}.items[{self._number(names, 1)} % 3]",
                f"{self._pick(names.lists)}[{self._number(names, 1)} % 3]",
            ]
        )
        number = self._number(names, 2)
        # Squared in a loop, numbers would soon have millions of digits.
        return [
            f"{target} {operator}= ({number}) % 9" if operator == "*" else f"{target} {operator}= {number}"
        ]

    def _print(self, names: Names) -> list[str]:
        return [f"print({self._arguments(names)})"]

    def _unpack(self, names: Names) -> list[str]:
        one, other = self._pick(names.numbers), self._pick(names.lists)
        if not self._choose(4):
            return [f"{other}.extend(itertools.islice({self._source(names, 1)}, 4))", f"del {other}[5:]"]
        if self._often(2):
            given = self._list(names, 2) if self._often(3) else self._source(names, 1)
            return [f"{one}, *{other} = {given}"]
        return [f"{one}, {self._box(names, 1)}.v = {self._number(names, 2)}, {self._number(names, 1)}"]

    def _store(self, names: Names) -> list[str]:
        if self._often(2):
            return [f"{self._box(names, 1)}.v = {self._number(names, 2)}"]
        return [f"{self._place(names)} = {self._number(names, 2)}"]

    def _bare(self, names: Names) -> list[str]:
        if names.kind == "generator" and self._often(2):
            return [self._pick([f"yield {self._number(names, 2)}", f"yield from {self._iterable(names)}"])]
        if not self._choose(5):
            return [f"assert {self._condition(names, 2)}, {self._number(names, 1)}"]
        return [self._number(names, 3)]

    def _drop(self, names: Names) -> list[str]:
        return [f"del {self._place(names)}"]

    def _if(self, names: Names, depth: int) -> list[str]:
        lines = [f"if {self._condition(names, 2)}:", *self._body(names, depth)]
        if not self._choose(3):
            lines += [f"elif {self._condition(names, 2)}:", *self._body(names, depth)]
        if not self._choose(2):
            lines += ["else:", *self._body(names, depth)]
        return lines

    def _for(self, names: Names, depth: int) -> list[str]:
        inside = replace(names, in_loop=True)
        target = self._pick([self._pick(names.numbers), f"{self._box(names, 1)}.v", "index, item"])
        source = self._iterable(names)
        if target == "index, item":
            source = f"enumerate({source})"
            inside.numbers = [*names.numbers, "index", "item"]
        lines = [f"for {target} in {source}:", "    if not spare(): break", *self._body(inside, depth)]
        if not self._choose(3):
            lines += ["else:", *self._body(names, depth)]
        return lines

    def _while(self, names: Names, depth: int) -> list[str]:
        inside = replace(names, in_loop=True)
        lines = [f"while spare() and {self._condition(names, 2)}:", *self._body(inside, depth)]
        if not self._choose(3):
            lines += ["else:", *self._body(names, depth)]
        return lines

    def _try(self, names: Names, depth: int) -> list[str]:
        lines = ["try:", *self._body(names, depth)]
        kind = self._choose(5)
        if kind == 4:
            lines += self._clauses(names, depth)
        elif kind < 3:
            inside = replace(names, in_handler=True)
            caught = self._pick(
                [f"({', '.join(ERRORS)})", "(ValueError, KeyError)", "Exception", "ArithmeticError"]
            )
            lines += [f"except {caught} as error:", "    print('caught', type(error).__name__, error)"]
            lines += self._body(inside, depth)
            if not self._choose(3):
                lines += ["except TypeError:", *self._body(inside, depth)]
            if not self._choose(2):
                lines += ["else:", *self._body(names, depth)]
        if kind > 1:
            lines += ["finally:", *self._body(names, depth)]
        return lines

    def _clauses(self, names: Names, depth: int) -> list[str]:
        inside = replace(names, in_handler=True, in_clause=True)
        first = self._pick([f"({', '.join(ERRORS)})", "ValueError", "LookupError"])
        lines = [f"except* {first} as group:", "    print('caught', repr(group))", *self._body(inside, depth)]
        if not self._choose(2):
            lines += ["except* Exception as group:", "    print('rest', group)", *self._body(inside, depth)]
        return [*lines, *(["else:", *self._body(names, depth)] if not self._choose(3) else [])]

    def _with(self, names: Names, depth: int) -> list[str]:
        managers = []
        for _ in range(self._choose(2) + 1):
            suppressed = self._pick(["", ", ValueError", ", (KeyError, ZeroDivisionError, IndexError)"])
            manager = f"Guard({self._number(names, 1)}{suppressed})"
            managers.append(manager + self._pick(["", " as guard", f" as {self._pick(names.boxes)}.held"]))
        return [f"with {', '.join(managers)}:", *self._body(names, depth)]

    def _match(self, names: Names, depth: int) -> list[str]:
        lines = [f"match {self._pick([self._number(names, 2), self._list(names, 2), self._box(names, 1)])}:"]
        patterns = ["0 | 1", "[first, *rest]", "[]", "Box(v=found)", "int() as found", "{1: found}"]
        for _ in range(self._choose(2) + 1):
            guard = f" if {self._condition(names, 2)}" if not self._choose(2) else ""
            lines += [f"    case {self._pick(patterns)}{guard}:"]
            lines += ["    " + line for line in self._body(names, depth)]
        lines += ["    case _:", *("    " + line for line in self._body(names, depth))]
        return lines

    def _definition(self, names: Names, depth: int) -> list[str]:
        is_generator = not self._choose(3)
        name = self._new("g" if is_generator else "f")
        own = [self._new("x"), self._new("y")]
        shared = [] if names.kind == "part" else [n for n in names.numbers if n not in ("index", "item")]
        changed = [self._pick(shared)] if shared and not self._choose(2) else []
        inside = Names(
            [*own, *changed],
            [own[0] + "s"],
            list(names.boxes),
            list(names.functions),
            list(names.generators),
            "generator" if is_generator else "function",
        )
        declare = "global" if changed and changed[0] in ("a", "b", "c") else "nonlocal"
        default = f"={self._number(names, 1)}" if not self._choose(3) else "=5"
        lines = [f"@{self._pick(['same', 'point', 'point(same)'])}"] if not self._choose(4) else []
        lines.append(f"def {name}({own[0]}, {own[1]}{default}):")
        lines += [f"    {declare} {changed[0]}"] if changed else []
        lines.append(f"    {own[0]}s = [{own[0]}, {own[1]}, 9]")
        readable = replace(inside, numbers=[*inside.numbers, *(shared if not changed else [])])
        lines += self._body(inside if self._often(2) else self._only_reading(readable, inside), depth)
        if is_generator:
            lines.append(f"    yield {self._number(inside, 1)}")
            lines.append(f"    return {own[1]}")
            names.generators = [*names.generators, name]
        else:
            lines.append(f"    return {self._number(inside, 2)}")
            names.functions = [*names.functions, name]
        return lines

    def _class(self, names: Names, depth: int) -> list[str]:
        """A class whose body calls; what it binds are its attributes."""
        name, target = self._new("C"), self._pick(names.numbers)
        kind = "part" if names.kind == "part" else "class"
        inside = replace(names, kind=kind, in_loop=False)
        lines = [f"@{self._pick(['same', 'point', 'point(same)'])}"] if not self._choose(3) else []
        lines += [f"class {name}({self._pick(['Box', 'point(Box)', 'object'])}):"]
        lines += self._body(inside, depth)
        lines += [
            f"    def got(self, more={self._number(inside, 2)}):",
            "        return __class__, point(more)",
        ]
        return [*lines, f"{target} = {name}.got(None)[1]"]

    @staticmethod
    def _only_reading(readable: Names, inside: Names) -> Names:
        inside.shared = [name for name in readable.numbers if name not in inside.numbers]
        return inside

    # --- expressions -----------------------------------------------------------------------------

    def _number(self, names: Names, depth: int) -> str:
        if depth <= 0 or not self._choose(4):
            return self._pick(
                [*names.numbers, *names.shared, "0", "1", "2", f"point({self._pick(names.numbers)})"]
            )
        number, deeper = self._number, depth - 1
        kind = self._choose(24)
        if kind > 21:
            return self._of_all(names, deeper)
        if kind < 3:
            return f"point({number(names, deeper)})"
        if kind < 6:
            return f"{self._pick(names.functions)}({self._two(names, deeper)})"
        if kind < 8:
            operator = self._pick(["+", "-", "*", "//", "%", "&", "|", "^"])
            small = " % 99" if operator == "*" else ""
            return f"({number(names, deeper)}{small} {operator} {number(names, deeper)})"
        if kind == 8:
            return (
                f"({number(names, deeper)} if {self._condition(names, deeper)} else {number(names, deeper)})"
            )
        if kind == 9 and names.kind != "part":
            return f"({self._pick(names.numbers)} := {number(names, deeper)})"
        if kind == 10:
            return f"{self._list(names, deeper)}[{number(names, deeper)} % 3]"
        if kind == 11:
            return f"{self._pick(['len', 'sum'])}({self._list(names, deeper)})"
        if kind == 12:
            return f"{self._box(names, deeper)}.{self._pick(['v', 'items[1]', 'get()'])}"
        if kind == 13:
            argument = self._new("z")
            inside = replace(names, numbers=[argument, *names.numbers], kind="part")
            return f"(lambda {argument}: {number(inside, deeper)})({number(names, deeper)})"
        if kind == 14 and not names.in_text:
            inside = replace(names, in_text=True)
            one, other, width = (number(inside, deeper) for _ in range(3))
            return f'len(f"{{{one}}}{{{other}!r:>{{{width} % 9}}}}={{{self._list(names, 0)}}}")'
        if kind == 15:
            chain = f"{number(names, deeper)} < {number(names, deeper)} <= {number(names, deeper)}"
            return f"int({chain})"
        if kind == 16:
            pairs = f"{number(names, deeper)}: {number(names, deeper)}, **{{1: {number(names, deeper)}}}"
            return f"({{{pairs}}}).get({number(names, deeper)}, {number(names, deeper)})"
        if kind == 17:
            # No call in the default: the generator would be kept, and closed at the statement's end.
            default = self._pick([*names.numbers, "0", "2"])
            return f"next({self._generator(names, deeper)}, {default})"
        if kind == 18 and names.kind == "generator":
            return f"((yield {number(names, deeper)}) or {number(names, deeper)})"
        if kind == 19:
            word = self._pick(["and", "or"])
            return f"({number(names, deeper)} {word} {number(names, deeper)})"
        if kind == 20:
            return f"-{number(names, deeper)}"
        return f"max({number(names, deeper)}, {number(names, deeper)}, *{self._list(names, deeper)})"

    def _two(self, names: Names, depth: int) -> str:
        one, other = self._number(names, depth), self._number(names, depth)
        return self._pick(
            [f"{one}, {other}", f"*[{one}, {other}]", f"{one}, *({other},)", f"*({one},), {other}"]
        )

    def _arguments(self, names: Names) -> str:
        parts = [self._number(names, 2)]
        if self._often(2):
            parts.append(f"*{self._list(names, 2)}")
        if self._often(2):
            parts.append(self._number(names, 2))
        if not self._choose(3):
            parts.append(self._pick(["sep=point('-')", "**{'sep': point('+')}", "end=point('!') + '\\n'"]))
        return ", ".join(parts)

    def _condition(self, names: Names, depth: int) -> str:
        number, deeper = self._number, depth - 1
        kind = self._choose(6)
        if kind == 0:
            return f"{number(names, deeper)} < {number(names, deeper)} != {number(names, deeper)}"
        if kind == 1:
            return f"not {number(names, deeper)}"
        if kind == 2:
            return f"({number(names, deeper)} and {number(names, deeper)} or {number(names, deeper)})"
        if kind == 3:
            return f"{number(names, deeper)} in {self._list(names, deeper)}"
        if kind == 4:
            return f"point({number(names, deeper)})"
        return f"{number(names, deeper)} > {number(names, deeper)}"

    def _list(self, names: Names, depth: int) -> str:
        if depth <= 0 or not self._choose(4):
            return self._pick(names.lists)
        number, deeper = self._number, depth - 1
        kind = self._choose(12)
        if kind > 9:
            return self._gone_through(names, deeper)
        if kind == 0:
            return f"[{number(names, deeper)}, *{self._list(names, deeper)}, {number(names, deeper)}]"
        if kind < 4:
            return self._comprehension(names, deeper)
        if kind == 4:
            return f"point({self._list(names, deeper)})"
        if kind == 5:
            return f"({self._list(names, deeper)} + {self._list(names, deeper)})[:5]"
        if kind == 6:
            ends = f"{number(names, deeper)} % 3:{number(names, deeper)}:{number(names, 0)} or 1"
            return f"{self._list(names, deeper)}[{ends}]"
        if kind == 7:
            return f"[*{self._generator(names, deeper)}]"
        if kind == 8:
            return f"{self._box(names, deeper)}.items"
        return f"[{number(names, deeper)}, {number(names, deeper)}, {number(names, deeper)}]"

    def _comprehension(self, names: Names, depth: int) -> str:
        variable = self._new("k")
        inside = replace(names, numbers=[variable, *names.numbers], kind="part")
        loop = f"for {variable} in {self._list(names, depth)}[:3]"
        if not self._choose(3):
            loop += f" if {self._condition(inside, depth)}"
        if not self._choose(4):
            second = self._new("k")
            loop += f" for {second} in {self._list(inside, 0)}[:2]"
            inside.numbers = [second, *inside.numbers]
        value = self._number(inside, depth)
        kind = self._choose(4)
        if kind == 0:
            return f"sorted({{{value} {loop}}})"
        if kind == 1:
            return f"[*{{{self._number(inside, depth)}: {value} {loop}}}.values()]"
        return f"[{value} {loop}]"

    def _generator(self, names: Names, depth: int) -> str:
        if self._often(2):
            return f"{self._pick(names.generators)}({self._two(names, depth)})"
        variable = self._new("k")
        inside = replace(names, numbers=[variable, *names.numbers], kind="part")
        condition = f" if {self._condition(inside, depth)}" if not self._choose(2) else ""
        return f"({self._number(inside, depth)} for {variable} in {self._list(names, depth)}{condition})"

    def _source(self, names: Names, depth: int) -> str:
        """What runs code of the program when it is gone through."""
        return self._generator(names, depth) if self._often(3) else f"Pages({self._number(names, depth)})"

    def _lambda(self, names: Names, depth: int, count: int = 1) -> str:
        arguments = [self._new("z") for _ in range(count)]
        inside = replace(names, numbers=[*arguments, *names.numbers], kind="part")
        return f"lambda {', '.join(arguments)}: {self._number(inside, depth)}"

    def _of_all(self, names: Names, depth: int) -> str:
        """A number that a function of C makes of many."""
        source, one = self._source(names, depth), self._number(names, depth)
        by = self._lambda(names, depth)
        return self._pick(
            [
                f"sum({source})",
                f"max({source}, default={one})",
                f"min({source}, key={by}, default=1)",
                f"int(any({source}))",
                f"int({one} in {source})",
                f"functools.reduce({self._lambda(names, depth, 2)}, {source}, {one})",
                f"len(set({source}))",
            ]
        )

    def _gone_through(self, names: Names, depth: int) -> str:
        """A list that functions of C make of what they go through."""
        source, other = self._source(names, depth), self._list(names, depth)
        by, of_two = self._lambda(names, depth), self._lambda(names, depth, 2)
        return self._pick(
            [
                f"list(itertools.islice({source}, {self._number(names, 0)} % 4))",
                f"sorted({source}, key={by})",
                f"heapq.nlargest(2, {source}, key={by})",
                f"list(itertools.accumulate({source}, {of_two}))",
                f"list(itertools.chain({source}, {other}))[:5]",
                f"[*map({by}, {source})]",
                f"list(filter({by}, {other}))",
                f"list(itertools.takewhile({by}, {source}))",
                f"[*itertools.dropwhile({by}, {source})]",
                f"[sum(row) for row in zip({source}, {other})]",
                f"[point(len([*group])) for key, group in itertools.groupby({source}, {by})]",
                f"list(dict.fromkeys({source}))",
                f"[index + item for index, item in enumerate({source})]",
                f"list(itertools.starmap({of_two}, zip({other}, {source})))",
                f"[*itertools.filterfalse({by}, {source})]",
            ]
        )

    def _iterable(self, names: Names) -> str:
        kind = self._choose(5)
        if kind == 0:
            return f"range({self._number(names, 1)} % 4)"
        if kind < 3:
            return self._source(names, 1)
        if kind == 3:
            return self._list(names, 2)
        return f"reversed({self._list(names, 1)})"

    def _box(self, names: Names, depth: int) -> str:
        if depth <= 0 or self._often(2):
            return self._pick(names.boxes)
        number = self._number
        return self._pick(
            [
                f"Box({number(names, depth - 1)})",
                f"Sub({number(names, depth - 1)})",
                f"Box.of({number(names, depth - 1)})",
                f"point({self._pick(names.boxes)})",
            ]
        )
