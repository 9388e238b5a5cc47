"""The picklers that a group goes through, and the file that they write to."""

from __future__ import annotations

import copyreg
import pickle
from typing import Any

PROTOCOL = 5
#: From this size on (bytes) a piece of a stream is a chunk of its own; smaller ones share one.
PIECE_BYTES = 64 * 1024
#: An object that begins to be written so often inside its own arguments would do so for ever.
_MOST_TIMES = 5_000
#: How many objects around one that is refused are told.
_MOST_AROUND = 100


class Sink:
    """The file that a pickler writes to: large objects arrive in pieces of their own."""

    def __init__(self) -> None:
        self.pieces: list[Any] = []
        self._open: list[bytes] = []

    def write(self, data: Any) -> None:
        if len(data) >= PIECE_BYTES:
            self.close()
            self.pieces.append(data)
        else:
            self._open.append(bytes(data))

    def close(self) -> None:
        if self._open:
            self.pieces.append(b"".join(self._open))
            self._open = []


class FastPickler(pickle.Pickler):
    pass


class ReferringPickler(pickle.Pickler):
    """Leaves out what another stream has: its numbers there stand for it."""

    numbers: dict[int, int] = {}  # noqa: RUF012 - each one gets its own

    def persistent_id(self, subject: Any) -> int | None:
        return self.numbers.get(id(subject))


_PicklerInPython: Any = pickle._Pickler


class Unfit(Exception):
    """What an object is reduced to was refused by the pickler.

    Attributes: `subjects`, the object, then the ones around it, outwards; `reason`, what the pickler raised.
    """

    def __init__(self, subject: Any, reason: BaseException) -> None:
        super().__init__(reason)
        self.subjects = [subject]
        self.reason = reason


class DeepPickler(_PicklerInPython):  # type: ignore[misc]
    """Goes from object to object by plain calls of Python functions only.

    Those take no room on C's stack, so depth is bounded by memory. The standard library's own `save` unpacks
    each reduction into a call (``*reduced``), which does, and a long chain of objects ends the process.
    And where it fails it tells which object it was at: it raises Unfit.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        #: The objects whose function and arguments are being written, so that there is nothing to refer to
        #: yet, by id: how often they began. A tuple with names does once more for each list that holds it.
        self._making: dict[int, int] = {}

    def save(self, subject: Any, save_persistent_id: bool = True) -> None:  # noqa: ARG002
        self.framer.commit_frame()
        known = self.memo.get(id(subject))
        if known is not None:
            self.write(self.get(known[0]))
            return
        reduced = self.reducer_override(subject)
        if reduced is NotImplemented:
            plain = self.dispatch.get(type(subject))
            if plain is not None:
                plain(self, subject)
                return
            if isinstance(subject, type):
                self.save_global(subject)
                return
            by_table = copyreg.dispatch_table.get(type(subject))
            reduced = subject.__reduce_ex__(PROTOCOL) if by_table is None else by_table(subject)
        try:
            if isinstance(reduced, str):
                self.save_global(subject, reduced)
                return
            times = self._making[id(subject)] = self._making.get(id(subject), 0) + 1
            if times > _MOST_TIMES:
                raise TypeError("its __reduce__ returned itself among the arguments to make it from")
            state, items, pairs, setter = (*reduced[2:], None, None, None, None)[:4]
            self.save_reduce(reduced[0], reduced[1], state, items, pairs, setter, obj=subject)
        except (RecursionError, KeyboardInterrupt):
            raise
        except Unfit as unfit:
            if len(unfit.subjects) < _MOST_AROUND:
                unfit.subjects.append(subject)
            raise
        except BaseException as error:  # an object that asks to exit is no reason to
            raise Unfit(subject, error) from None
        finally:
            self._making.pop(id(subject), None)

    def memoize(self, subject: Any) -> None:
        self._making.pop(id(subject), None)
        super().memoize(subject)
