"""The connector REST: one HTTP request, by httpx."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

from ..errors import ConnectorError, InvalidInputError, TimeoutExceededError
from .connector import ConnectorContext, decode_inputs

_SHOWN_CHARACTERS = 500

_Simple = str | int | float | bool | None


class RESTInputs(msgspec.Struct, frozen=True, kw_only=True):
    """What `connect(connector_type='REST', …)` takes.

    `params` go into the query. The body is `json`, or `data`: a dict as a form, text or bytes as they
    are. `timeout` in seconds for each step (connect, write, read), None for no limit. `auth` is
    [user, password], or a text that is sent as a bearer token. `verify` False trusts any certificate;
    a text is the file of the authority to trust, from the flow's directory. `raise_for_status`: an
    answer of 400 and above is an error.
    """

    url: str
    method: str = "GET"
    params: dict[str, _Simple | list[_Simple]] | None = None
    headers: dict[str, str | int | float] | None = None
    json: Any = None
    data: Any = None
    timeout: float | None = 30.0
    auth: tuple[str, str] | str | None = None
    verify: bool | str = True
    follow_redirects: bool = True
    raise_for_status: bool = True


class RESTConnector:
    """Makes the request, with the header ``Idempotency-Key``, which is the same in every repetition.

    Outputs: `status_code`, `headers` (names in lower case), `url` (after redirects), and the body as `json`,
    `text` or `content` (bytes), by its content type.
    """

    def run(self, inputs: Mapping[str, Any], context: ConnectorContext) -> dict[str, Any]:
        given = decode_inputs(inputs, RESTInputs, "REST")
        if given.json is not None and given.data is not None:
            raise InvalidInputError("The connector REST takes either json or data as the body, not both.")
        if not isinstance(given.data, dict | str | bytes | None):
            raise InvalidInputError("The input data of the connector REST is a dict, a text or bytes.")
        asked = _shown(given)
        with _errors(asked, given), _client(given, Path(context.directory)) as client:
            answer = client.request(given.method.upper(), given.url, **_request(given, context))
            body = _body(answer)
        if given.raise_for_status and answer.status_code >= 400:
            text = answer.text[:_SHOWN_CHARACTERS].strip()
            raise ConnectorError(
                f"{asked} answered {answer.status_code} {answer.reason_phrase}{': ' if text else ''}{text}",
                status_code=str(answer.status_code),
            )
        return {
            "status_code": answer.status_code,
            "headers": dict(answer.headers),
            "url": _without_secrets(answer.url),
            **body,
        }


def _client(given: RESTInputs, directory: Path) -> httpx.Client:
    verify: Any = given.verify
    if isinstance(verify, str):
        import ssl

        verify = ssl.create_default_context(cafile=str(directory / verify))
    return httpx.Client(timeout=given.timeout, verify=verify, follow_redirects=given.follow_redirects)


def _request(given: RESTInputs, context: ConnectorContext) -> dict[str, Any]:
    headers = httpx.Headers({"Idempotency-Key": context.idempotency_key})
    headers.update({name: str(value) for name, value in (given.headers or {}).items()})
    request: dict[str, Any] = {"headers": headers}
    if isinstance(given.auth, str):
        headers["Authorization"] = f"Bearer {given.auth}"
    elif given.auth is not None:
        request["auth"] = given.auth
    if given.params is not None:
        request["params"] = given.params
    if given.json is not None:
        request["json"] = given.json
    elif isinstance(given.data, dict):
        request["data"] = given.data
    elif given.data is not None:
        request["content"] = given.data
    return request


def _body(answer: httpx.Response) -> dict[str, Any]:
    kind = answer.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        try:
            return {"json": answer.json()}
        except ValueError:
            return {"text": answer.text}
    texts = ("application/xml", "application/javascript", "application/x-www-form-urlencoded", "")
    if kind.startswith("text/") or kind.endswith("+xml") or kind in texts:
        # Without a content type only what is text for certain is taken for text.
        try:
            return {"text": answer.text if kind else answer.content.decode()}
        except UnicodeDecodeError:
            pass
    return {"content": answer.content}


@contextmanager
def _errors(asked: str, given: RESTInputs) -> Iterator[None]:
    try:
        yield
    except httpx.TimeoutException:
        raise TimeoutExceededError(
            f"{asked} did not answer within {given.timeout} seconds. Give a longer timeout, or None."
        ) from None
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        raise InvalidInputError(
            f"{asked}: the url must start with http:// or https:// and name a host."
        ) from None
    except httpx.HTTPError as error:
        raise ConnectorError(f"{asked} failed: {error or type(error).__name__}") from None
    except (TypeError, ValueError, OSError) as error:
        raise InvalidInputError(f"{asked} cannot be sent: {type(error).__name__}: {error}") from None


def _shown(given: RESTInputs) -> str:
    try:
        url = _without_secrets(httpx.URL(given.url))
    except httpx.InvalidURL:
        url = "(the url)"
    return f"{given.method.upper()} {url}"


def _without_secrets(url: httpx.URL) -> str:
    """The URL as messages show it: passwords live before the host, and tokens in the query."""
    return str(url.copy_with(username=None, password=None, query=None, fragment=None))
