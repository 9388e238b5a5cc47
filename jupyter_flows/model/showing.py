"""How values are shown to people: without passwords, and in lists only their beginning."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

MASK = "***"
#: What a list shows of one value, in bytes of JSON, and of how many values.
LONGEST, MOST = 200, 20

# scheme://user:password@host
_PASSWORD = re.compile(r"(\b[\w+.-]+://[^\s/:@'\"]*:)[^\s/@'\"]+(@)")
_SECRET = re.compile(r"passw(or)?d|secret|token|api[_-]?key|authorization|private[_-]?key", re.IGNORECASE)


def masked_text(text: str) -> str:
    """Without the passwords of URLs."""
    return _PASSWORD.sub(rf"\g<1>{MASK}\g<2>", text) if "://" in text else text


def masked(value: Any, name: str = "") -> Any:
    """A JSON value without the passwords of URLs and without what its name calls a secret."""
    if isinstance(value, dict):
        return {key: masked(item, str(key)) for key, item in value.items()}
    if _SECRET.search(name) and value not in (None, "", [], {}):
        return MASK
    if isinstance(value, str):
        return masked_text(value)
    if isinstance(value, list):
        return [masked(item) for item in value]
    return value


def shortened(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as a list shows them: a long one as ``{"type": …, "text": its beginning}``."""
    shown = {name: _short(value) for name, value in list(values.items())[:MOST]}
    if len(values) > MOST:
        shown["…"] = {"type": "more", "text": f"and {len(values) - MOST} more"}
    return shown


def _short(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) < 50):
        return value
    written = msgspec.json.encode(value)
    if len(written) <= LONGEST:
        return value
    text = value if isinstance(value, str) else written[: 4 * LONGEST].decode(errors="ignore")
    return {"type": type(value).__name__, "text": text[:LONGEST] + "…"}
