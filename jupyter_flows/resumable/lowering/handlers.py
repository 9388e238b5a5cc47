"""`try`: the exception being handled, and why a `finally` was entered, are in variables."""

from __future__ import annotations

import ast

from .. import build
from .blocks import Blocks
from .frames import RAISED, THROUGH

_SAFE_EXCEPTIONS = frozenset(
    name
    for name, value in vars(__import__("builtins")).items()
    if isinstance(value, type) and issubclass(value, Exception)
)


class Handlers(Blocks):
    def _Try(self, node: ast.Try) -> list[ast.stmt]:
        if not any(self._suspends(one) for one in node.finalbody):
            return [self._try_without_final(node, node.finalbody)]
        flag, error = self._frame.block_name("w"), self._frame.block_name("e")
        self._frame.blocks.append(flag)
        final, node.finalbody = node.finalbody, []
        body: list[ast.stmt] = [self._try_without_final(node, [])] if node.handlers else self.block(node.body)
        self._frame.blocks.pop()
        start, end = final[0], final[-1]  # where a debugger stands next, and stood last
        body.append(build.assign(flag, build.constant(THROUGH, start), start))
        mark: list[ast.stmt] = [
            build.assign(flag, build.constant(RAISED, start), start),
            build.assign(error, build.helper("exception", at=start), start),
            ast.copy_location(ast.Raise(None, None), start),
        ]
        handler = ast.copy_location(ast.ExceptHandler(None, None, mark), start)
        protected = ast.copy_location(ast.Try(body, [handler], [], []), node)
        clear = [*build.forget(error, end), *build.forget(flag, end)]
        inner = build.finally_(self.block(final), clear, start)
        return [build.finally_([protected], [inner], node)]

    def _TryStar(self, node: ast.TryStar) -> list[ast.stmt]:
        parts = [part for one in node.handlers for part in (one.type, *one.body)]
        return self._Try(self._groups_written_out(node) if any(map(self._suspends, parts)) else node)  # type: ignore[arg-type]

    def _groups_written_out(self, node: ast.TryStar) -> ast.Try:
        """``except*`` clauses with a call inside as ordinary handlers (`groups`)."""
        first, last = node.handlers[0], node.handlers[-1].body[-1]
        kept, state, rest = (self._frame.block_name(letter) for letter in "egg")
        begun = build.helper("group begun", build.load(kept, first), at=first)
        clauses: list[ast.stmt] = [build.assign(state, begun, first)]
        clear: list[ast.stmt] = []
        for handler in node.handlers:
            matched = self._frame.block_name("e")
            clauses.append(self._clause(handler, state, matched))
            clear += build.forget(matched, last)
        clauses.append(build.assign(rest, build.helper("group left", build.load(state, last), at=last), last))
        clauses.append(
            ast.copy_location(ast.If(build.load(rest, last), self._raised_as_is(rest, last), []), last)
        )
        for name in (rest, state, kept):
            clear += build.forget(name, last)
        body: list[ast.stmt] = [_kept_exception(kept, first), build.finally_(clauses, clear, first)]
        caught = ast.copy_location(ast.ExceptHandler(None, None, body), first)
        self._keeping.add(caught)
        return ast.copy_location(ast.Try(node.body, [caught], node.orelse, node.finalbody), node)

    def _clause(self, handler: ast.ExceptHandler, state: str, name: str) -> ast.If:
        """One clause; no more blocks in each other than it needs: CPython allows about 20."""
        assert handler.type is not None
        kinds = build.helper("narrowed", handler.type, at=handler.type)
        test = build.helper("group matched", build.load(state, handler), kinds, at=handler)
        take = build.expression(build.helper("group taken", build.load(state, handler), at=handler))
        settle = build.expression(build.helper("settle", build.load(name, handler), at=handler))
        body = _catching_all(handler.name, [_kept_exception(name, handler), settle, *handler.body], handler)
        self._keeping.add(body)
        inner = ast.copy_location(ast.Try([take], [body], [], []), handler)
        at = handler.body[-1]
        error = build.helper("exception", at=at)
        keep = build.expression(build.helper("group collected", build.load(state, at), error, at=at))
        # A signal that a clause sends is not collected: it goes through at once (`_try_without_final`).
        collect = ast.copy_location(ast.ExceptHandler(None, None, [keep]), at)
        outer = ast.copy_location(ast.Try([inner], [collect], [], []), handler)
        return ast.copy_location(ast.If(test, [outer], []), handler)

    @staticmethod
    def _raised_as_is(name: str, at: ast.AST) -> list[ast.stmt]:
        """Raise what a variable holds without a trace of it: no line of its traceback, no context."""
        again = build.expression(build.helper("raise again", build.load(name, at), at=at))
        settle = build.expression(build.helper("settle", build.load(name, at), at=at))
        handler = _catching_all(None, [settle, ast.copy_location(ast.Raise(None, None), at)], at)
        return [ast.copy_location(ast.Try([again], [handler], [], []), at)]

    def _try_without_final(self, node: ast.Try, final: list[ast.stmt]) -> ast.Try:
        node.body = self.block(node.body)
        node.handlers = [self._handler(one) for one in node.handlers]
        if isinstance(node, ast.TryStar):
            for handler in node.handlers:
                assert handler.type is not None
                handler.type = build.helper("narrowed", handler.type, at=handler.type)
        elif not all(hasattr(one, "is_ours") or self._is_harmless(one) for one in node.handlers):
            signals = build.helper("uncatchable", at=node.handlers[0])
            passing = ast.ExceptHandler(signals, None, [ast.copy_location(ast.Raise(None, None), node)])
            node.handlers.insert(0, ast.copy_location(passing, node.handlers[0]))
        node.orelse = self.block(node.orelse)
        node.finalbody = self.block(final)
        return node

    def _is_harmless(self, handler: ast.ExceptHandler) -> bool:
        """Whether it can only catch ordinary exceptions, never a life-cycle signal."""
        types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        return all(isinstance(one, ast.Name) and one.id in _SAFE_EXCEPTIONS for one in types)

    def _handler(self, handler: ast.ExceptHandler) -> ast.ExceptHandler:
        self._frame.at = handler
        if handler in self._keeping or not any(self._suspends(one) for one in handler.body):
            handler.body = self.block(handler.body)
            return handler
        at = handler.body[0]
        name = self._frame.block_name("e")
        kept = _kept_exception(name, at)
        handler.body = [kept, build.finally_(self.block(handler.body), build.forget(name, at), at)]
        return handler


def _kept_exception(name: str, at: ast.AST) -> ast.Assign:
    return build.assign(name, build.helper("exception", at=at), at)


def _catching_all(name: str | None, body: list[ast.stmt], at: ast.AST) -> ast.ExceptHandler:
    """A handler of ours, of what is known not to be a life-cycle signal."""
    handler = ast.ExceptHandler(build.constant("\0resumable any error", at), name, body)
    handler.is_ours = True  # type: ignore[attr-defined]
    return ast.copy_location(handler, at)
