"""Loading a stream in which some objects cannot be made: each becomes a placeholder, the others live.

Only used after C's unpickler has failed on a group, so it may be slow.
"""

from __future__ import annotations

import pickle
from typing import Any

from ..errors import SavepointError
from ..model.sayable import sayable
from .placeholder import Placeholder, facts

_UnpicklerInPython: Any = pickle._Unpickler


def reason_of(error: BaseException) -> str:
    text = str(error) if isinstance(error, SavepointError) else f"{type(error).__name__}: {error}"
    return sayable(f"it could not be loaded: {text}")


class CarefulUnpickler(_UnpicklerInPython):  # type: ignore[misc]
    """Puts a placeholder where an object cannot be made, and goes on."""

    dispatch = dict(_UnpicklerInPython.dispatch)  # noqa: RUF012
    base: dict[int, Any] = {}  # noqa: RUF012 - each one gets its own

    def persistent_load(self, number: int) -> Any:
        return self.base[number]

    def find_class(self, module: str, name: str) -> Any:
        try:
            return super().find_class(module, name)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # an object that asks to exit is no reason to
            return Placeholder("", f"{module}.{name}", reason_of(error))

    def made(self, function: Any, arguments: Any, keywords: dict[str, Any] | None = None) -> Any:
        if is_placeholder(function):
            return function
        try:
            return function(*arguments, **(keywords or {}))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            kind = arguments[0] if arguments and isinstance(arguments[0], type) else function
            name = str(getattr(kind, "__qualname__", "unknown")).removeprefix("_make_")
            return Placeholder("", name, _first_reason(arguments) or reason_of(error))

    def load_reduce(self) -> None:
        stack = self.stack
        arguments = stack.pop()
        if _is_setter(stack[-2] if len(stack) > 1 else None, arguments) and is_placeholder(arguments[0]):
            result = arguments[0]  # what could not be made needs no state
        else:
            result = self.made(stack[-1], arguments)
        if is_placeholder(result) and len(stack) > 1 and _is_setter(stack[-2], arguments):
            stack[-2] = self.given_up(stack[-2], result)
        stack[-1] = result

    dispatch[pickle.REDUCE[0]] = load_reduce

    def load_newobj(self) -> None:
        arguments, cls = self.stack.pop(), self.stack.pop()
        if is_placeholder(cls):
            self.append(cls)
        else:
            self.append(self.made(cls.__new__, (cls, *arguments)))

    dispatch[pickle.NEWOBJ[0]] = load_newobj

    def load_newobj_ex(self) -> None:
        keywords, arguments, cls = self.stack.pop(), self.stack.pop(), self.stack.pop()
        if is_placeholder(cls):
            self.append(cls)
        else:
            self.append(self.made(cls.__new__, (cls, *arguments), keywords))

    dispatch[pickle.NEWOBJ_EX[0]] = load_newobj_ex

    def load_build(self) -> None:
        subject, depth = self.stack[-2], len(self.stack)
        try:
            if not is_placeholder(subject):
                super().load_build()
                return
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            failed = Placeholder("", type(subject).__qualname__, reason_of(error))
            subject = self.given_up(subject, failed)
        del self.stack[depth - 1 :]
        self.stack[-1] = subject

    dispatch[pickle.BUILD[0]] = load_build

    def given_up(self, subject: Any, stand_in: Any) -> Any:
        """Later references to a half-made object get the placeholder."""
        for key, value in self.memo.items():
            if value is subject:
                self.memo[key] = stand_in
        return stand_in


def _is_setter(below: Any, arguments: Any) -> bool:
    """Whether a call is that of a state setter: (object, state), with the object right below."""
    return isinstance(arguments, tuple) and len(arguments) == 2 and arguments[0] is below


def _first_reason(arguments: Any) -> str | None:
    """What could not be loaded is often only what something else is made of: that is what is told."""
    return next((facts(one)[2] for one in arguments if is_placeholder(one)), None)


def is_placeholder(subject: Any) -> bool:
    return type(subject) is Placeholder


def _forgiving(opcode: bytes) -> None:
    """Filling a container that became a placeholder is left out."""
    plain = _UnpicklerInPython.dispatch[opcode[0]]

    def fill(self: Any) -> None:
        try:
            plain(self)
        except SavepointError:
            return

    CarefulUnpickler.dispatch[opcode[0]] = fill


for _opcode in (pickle.APPEND, pickle.APPENDS, pickle.SETITEM, pickle.SETITEMS, pickle.ADDITEMS):
    _forgiving(_opcode)
