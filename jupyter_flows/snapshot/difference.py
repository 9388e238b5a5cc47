"""What differs between two savepoints, told from their manifests alone."""

from __future__ import annotations

from typing import Any

from ..model import VariableChange, VariableView
from .manifest import Manifest


def diff(before: Manifest, after: Manifest) -> tuple[VariableChange, ...]:
    """The variables of both savepoints, in the order of `after`, those that are gone behind them."""
    old = {(view.scope, view.name): view for view in before.variables()}
    changes = []
    for view in after.variables():
        former = old.pop((view.scope, view.name), None)
        if former is None:
            kind, detail = "added", ""
        elif former.digest == view.digest and (view.digest or former == view):
            kind, detail = "same", ""
        else:
            kind, detail = "changed", _what_changed(former, view)
        changes.append(
            VariableChange(
                kind=kind, scope=view.scope, name=view.name, detail=detail, before=former, after=view
            )
        )
    changes += [
        VariableChange(kind="removed", scope=view.scope, name=view.name, before=view) for view in old.values()
    ]
    return tuple(changes)


def _what_changed(before: VariableView, after: VariableView) -> str:
    found = []
    if before.type != after.type:
        found.append(f"type {before.type} -> {after.type}")
    if before.shape != after.shape:
        found.append(f"shape {_shape(before)} -> {_shape(after)}")
    elif before.text != after.text and before.type == after.type:
        found.append(f"{before.text} -> {after.text}")
    found += _parts("columns", *({"columns": _columns(view.extra)} for view in (before, after)))
    for what in ("keys", "attributes"):
        found += _parts(what, before.extra, after.extra)
    return "; ".join(found)


def _columns(extra: dict[str, Any]) -> dict[str, Any] | None:
    """Types of columns with what they hold; an empty digest differs from none, so both must have one."""
    kinds, digests = extra.get("columns"), extra.get("digests", {})
    return (
        {name: (kind, digests.get(name)) for name, kind in kinds.items()} if isinstance(kinds, dict) else None
    )


def _parts(what: str, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Columns or keys that came, went or hold something else."""
    old, new = before.get(what), after.get(what)
    if not isinstance(old, dict) or not isinstance(new, dict):
        return []
    added = [key for key in new if key not in old]
    removed = [key for key in old if key not in new]
    changed = [key for key in new if key in old and _differ(old[key], new[key])]
    return [
        f"{what} {verb}: {', '.join(keys[:10])}" + (" …" if len(keys) > 10 else "")
        for verb, keys in (("added", added), ("removed", removed), ("changed", changed))
        if keys
    ]


def _differ(old: Any, new: Any) -> bool:
    """Whether two parts are known to differ: nothing is said of one that has no digest."""
    if isinstance(old, tuple):
        return bool(old[0] != new[0]) or (None not in (old[1], new[1]) and bool(old[1] != new[1]))
    return bool(old and new and old != new)


def _shape(view: VariableView) -> str:
    return "none" if view.shape is None else "×".join(map(str, view.shape))
