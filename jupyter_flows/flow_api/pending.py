"""What becomes of the answer to a call, in words that a savepoint keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from .. import model
from ..errors import ResourceNotFoundError, from_parts


class Subject(Protocol):
    """A handle that learns from the answers to calls made on it."""

    def _learn(self, answer: model.Answer) -> None: ...


#: What makes a value of the answer to a call, by the name that a `Pending` gives it.
_RETURNS: dict[str, Callable[[Pending, model.Call, model.Answer], Any]] = {}


class Pending:
    """What becomes of a call's answer: `returns` names it, `subjects` are the handles concerned.

    Pickled with the savepoint, together with the flow's variables, so that the handle that comes back
    from ``child.wait()`` is the very object that the flow holds.
    """

    def __init__(self, returns: str, *subjects: Subject) -> None:
        self.returns = returns
        self.subjects = subjects

    def outcome(self, call: model.Call, answer: model.Answer) -> Any:
        """The value that the call returns. Raises the answer's error, or the signal that ends the flow."""
        for subject in self.subjects:
            subject._learn(answer)
        if answer.error is not None and not self._expects(answer.error):
            info = answer.error
            raise from_parts(info.type, info.message, info.ids)
        return _RETURNS[self.returns](self, call, answer)

    def _expects(self, error: model.ErrorInfo) -> bool:
        return self.returns in ("existence", "presence") and error.type == ResourceNotFoundError.__name__


def add_return(name: str, returns: Callable[[Pending, model.Call, model.Answer], Any]) -> None:
    """Teach `Pending` one more way to turn an answer into a value."""
    _RETURNS[name] = returns
