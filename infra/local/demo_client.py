"""The demos' HTTP client: the real API on its port, one tenant's token, no short cuts."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

TIMEOUT = 60  # seconds
Json = dict[str, Any]


class RefusedError(Exception):
    """The API answered an error; `code` of its problem details."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code


class Client:
    def __init__(self, base_url: str, token: str) -> None:
        self._base_url = base_url
        self._token = token

    def get(self, path: str) -> Json:
        return self._ask("GET", path)

    def put(self, path: str, body: Json | None = None) -> Json:
        return self._ask("PUT", path, body)

    def patch(self, path: str, body: Json) -> Json:
        return self._ask("PATCH", path, body)

    def post(self, path: str, body: Json | None = None) -> Json:
        return self._ask("POST", path, body)

    def delete(self, path: str) -> None:
        self._ask("DELETE", path)

    def items(self, path: str) -> Iterator[Json]:
        """Every item of a list, page by page."""
        cursor, glue = "", "&" if "?" in path else "?"
        while True:
            page = self.get(f"{path}{glue}limit=100{cursor}")
            yield from page["items"]
            if page["next"] is None:
                return
            cursor = f"&cursor={page['next']}"

    def _ask(self, method: str, path: str, body: Json | None = None) -> Json:
        """Raises RefusedError."""
        request = urllib.request.Request(  # noqa: S310  our own loopback address
            self._base_url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/json",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310  same
                text = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                raise _refused(error.code, error.read()) from None
        return json.loads(text) if text else {}


def _refused(status: int, text: bytes) -> RefusedError:
    told = json.loads(text) if text.startswith(b"{") else {}
    detail = told.get("detail", told.get("message", ""))
    places = "; ".join(f"{e['pointer']}: {e['detail']}" for e in told.get("errors", ()))
    return RefusedError(status, told.get("code", ""), f"{detail} {places}".strip())
