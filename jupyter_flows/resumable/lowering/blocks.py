"""Branches, loops, `with`, `match`, and the ways out of them: what they go on with is in variables."""

from __future__ import annotations

import ast

from .. import build
from ..lifting import ITERATOR
from ..operands import needs_keeping
from .assignments import Assignments
from .frames import BREAK, CONTINUE, RETURN, THROUGH, own_nodes


class Blocks(Assignments):
    # --- ways out --------------------------------------------------------------------------------

    def _Return(self, node: ast.Return) -> list[ast.stmt]:
        flags = [name for name in self._frame.blocks if name is not None]
        if not flags:
            return self._simple(node)[:1]
        number = self._frame.count = self._frame.count + 1
        name = f".{self._frame.prefix}r{number}"
        value = node.value or build.constant(None, node)
        kept = self._simple(build.assign(name, value, node))
        marks = [build.assign(flag, build.constant(RETURN + number, node), node) for flag in flags]
        return [*kept, *marks, ast.copy_location(ast.Return(build.load(name, node)), node)]

    def _leave(self, node: ast.stmt, how: int) -> list[ast.stmt]:
        marks: list[ast.stmt] = []
        for flag in reversed(self._frame.blocks):
            if flag is None:
                break
            marks.append(build.assign(flag, build.constant(how, node), node))
        return [*marks, node]

    def _Break(self, node: ast.Break) -> list[ast.stmt]:
        return self._leave(node, BREAK)

    def _Continue(self, node: ast.Continue) -> list[ast.stmt]:
        return self._leave(node, CONTINUE)

    # --- branches and loops ----------------------------------------------------------------------

    def _If(self, node: ast.If) -> list[ast.stmt]:
        spiller = self._spiller(node.test)
        node.test = self._spilled(spiller, node.test)
        node.body = [*spiller.cleanup(node.test), *self.block(node.body)]
        node.orelse = [*spiller.cleanup(node.test), *self.block(node.orelse)]
        return [node]

    def _looped(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        self._frame.blocks.append(None)
        lowered = self.block(statements)
        self._frame.blocks.pop()
        return lowered

    def _While(self, node: ast.While) -> list[ast.stmt]:
        spiller = self._spiller(node.test)
        node.test = self._spilled(spiller, node.test)
        node.body = [*spiller.cleanup(node.test), *self._looped(node.body)]
        node.orelse = [*spiller.cleanup(node.test), *self.block(node.orelse)]
        return [node]

    def _For(self, node: ast.For) -> list[ast.stmt]:
        """The iterator lives in a variable, and is let go exactly when Python would let it go."""
        inside = [*node.body, node.target]
        source = node.iter
        if isinstance(source, ast.Name) and source.id == ITERATOR:  # a lifted function has it in a variable
            node.body = [*self._loop_target(node), *self._looped(node.body)]
            return [node]
        if not any(self._suspends(one) for one in inside):
            spiller = self._spiller(source)
            name = self._frame.block_name("i")
            before: list[ast.stmt] = []
            may_run = isinstance(source, ast.Name | ast.Attribute | ast.Subscript)  # a generator, for one
            is_kept = may_run and needs_keeping(source, self._frame.scope.is_stable)
            if self._suspends(source):
                spilled = self._spilled(spiller, source)
                before = [build.assign(name, spilled, source), *spiller.cleanup(source)]
                node.iter = ast.copy_location(build.load(name, source), source)
            elif is_kept:
                node.iter = ast.copy_location(ast.NamedExpr(build.store(name, source), source), source)
            else:
                self._spilled(spiller, source)
            node.body, node.orelse = self._looped(node.body), self.block(node.orelse)
            return [*before, node, *(build.forget(name, source) if before or is_kept else [])]
        spiller = self._spiller(source)
        name = self._frame.block_name("i")
        iterator = build.helper("iter", self._spilled(spiller, source), at=source)
        before = [build.assign(name, iterator, source), *spiller.cleanup(source)]
        node.iter = build.load(name, source)
        node.body = [*self._loop_target(node), *self._looped(node.body)]
        node.orelse = self.block(node.orelse)
        return [*before, build.finally_([node], build.forget(name, source), node)]

    def _loop_target(self, node: ast.For) -> list[ast.stmt]:
        """The statements that bind a target with a call in it; the loop itself then binds a temporary."""
        if not self._suspends(node.target):
            return []
        source, value = node.iter, self._frame.block_name("v")
        target = ast.copy_location(ast.Assign([node.target], build.load(value, source)), node)
        node.target = build.store(value, source)
        return self._Assign(target)

    # --- with ------------------------------------------------------------------------------------

    def _With(self, node: ast.With | ast.AsyncWith) -> list[ast.stmt]:
        if len(node.items) > 1:
            first = type(node)(
                node.items[:1], [ast.copy_location(type(node)(node.items[1:], node.body), node)]
            )
            return self._With(ast.copy_location(first, node))
        item = node.items[0]
        source = item.context_expr
        spiller = self._spiller(source)
        name, flag = self._frame.block_name("m"), self._frame.block_name("w")
        kept = build.assign(name, self._spilled(spiller, source), source)
        item.context_expr = build.load(name, source)
        target: list[ast.stmt] = []
        if item.optional_vars is not None and self._suspends(item.optional_vars):
            value = self._frame.block_name("v")
            store = ast.Assign([item.optional_vars], build.load(value, source))
            target = self._Assign(ast.copy_location(store, node))
            item.optional_vars = build.store(value, source)
        self._frame.blocks.append(flag)
        body = [*target, *self.block(node.body)]
        self._frame.blocks.pop()
        node.body = self._marked(body, flag, node)
        final = [*build.forget(name, source), *build.forget(flag, source)]
        start = build.assign(flag, build.constant(THROUGH, source), source)
        return [kept, *spiller.cleanup(source), start, build.finally_([node], final, node)]

    _AsyncWith = _With

    def _marked(self, body: list[ast.stmt], flag: str, at: ast.stmt) -> list[ast.stmt]:
        """The body with the ways out of it told in `flag`, where anything but falling off its end occurs."""
        names = {one.id for one in own_nodes(body) if isinstance(one, ast.Name)}
        if flag not in names:
            return body
        return [*body, build.assign(flag, build.constant(THROUGH, at), at)]

    # --- match -----------------------------------------------------------------------------------

    def _Match(self, node: ast.Match) -> list[ast.stmt]:
        spiller = self._spiller(node.subject)
        subject = self._spilled(spiller, node.subject)
        name = self._frame.block_name("s")
        for case in node.cases:
            if case.guard is not None:
                guard = self._spiller(case.guard)
                case.guard = self._spilled(guard, case.guard)
                case.body = [*guard.cleanup(case.guard), *self.block(case.body)]
            else:
                case.body = self.block(case.body)
        if not any(self._suspends(case.guard) for case in node.cases):
            before = build.assign(name, subject, subject)
            if not spiller.names and not spiller.uncertain:
                node.subject = subject
                return [node]
            node.subject = build.load(name, subject)
            return [before, *spiller.cleanup(subject), node, *build.forget(name, node)]
        node.subject = build.load(name, subject)
        kept = build.assign(name, subject, subject)
        return [kept, *spiller.cleanup(subject), build.finally_([node], build.forget(name, node), node)]
