"""How an input or output of an execution is kept: as JSON, or as a small snapshot of its own."""

from __future__ import annotations

from typing import Any

import msgspec


class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One input, output or argument.

    Either `manifest` is None and `json` is the value itself, exactly; or `manifest` holds the bytes
    of a snapshot manifest (see `jupyter_flows.snapshot`) whose chunks are named in `chunks`, and
    `type` and `text` say to a person what it is. The engine never unpickles a value.
    """

    json: Any = None
    manifest: bytes | None = None
    chunks: tuple[str, ...] = ()
    type: str = ""
    text: str = ""

    @property
    def is_json(self) -> bool:
        return self.manifest is None

    def shown(self) -> Any:
        """The value as JSON for a person: itself, or ``{"type": …, "text": …}``."""
        return self.json if self.is_json else {"type": self.type, "text": self.text}
