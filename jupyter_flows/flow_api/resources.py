"""What all executions of a store share: settings, their locks, and files."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from typing import Any

from .. import model
from ..errors import InvalidInputError
from .arguments import as_seconds
from .pending import Pending
from .runtime import current


class Resource:
    """What all executions of a store share, by name."""

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name or "\0" in name:
            raise InvalidInputError(f"{name!r} is not a name")
        self.name = name

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.name == self.name

    def __hash__(self) -> int:
        return hash((type(self), self.name))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    def _learn(self, answer: model.Answer) -> None:
        """It keeps nothing but its name."""


class Setting(Resource):
    """A named JSON value that all flows share, and the lock of that name, which needs no value.

    Several flows that read a setting, change it and save it hold its lock meanwhile.
    """

    def get(self, *fields: str) -> Any:
        """``get('value')``; also ``version`` (counts the saves), ``saved_at`` and ``saved_by``.

        Raises ResourceNotFoundError for a setting that was never saved.
        """
        call = model.GetSetting(name=self.name, fields=fields or ("value",))
        return current().perform(self.get, call, Pending("setting"))

    def save(self, *, value: Any) -> Setting:
        """Write the value, which must be JSON. Returns itself. Raises InvalidInputError for other values."""
        try:
            text = json.dumps(value, allow_nan=False, ensure_ascii=False)
            text.encode()
            plain = json.loads(text)
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidInputError(
                f"the setting {self.name!r} can only keep JSON: {error}", setting=self.name
            ) from None
        call = model.SaveSetting(name=self.name, value=plain)
        saved: Setting = current().perform(self.save, call, Pending("subject", self))
        return saved

    def exists(self) -> bool:
        """Whether it was ever saved."""
        found: bool = current().perform(self.exists, model.GetSetting(name=self.name), Pending("presence"))
        return found

    def delete(self) -> None:
        """Forget the value. One that is not there stays so."""
        current().perform(self.delete, model.DeleteSetting(name=self.name), Pending("nothing"))

    def acquire(self, timeout: float | None = None) -> Setting:
        """Take the lock; wait for it, without a slot, in the order of asking. Returns itself.

        It is released by `release` and when the execution ends; one that holds it gets it again. Raises
        LockTimeoutError when it is not free within `timeout` seconds.
        """
        call = model.AcquireLock(name=self.name, timeout=as_seconds(timeout, "timeout"))
        acquired: Setting = current().perform(self.acquire, call, Pending("subject", self))
        return acquired

    def release(self) -> Setting:
        """Let the next one have the lock. Returns itself. Raises ConflictError when it is not held here."""
        call = model.ReleaseLock(name=self.name)
        released: Setting = current().perform(self.release, call, Pending("subject", self))
        return released


class File(Resource):
    """Named bytes that all flows share; they lie in the store, not on a disk."""

    def save_text_content(self, content: str) -> File:
        """As UTF-8. Returns itself."""
        if not isinstance(content, str):
            raise InvalidInputError(f"a text is wanted, not {type(content).__name__}", file=self.name)
        return self._save(self.save_text_content, content.encode())

    def save_bytes_content(self, content: bytes | bytearray | memoryview) -> File:
        """Returns itself."""
        if not isinstance(content, bytes | bytearray | memoryview):
            raise InvalidInputError(f"bytes are wanted, not {type(content).__name__}", file=self.name)
        return self._save(self.save_bytes_content, bytes(content))

    def save_base64_content(self, content: str | bytes) -> File:
        """Decodes `content`. Returns itself. Raises InvalidInputError for what is not base64."""
        try:
            decoded = base64.b64decode(content, validate=True)
        except (binascii.Error, ValueError, TypeError) as error:
            raise InvalidInputError(f"this is not base64: {error}", file=self.name) from None
        return self._save(self.save_base64_content, decoded)

    def _save(self, callee: Callable[..., Any], content: bytes) -> File:
        encoded = {"content": current().encode(content, self.name)}
        call = model.SaveFile(name=self.name, inputs=encoded, size=len(content))
        # What it returns is handed in by the call's outcome: after a restore this line is not run.
        saved: File = current().perform(callee, call, Pending("subject", self))
        return saved

    def get_text_content(self) -> str:
        """Raises ResourceNotFoundError, and InvalidInputError when it is not UTF-8."""
        text: str = current().perform(self.get_text_content, model.GetFile(name=self.name), Pending("text"))
        return text

    def get_bytes_content(self) -> bytes:
        """Raises ResourceNotFoundError."""
        content: bytes = current().perform(
            self.get_bytes_content, model.GetFile(name=self.name), Pending("bytes")
        )
        return content

    def get_base64_content(self) -> str:
        """Raises ResourceNotFoundError."""
        text: str = current().perform(
            self.get_base64_content, model.GetFile(name=self.name), Pending("base64")
        )
        return text

    def exists(self) -> bool:
        found: bool = current().perform(self.exists, model.GetFile(name=self.name), Pending("presence"))
        return found

    def delete(self) -> None:
        """One that is not there stays so."""
        current().perform(self.delete, model.DeleteFile(name=self.name), Pending("nothing"))
