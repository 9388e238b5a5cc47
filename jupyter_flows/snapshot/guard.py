"""Objects that cannot be pickled: each is found, and becomes a placeholder with its path and the reason."""

from __future__ import annotations

import copyreg
import pickle
import re
import types
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..model import Missing
from ..model.sayable import sayable
from . import registry
from .paths import Paths
from .picklers import PROTOCOL
from .placeholder import Placeholder, facts
from .references import module_name

if TYPE_CHECKING:
    from .pickling import GroupPickler, Saving

#: So many objects of one class that the pickler refuses are found one by one, each with the whole group
#: pickled again; then all of the class are taken for refused. And so many of all classes.
_MANY_ALIKE, _MANY = 10, 100
_PLAIN = frozenset(
    {
        type(None),
        bool,
        int,
        float,
        bytes,
        str,
        bytearray,
        dict,
        set,
        frozenset,
        list,
        tuple,
        pickle.PickleBuffer,
    }
)


class Guard:
    """Reduces each object under guard; remembers which cannot be, and stands placeholders in for them."""

    def __init__(self, pickler: GroupPickler, paths: Paths) -> None:
        self._pickler = pickler
        self._paths = paths
        self._refused: dict[int, tuple[Any, Placeholder]] = {}
        self._reducible: set[int] = set()
        self._unfit: Counter[type[Any]] = Counter()

    def override(self, saving: Saving) -> Callable[[Any], Any]:
        def override(subject: Any) -> Any:
            if type(subject) in _PLAIN:  # only the pickler in Python asks for these
                return NotImplemented
            if id(subject) in self._refused:
                return self._placeholder(saving, self._refused[id(subject)][1])
            if id(type(subject)) in self._refused:  # nothing can be made of a class that is not there
                self.refuse(subject, TypeError(facts(self._refused[id(type(subject))][1])[2]))
                return self._placeholder(saving, self._refused[id(subject)][1])
            if self._unfit.get(type(subject), 0) > _MANY_ALIKE:
                self.refuse(
                    subject, TypeError(f"{_type_name(subject)} objects are reduced to what pickle refuses")
                )
                return self._placeholder(saving, self._refused[id(subject)][1])
            try:
                return self._reduced(subject, saving)
            except (RecursionError, KeyboardInterrupt):
                raise
            except BaseException as error:  # an object that asks to exit is no reason to
                by_dill = _by_dill(subject)
                if by_dill is not None:
                    return by_dill
                self.refuse(subject, error)
                return self._placeholder(saving, self._refused[id(subject)][1])

        return override

    def stand_ins(self, roots: Sequence[Any]) -> list[Any]:
        refused = self._refused.keys() - self._reducible
        return [self._refused[id(root)][1] if id(root) in refused else root for root in roots]

    def refuse(self, subject: Any, error: BaseException) -> None:
        reason = readable(error)
        stand_in = Placeholder(self._paths.of(subject), _type_name(subject), reason)
        self._refused[id(subject)] = (subject, stand_in)

    def stand_in(self, subject: Any, path: str, reason: str) -> None:
        """A placeholder for an object that could be pickled: where it is reduced, so that it is shared."""
        self._reducible.add(id(subject))
        self._refused[id(subject)] = (subject, Placeholder(path, _type_name(subject), reason))

    def refuse_unfit(self, roots: Sequence[Any], subjects: Sequence[Any], error: BaseException) -> None:
        """What failed after its reduction was handed out; in the end whole variables.

        The first of `subjects` was at fault. What is made anew each time cannot be known again: the next one
        around it stands for it.
        """
        subject = next(filter(self._paths.knows, subjects), subjects[0])
        if id(subject) in self._refused or self._unfit.total() >= _MANY:
            self.refuse_all(roots, error)
            return
        self._unfit[type(subject)] += 1
        self.refuse(subject, error)

    def refuse_all(self, roots: Sequence[Any], error: BaseException) -> None:
        for root in roots:
            self.refuse(root, error)

    def _reduced(self, subject: Any, saving: Saving) -> Any:
        found = self._pickler.reduction(subject, saving)
        if found is not NotImplemented:
            return _checked(found, subject) if isinstance(found, tuple) else found
        if isinstance(subject, type | types.FunctionType | types.BuiltinFunctionType):
            return NotImplemented
        by_table = copyreg.dispatch_table.get(type(subject))
        found = by_table(subject) if by_table is not None else subject.__reduce_ex__(PROTOCOL)
        return found if isinstance(found, str) else _checked(found, subject)

    @staticmethod
    def _placeholder(saving: Saving, stand_in: Placeholder) -> Any:
        path, kind, reason = facts(stand_in)
        saving.missing.append(Missing(path=path, type=kind, reason=reason))
        return Placeholder, (path, kind, reason)


def _by_dill(subject: Any) -> Any:
    if registry.find(type(subject)) is not None:
        return None  # a reducer of ours refused it, for a reason
    from .dill_reducers import reduction_by_dill

    return reduction_by_dill(subject)


@registry.builtin(Placeholder)
def _reduce_placeholder(subject: Placeholder, saving: Saving) -> Any:
    path, kind, reason = facts(subject)
    saving.missing.append(Missing(path=path, type=kind, reason=reason))
    return Placeholder, (path, kind, reason)


def _checked(reduction: Any, subject: Any) -> tuple[Any, ...]:
    """A reduction that the pickler cannot choke on; iterators in it are run here, under guard."""
    if not isinstance(reduction, tuple) or not 2 <= len(reduction) <= 6:
        raise TypeError(f"its __reduce__ returned {type(reduction).__name__}")
    function, arguments = reduction[:2]
    if not callable(function) or not isinstance(arguments, tuple):
        raise TypeError("its __reduce__ returned no callable with a tuple of arguments")
    _check_new(getattr(function, "__name__", ""), arguments, subject.__class__)
    parts = [
        iter(list(part)) if number in (3, 4) and part is not None else part
        for number, part in enumerate(reduction)
    ]
    if len(parts) > 4 and parts[4] is not None:
        pairs = list(parts[4])
        if not all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs):
            raise TypeError("its __reduce__ returned items that are no pairs of key and value")
        parts[4] = iter(pairs)
    if len(parts) > 5 and parts[5] is not None and not callable(parts[5]):
        raise TypeError("its __reduce__ returned a setter of the state that cannot be called")
    return tuple(parts)


def _check_new(name: str, arguments: tuple[Any, ...], kind: type[Any]) -> None:
    """What pickle demands of functions of these two names, which it has instructions of their own for."""
    if name == "__newobj__":
        is_good = len(arguments) > 0
    elif name == "__newobj_ex__":
        is_good = [type(one) for one in arguments[1:]] == [tuple, dict]
    else:
        return
    if not is_good or arguments[0] is not kind:
        raise TypeError(f"its __reduce__ returned {name} with arguments that are not of its class")


def _type_name(subject: Any) -> str:
    kind = type(subject)
    module = module_name(kind)
    return sayable(
        kind.__qualname__ if module in ("builtins", "__main__") else f"{module}.{kind.__qualname__}"
    )


def readable(error: BaseException) -> str:
    """Why an object cannot be kept, as a person says it."""
    text = sayable(_text_of(error))
    match = re.fullmatch(r"cannot pickle '?(?:.*\.)?(\w+)'? (?:object|instances?)", text)
    if match:
        return f"a {match[1]} cannot be pickled"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # the flow's own, whose text fails
        return ""
