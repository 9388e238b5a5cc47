"""The memory of this process, read as bytes: what was read is remembered, and can be compared later.

An `Image` copies the pages that it is asked for and marks every piece of four bytes that is read from it.
What somebody learned from an image is a function of the marked bytes alone. So while they are what they
were, asking again would give the same answers: that is the `Footprint`, one mask and one digest for each
page. Nothing else on those pages counts: other objects, reference counts, the collector's heads.

Pages are read through /proc/self/mem, never through a pointer: memory that is gone is an error there, and
never a crash. The copy is laid out as the addresses are, with nothing in the gaps, so a place is found by a
subtraction. It is let go of as soon as the footprint is made.
"""

from __future__ import annotations

import contextlib
import itertools
import mmap
import os
from collections.abc import Iterator
from typing import Any

import numpy
import xxhash

PAGE = 4096
WORDS = PAGE // 8
LANES = PAGE // 4
_BLOCK = 256
# Mappings further apart (bytes) are copied to places of their own.
_FAR = 1 << 36
_MOST_ZONES = 8
_MOST_SPAN = 1 << 38
# A run of items from this length on (words) is marked by itself.
_LONG_RUN = 4096


class Unfit(Exception):
    """What is there cannot be described by the bytes of its memory."""


class Memory:
    """Reads pages of this process."""

    def __init__(self) -> None:
        self._file = os.open("/proc/self/mem", os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        os.close(self._file)

    def read_into(self, target: Any, address: int) -> bool:
        """Fill `target`; False where not all of that memory is there."""
        done, total = 0, len(target)
        while done < total:
            try:
                count = os.preadv(self._file, [target[done:]], address + done)
            except OSError:
                return False
            if not count:
                return False
            done += count
        return True


class Footprint:
    """What was read of each page: its address, which pieces of four bytes, and their digest."""

    def __init__(self, pages: Any, masks: Any, digests: Any) -> None:
        self.pages = pages
        self._masks = masks
        self._digests = digests

    def __len__(self) -> int:
        return len(self.pages)

    def is_same(self, memory: Memory, numbers: Any) -> bool:
        """Whether what was read of the pages with these numbers (sorted) is still there, to the byte."""
        room: Any = numpy.empty((_BLOCK, WORDS), "u8")
        view = memoryview(room).cast("B")
        for start in range(0, len(numbers), _BLOCK):
            block = numbers[start : start + _BLOCK]
            for first, count in _runs(self.pages[block] // PAGE):
                target = view[first * PAGE : (first + count) * PAGE]
                if not memory.read_into(target, int(self.pages[block[first]])):
                    return False
            found = _digests_of(room[: len(block)], numpy.unpackbits(self._masks[block], axis=1))
            if not numpy.array_equal(found, self._digests[block]):
                return False
        return True


class Image:
    """Copies of pages. Places are counted in words of eight bytes; `most_bytes` bounds what is copied."""

    def __init__(self, memory: Memory, most_bytes: int) -> None:
        self._memory = memory
        self._left = most_bytes // PAGE
        self._zones = _zones()
        starts, ends, shifts, at = [], [], [], WORDS
        for start, end in self._zones:
            starts.append(start)
            ends.append(end)
            shifts.append(at - start // 8)
            at += (end - start) // 8 + 2 * WORDS
        self._starts, self._ends = numpy.array(starts, "u8"), numpy.array(ends, "u8")
        self._shifts = numpy.array(shifts, "i8")
        self._mappings: list[mmap.mmap] = []
        self._bytes = self._reserve(at * 8)
        self.words = numpy.frombuffer(self._mappings[0], "u8")
        self._lanes = self.words.view("u4")
        self._reserve(at * 2)
        self._marks = numpy.frombuffer(self._mappings[1], "u1")
        self._word_marks = self._marks.view("u2")
        self._reserve(at)
        #: For each place, whether somebody was here: not read here, only kept.
        self.seen = numpy.frombuffer(self._mappings[2], "u1")
        self._has = numpy.zeros(at // WORDS + 1, "?")

    def _reserve(self, size: int) -> memoryview:
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0x4000)
        try:
            mapping = mmap.mmap(-1, size, flags=flags)
        except (OSError, ValueError, OverflowError) as error:
            raise Unfit(f"no room for a copy: {error}") from error
        self._mappings.append(mapping)
        return memoryview(mapping)

    def close(self) -> None:
        """Let go of the copy."""
        self._bytes.release()
        del self.words, self._lanes, self._marks, self._word_marks, self.seen
        for mapping in self._mappings:
            with contextlib.suppress(BufferError):  # somebody holds a view: it goes with that
                mapping.close()

    # --- places ----------------------------------------------------------------------------------

    def places(self, addresses: Any) -> Any:
        """The places of these addresses (of words). Raises Unfit for what can be none."""
        if not len(addresses):
            return numpy.empty(0, "i8")
        low, high = addresses.min(), addresses.max()
        zone = int(numpy.searchsorted(self._starts, low, side="right")) - 1
        if zone >= 0 and high < self._ends[zone]:
            shifts: Any = self._shifts[zone]
        else:
            zones = numpy.searchsorted(self._starts, addresses, side="right") - 1
            if zones.min() < 0 or (addresses >= self._ends[zones]).any():
                raise Unfit("a pointer leads nowhere")
            shifts = self._shifts[zones]
        if (addresses & 7).any():
            raise Unfit("a pointer is not one to a word")
        return (addresses >> 3).astype("i8") + shifts

    def addresses(self, places: Any) -> Any:
        """The addresses of these places."""
        begins = (self._starts // 8).astype("i8") + self._shifts
        zones = numpy.searchsorted(begins, places, side="right") - 1
        return ((places - self._shifts[zones]) * 8).astype("u8")

    # --- reading ---------------------------------------------------------------------------------

    def have(self, pages: Any) -> None:
        """Copy what is missing of these pages of places."""
        missing = pages[~self._has[pages]]
        if not len(missing):
            return
        missing = numpy.unique(missing)
        self._left -= len(missing)
        if self._left < 0:
            raise Unfit("it is too large to be watched")
        for first, count in _runs(missing):
            page = int(missing[first])
            address = int(self.addresses(numpy.array([page * WORDS]))[0])
            if not self._memory.read_into(self._bytes[page * PAGE : (page + count) * PAGE], address):
                raise Unfit("a pointer leads to memory that is not there")
        self._has[missing] = True

    def read(self, places: Any) -> Any:
        """The words there."""
        self.have(places // WORDS)
        self._word_marks[places] = 0x0101
        return self.words[places]

    def read_half(self, lanes: Any) -> Any:
        """The four bytes there; places are counted in such pieces here."""
        self.have(lanes // LANES)
        self._marks[lanes] = 1
        return self._lanes[lanes]

    def mark(self, lanes: Any, counts: Any) -> None:
        """Read so many pieces of four bytes from each of these places on."""
        long = counts > _LONG_RUN
        if long.any():
            for lane, count in zip(lanes[long].tolist(), counts[long].tolist(), strict=True):
                self.have(numpy.arange(lane // LANES, (lane + count - 1) // LANES + 1))
                self._marks[lane : lane + count] = 1
            lanes, counts = lanes[~long], counts[~long]
        every = expanded(lanes, counts)
        self.have(every // LANES)
        self._marks[every] = 1

    # --- what was read ---------------------------------------------------------------------------

    def footprint(self) -> Footprint:
        """Everything that was read until now."""
        pages = numpy.flatnonzero(self._has)
        marks = self._marks.reshape(-1, LANES)
        words = self.words.reshape(-1, WORDS)
        masks = numpy.empty((len(pages), LANES // 8), "u1")
        digests = numpy.empty(len(pages), "u8")
        for start in range(0, len(pages), _BLOCK):
            block = pages[start : start + _BLOCK]
            masks[start : start + _BLOCK] = numpy.packbits(marks[block], axis=1)
            digests[start : start + _BLOCK] = _digests_of(words[block], marks[block])
        return Footprint(self.addresses(pages * WORDS), masks, digests)


def expanded(starts: Any, counts: Any) -> Any:
    """For each start, `counts` places from there on, one behind the other."""
    counts = counts.astype("i8")
    if not len(counts):
        return numpy.empty(0, "i8")
    least = counts.min()
    if least == counts.max():
        return (starts[:, None] + numpy.arange(least)).ravel()
    ends = numpy.cumsum(counts)
    return numpy.arange(ends[-1]) + numpy.repeat(starts - (ends - counts), counts)


def _digests_of(pages: Any, marks: Any) -> Any:
    """One digest for each page, of the marked pieces alone. `marks` holds ones and zeros."""
    masks = 0 - marks.astype("u4")
    kept = numpy.bitwise_and(pages.view("u4"), masks)
    digest = xxhash.xxh3_64_intdigest
    return numpy.fromiter((digest(page) for page in kept), "u8", len(kept))


def _runs(pages: Any) -> Iterator[tuple[int, int]]:
    """First index and length of each run of neighbours among sorted numbers."""
    breaks = numpy.flatnonzero(numpy.diff(pages.astype("i8")) != 1) + 1
    edges = [0, *breaks.tolist(), len(pages)]
    for first, end in itertools.pairwise(edges):
        if end > first:
            yield first, end - first


def _zones() -> list[tuple[int, int]]:
    """Stretches of addresses that hold all memory that can be read, in order."""
    zones: list[tuple[int, int]] = []
    with open("/proc/self/maps", "rb") as lines:
        for line in lines:
            place, rights, *_ = line.split(maxsplit=2)
            start, end = (int(part, 16) for part in place.split(b"-"))
            if rights[:1] != b"r" or start >= 1 << 47:
                continue
            if zones and start - zones[-1][1] < _FAR:
                zones[-1] = (zones[-1][0], end)
            else:
                zones.append((start, end))
    if len(zones) > _MOST_ZONES or sum(end - start for start, end in zones) > _MOST_SPAN:
        raise Unfit("the memory of this process is too scattered")
    return zones
