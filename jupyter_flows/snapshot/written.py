"""Which large buffers were not written to since they were last hashed, as the kernel of Linux knows it.

Pages are write-protected through userfaultfd in its asynchronous mode: the first write to a page costs one
fault inside the kernel, and the ioctl PAGEMAP_SCAN tells which pages were written, well below a
millisecond for a gigabyte that nobody touched. A part whose pages are all clean has the chunk it had.

Why this is sound:

- What is known belongs to addresses, not to objects: other objects at the same place were written there.
- Pages are protected *before* they are read and hashed, in one step with asking which were written, so a
  write by another thread at any time is seen at the next question.
- Buffers share pages at their ends: whoever protects a written page forgets all parts that lie on it.
- A page that is not in memory (given back by madvise, never touched, swapped out) counts as written.
- Memory that was mapped anew is not registered: the question fails, and everything there is forgotten.
- Only private anonymous memory takes part. Shared memory and files, which others may write, are always
  hashed.
- A fork loses the registration, and the descriptors lead to the parent: the child starts with a tracker of
  its own.

What it cannot see: a device that writes into pinned memory without a fault (CUDA's host buffers, registered
buffers of io_uring).

Elsewhere (another system, an older kernel than 6.7, a container that forbids it) there is no tracker, and
every buffer is hashed as before. The environment variable JUPYTER_FLOWS_TRACKER=off does the same.
"""

from __future__ import annotations

import bisect
import contextlib
import ctypes
import fcntl
import mmap
import os
import platform
import struct
import sys
import threading
import weakref
from collections.abc import Sequence
from typing import Any

#: Part of a chunk: its name, the first byte and the number of bytes, counted in what it holds.
Reference = tuple[str, int, int]
#: Smaller buffers (bytes) are hashed faster than asked about.
WATCHED_BYTES = 256 * 1024
_SYSTEM_CALL = {"x86_64": 323, "aarch64": 282}
_USER_MODE_ONLY = 1
_API, _REGISTER, _SCAN = 0xC018AA3F, 0xC020AA00, 0xC0606610
_FEATURES = 1 << 15 | 1 << 13  # WP_ASYNC, WP_UNPOPULATED
_REGISTER_FOR_WRITES = 1 << 1
_PROTECT_MATCHING, _CHECK_REGISTERED = 1 << 0, 1 << 1
_IS_WRITTEN, _IS_PRESENT = 1 << 1, 1 << 3
_SPANS = 512
_MANY_REGIONS = 4096
_NEAR = 256 * 1024
# Pages no further apart (bytes) are asked about at once.
_CLOSE = 16 * 4096
_FEW = 64
_PAGE = mmap.PAGESIZE

Span = tuple[int, int]


class _Region:
    """One buffer: where its parts begin (bytes from its start), and what is known of each."""

    def __init__(self, start: int, ends: Sequence[int]) -> None:
        self.start = start
        self.ends = tuple(ends)
        self.references: list[Reference | None] = [None] * len(self.ends)

    @property
    def end(self) -> int:
        return self.start + self.ends[-1]

    def forget(self, span: Span) -> None:
        """Nothing is known any more of the parts that touch these bytes."""
        first = bisect.bisect_right(self.ends, max(span[0] - self.start, 0))
        for number in range(first, len(self.ends)):
            begins = self.start + (self.ends[number - 1] if number else 0)
            if begins >= span[1]:
                return
            self.references[number] = None


class PageSet:
    """Pages that somebody wants to hear of: which were written since the last question.

    `pages` has their addresses, as a sorted array of NumPy's.
    """

    def __init__(self, pages: Any) -> None:
        import numpy

        self._numpy = numpy
        self.pages = pages
        self.written = numpy.ones(len(pages), "?")
        #: Those whose writes the kernel does not tell: they always count as written.
        self.untold = numpy.zeros(len(pages), "?")
        self.spans: list[Span] = []

    def note(self, starts: Any, ends: Any) -> None:
        """Everything between these addresses was written."""
        first = self._numpy.searchsorted(self.pages, self._numpy.array(starts, "u8"))
        last = self._numpy.searchsorted(self.pages, self._numpy.array(ends, "u8"))
        if len(first) <= _FEW:
            for begin, end in zip(first.tolist(), last.tolist(), strict=True):
                self.written[begin:end] = True
            return
        change = self._numpy.zeros(len(self.pages) + 1, "i4")
        self._numpy.add.at(change, first, 1)
        self._numpy.add.at(change, last, -1)
        self.written |= self._numpy.cumsum(change[:-1]) > 0

    def take(self) -> Any:
        """The numbers of the pages written since this was last called."""
        found = self._numpy.flatnonzero(self.written | self.untold)
        self.written[:] = False
        return found

    def divide(self, mappings: Sequence[Span]) -> list[Span]:
        """Find `spans`, runs of pages that can be asked about; returns what has to be registered."""
        self.spans = []
        self.untold[:] = True
        outer = []
        for start, end in mappings:
            first, last = self._numpy.searchsorted(self.pages, [start, end]).tolist()
            if first == last:
                continue
            self.untold[first:last] = False
            mine = self.pages[first:last].astype("i8")
            breaks = self._numpy.flatnonzero(self._numpy.diff(mine) > _CLOSE)
            begins = [int(mine[0]), *mine[breaks + 1].tolist()]
            ends = [*mine[breaks].tolist(), int(mine[-1])]
            self.spans += [(begin, end + _PAGE) for begin, end in zip(begins, ends, strict=True)]
            outer.append((int(mine[0]), int(mine[-1]) + _PAGE))
        return outer


class WrittenPages:
    """Asks the kernel of Linux. Raises OSError where it does not offer this."""

    def __init__(self) -> None:
        self.process = os.getpid()
        number = _SYSTEM_CALL.get(platform.machine())
        if sys.platform != "linux" or number is None:
            raise OSError("there is no userfaultfd here")
        self._lock = threading.Lock()
        self._regions: dict[tuple[int, tuple[int, ...]], _Region] = {}
        self._sets: weakref.WeakSet[PageSet] = weakref.WeakSet()
        library = ctypes.CDLL(None, use_errno=True)
        self._faults = library.syscall(number, os.O_CLOEXEC | os.O_NONBLOCK | _USER_MODE_ONLY)
        if self._faults < 0:
            raise OSError(ctypes.get_errno(), "userfaultfd is forbidden")
        try:
            fcntl.ioctl(self._faults, _API, bytearray(struct.pack("QQQ", 0xAA, _FEATURES, 0)))
            self._pages = os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            os.close(self._faults)
            raise
        self._spans = (ctypes.c_uint64 * (3 * _SPANS))()

    def close(self) -> None:
        os.close(self._pages)
        os.close(self._faults)

    def known(self, start: int, ends: Sequence[int]) -> list[Reference | None]:
        """What is still known of the parts of a buffer; from now on writes to the others are watched too.

        Arguments: `start`, the address; `ends`, where its parts end, in bytes from there.
        """
        with self._lock:
            key = (start, tuple(ends))
            region = self._regions.get(key)
            if region is None:
                if len(self._regions) >= _MANY_REGIONS:
                    self._regions.clear()
                region = self._regions[key] = _Region(start, ends)
                self._register(region)
            span = _on_pages(region.start, region.end)
            try:
                written = self._protect(span)
            except OSError:  # mapped anew meanwhile
                self._forget([span])
                if not self._register(region):
                    return [None] * len(region.ends)
                written = self._protect(span)
            self._forget(written)
            return list(region.references)

    def learn(self, start: int, ends: Sequence[int], references: Sequence[Reference]) -> None:
        """The parts of a buffer, hashed after `known` was asked for it."""
        with self._lock:
            region = self._regions.get((start, tuple(ends)))
            if region is not None:
                region.references = list(references)

    def watch(self, pages: Any) -> PageSet:
        """From now on writes to these pages are watched, as long as the set is kept."""
        found = PageSet(pages)
        with self._lock:
            self._sets.add(found)
            for span in found.divide(_private_mappings()):
                request = struct.pack("QQQQ", span[0], span[1] - span[0], _REGISTER_FOR_WRITES, 0)
                with contextlib.suppress(OSError):
                    fcntl.ioctl(self._faults, _REGISTER, bytearray(request))
        self.written(found)
        return found

    def written(self, pages: PageSet) -> Any:
        """The numbers of those pages written since the last question, which are watched anew."""
        with self._lock:
            lost = False
            for span in pages.spans:
                try:
                    self._forget(self._protect(span))
                except OSError:  # mapped anew, or it never worked: what is there has to be looked at
                    lost = True
                    pages.note([span[0]], [span[1]])
                    self._forget([span])
            found = pages.take()
            if lost:
                pages.written[found] = True  # and again, until somebody watches it anew
            return found

    def _register(self, region: _Region) -> bool:
        """Whether writes there can be watched; what was known of this memory is forgotten."""
        span = _on_pages(region.start, region.end)
        self._forget([span])
        try:
            if not _is_private_memory(span):
                raise OSError("it is not private memory")
            request = struct.pack("QQQQ", span[0], span[1] - span[0], _REGISTER_FOR_WRITES, 0)
            fcntl.ioctl(self._faults, _REGISTER, bytearray(request))
        except OSError:
            self._regions.pop((region.start, region.ends), None)
            return False
        return True

    def _forget(self, spans: Sequence[Span]) -> None:
        if not spans:
            return
        first, last = spans[0][0], spans[-1][1]
        for region in self._regions.values():
            if first < region.end and region.start < last:
                for span in spans:
                    if span[0] < region.end and region.start < span[1]:
                        region.forget(span)

    def _protect(self, span: Span) -> list[Span]:
        """The written pages, protected again in the same step. Raises OSError for memory not registered."""
        found: list[Span] = []
        at, end = span
        while at < end:
            request = bytearray(
                struct.pack(
                    "12Q",
                    *(96, _PROTECT_MATCHING | _CHECK_REGISTERED, at, end, 0),
                    *(ctypes.addressof(self._spans), _SPANS, 0),
                    *(_IS_PRESENT, 0, _IS_WRITTEN | _IS_PRESENT, _IS_WRITTEN),
                )
            )
            count = fcntl.ioctl(self._pages, _SCAN, request)
            for number in range(count):
                _add(found, (self._spans[3 * number], self._spans[3 * number + 1]))
            if count and self._sets:
                starts, ends = self._spans[: 3 * count : 3], self._spans[1 : 3 * count : 3]
                for pages in self._sets:
                    pages.note(starts, ends)
            at = struct.unpack_from("Q", request, 32)[0]
        return found


def _on_pages(start: int, end: int) -> Span:
    return start // _PAGE * _PAGE, -(-end // _PAGE) * _PAGE


def _add(spans: list[Span], span: Span) -> None:
    """Near spans become one: forgetting too much is sound, and thousands of spans are slow."""
    if spans and span[0] - spans[-1][1] <= _NEAR:
        spans[-1] = (spans[-1][0], span[1])
    else:
        spans.append(span)


def address(memory: memoryview) -> int | None:
    """Where contiguous memory begins; None while NumPy, which knows it, is not imported."""
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return None
    return int(numpy.frombuffer(memory, "u1").__array_interface__["data"][0])


def _private_mappings() -> list[Span]:
    """Private memory without a file, neighbours joined."""
    found: list[Span] = []
    with open("/proc/self/maps", "rb") as lines:
        for line in lines:
            place, rights, _, _, inode, *_ = line.split(maxsplit=5)
            if rights != b"rw-p" or inode != b"0":
                continue
            start, end = (int(part, 16) for part in place.split(b"-"))
            if found and found[-1][1] == start:
                found[-1] = (found[-1][0], end)
            else:
                found.append((start, end))
    return found


def _is_private_memory(span: Span) -> bool:
    """Whether all of it is private memory without a file."""
    at = span[0]
    with open("/proc/self/maps", "rb") as lines:
        for line in lines:
            place, rights, _, _, inode, *_ = line.split(maxsplit=5)
            first, _, last = place.partition(b"-")
            start, end = int(first, 16), int(last, 16)
            if end <= at:
                continue
            if start > at or rights[3:4] != b"p" or inode != b"0":
                return False
            at = end
            if at >= span[1]:
                return True
    return False


class _Tracker:
    """The one of this process, made when it is first asked for."""

    pages: WrittenPages | None = None
    is_made = False
    process = 0


def tracker() -> WrittenPages | None:
    """The tracker of this process; None where there is none."""
    if _Tracker.process != os.getpid():
        _forget_parents()
    if not _Tracker.is_made:
        _Tracker.is_made, _Tracker.process = True, os.getpid()
        if os.environ.get("JUPYTER_FLOWS_TRACKER") != "off":
            try:
                _Tracker.pages = WrittenPages()
            except (OSError, AttributeError):
                _Tracker.pages = None
    return _Tracker.pages


def _forget_parents() -> None:
    parents, _Tracker.pages, _Tracker.is_made, _Tracker.process = _Tracker.pages, None, False, 0
    if parents is not None:
        parents.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parents)
