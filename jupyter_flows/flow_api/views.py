"""What calls tell of savepoints, flows and users."""

from __future__ import annotations

from typing import Any

from .. import model
from ..errors import InvalidInputError


class Savepoint:
    """A savepoint in a list: its fields are those of the panels (`created_at`, `action`, `line` …)."""

    def __init__(self, view: model.SavepointView) -> None:
        self._view = view

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._view, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Savepoint) and other._view.id == self._view.id

    def __hash__(self) -> int:
        return hash(self._view.id)

    def __repr__(self) -> str:
        view = self._view
        label = f" {view.name!r}" if view.name else ""
        return f"<Savepoint {view.id}{label} {view.action} line {view.line}>"


class Flow:
    """A flow as `system.flow(name)` finds it: `name`, `path`, `kind`, `title`, `parameters`, `options`."""

    def __init__(self, view: model.FlowView) -> None:
        self._view = view

    def get(self, *fields: str) -> Any:
        """Fields by name: one gives its value, several a dict. Raises InvalidInputError for others."""
        known = self._view.__struct_fields__
        for field in fields:
            if field not in known:
                raise InvalidInputError(f"a flow has no field {field!r}; it has {', '.join(known)}")
        found = {field: getattr(self._view, field) for field in fields}
        return found if len(found) != 1 else next(iter(found.values()))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._view, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Flow) and other._view.path == self._view.path

    def __hash__(self) -> int:
        return hash(self._view.path)

    def __repr__(self) -> str:
        return f"<Flow {self._view.name}>"


class User:
    """The person who started the execution or its ancestor; `name` is None when nobody said."""

    def __init__(self, name: str | None) -> None:
        self.name = name

    def get(self, field: str) -> Any:
        """The only field is ``name``."""
        if field != "name":
            raise InvalidInputError(f"a user has no field {field!r}; it has name")
        return self.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, User) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"<User {self.name}>"
