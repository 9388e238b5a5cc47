"""The owner's key: savepoints are signed with it, and nothing of a wrong signature is unpickled.

The key is the text of the environment variable JUPYTER_FLOWS_KEY, else the content of a file of mode 0600 in
Jupyter's data directory, made at its first use.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from functools import lru_cache
from pathlib import Path

from ..errors import SavepointError

SIGNATURE_BYTES = 32
_KEY_BYTES = 32


def signature(content: bytes) -> bytes:
    """HMAC-SHA256 of `content` with the owner's key. Raises SavepointError when the key cannot be had."""
    return hmac.digest(_key(os.environ.get("JUPYTER_FLOWS_KEY"), _directory()), content, "sha256")


def check(content: bytes, claimed: bytes) -> None:
    """Raises SavepointError unless `claimed` is the signature of `content`."""
    if not hmac.compare_digest(signature(content), claimed):
        raise SavepointError(
            "the savepoint's signature does not match: it was changed, or made with another key. "
            "Set JUPYTER_FLOWS_KEY to the key that it was made with"
        )


def _directory() -> str:
    # Asked each time, without importing jupyter_core where the environment answers.
    return os.environ.get("JUPYTER_DATA_DIR", "")


@lru_cache(maxsize=8)
def _key(from_environment: str | None, directory: str) -> bytes:
    if from_environment:
        return hashlib.sha256(from_environment.encode()).digest()
    if not directory:
        from jupyter_core.paths import jupyter_data_dir

        directory = jupyter_data_dir()
    path = Path(directory) / "jupyter_flows" / "savepoint.key"
    try:
        return _read_or_make(path)
    except OSError as error:
        raise SavepointError(
            f"the key that savepoints are signed with cannot be read or made ({error}): make {path} "
            "writable, or set JUPYTER_FLOWS_KEY"
        ) from error


def _read_or_make(path: Path) -> bytes:
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(secrets.token_bytes(_KEY_BYTES))
            os.fsync(stream.fileno())
        try:
            os.link(unfinished, path)  # the first of several processes wins
        except FileExistsError:
            pass
        finally:
            unfinished.unlink()
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    key = path.read_bytes()
    if len(key) < _KEY_BYTES:
        raise SavepointError(
            f"{path} is no key: restore it from a backup, or remove it and lose old savepoints"
        )
    return key
