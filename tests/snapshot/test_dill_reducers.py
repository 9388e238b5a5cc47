"""What only dill knows how to take apart: its parts go into our stream, so sharing survives."""

from __future__ import annotations

import collections
import weakref
from typing import Any

from jupyter_flows import snapshot
from jupyter_flows.snapshot.dill_reducers import reduction_by_dill


def kept(**objects: Any) -> tuple[dict[str, Any], snapshot.Manifest]:
    chunks = snapshot.MemoryChunks()
    saved = snapshot.save({f"globals/{name}": one for name, one in objects.items()}, chunks, namespace={})
    loaded = snapshot.load(saved, chunks, namespace={})
    return {name.removeprefix("globals/"): one for name, one in loaded.items()}, saved


def test_a_proxy_stays_one() -> None:
    subject = Derived()
    objects, saved = kept(subject=subject, proxy=weakref.proxy(subject))
    assert saved.missing == ()
    assert objects["proxy"].who() == "derived"
    assert type(objects["proxy"]) is weakref.ProxyType


def test_a_view_of_an_ordered_dictionary_stays_a_view_of_it() -> None:
    ordered = collections.OrderedDict(a=1)
    objects, saved = kept(ordered=ordered, keys=ordered.keys())
    assert saved.missing == ()
    objects["ordered"]["b"] = 2
    assert list(objects["keys"]) == ["a", "b"]


class Base:
    def who(self) -> str:
        return "base"


class Derived(Base):
    def who(self) -> str:
        return "derived"


def test_super_in_a_variable_still_looks_above() -> None:
    subject = Derived()
    objects, saved = kept(subject=subject, above=super(Derived, subject))
    assert saved.missing == ()
    assert objects["above"].who() == "base"
    assert objects["above"].__self__ is objects["subject"]


def test_bytecode_and_addresses_are_not_kept_by_dill() -> None:
    import datetime

    assert reduction_by_dill(test_bytecode_and_addresses_are_not_kept_by_dill.__code__) is None
    assert reduction_by_dill(datetime.datetime_CAPI) is None  # type: ignore[attr-defined]
