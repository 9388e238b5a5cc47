"""The door to what is watched: NumPy is imported, and layouts are tried, when there is first a large group.

A kernel that keeps a handful of numbers starts no library's threads and pays nothing for this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .written import WrittenPages, tracker

if TYPE_CHECKING:
    from .watching import Watching

#: Groups with fewer objects are pickled faster than looked after.
MANY_OBJECTS = 2000


class _Own:
    watching: Watching | None = None
    pages: WrittenPages | None = None
    is_impossible = False


def watching(is_needed: bool = False) -> Watching | None:
    """What this process watches: None until it `is_needed`, and where nothing can be watched."""
    if _Own.watching is None and not is_needed:
        return None  # a tracker holds files open
    pages = tracker()
    if pages is not _Own.pages:  # of a parent that this process was forked from
        if _Own.watching is not None:
            _Own.watching.close()
        _Own.pages, _Own.watching = pages, None
    if _Own.watching is None and is_needed and pages is not None and not _Own.is_impossible:
        try:
            from .walking import layouts_are_known
            from .watching import Watching

            if layouts_are_known():
                _Own.watching = Watching(pages)
        except (ImportError, OSError):
            pass
        _Own.is_impossible = _Own.watching is None
    return _Own.watching
