"""A webhook, from the route that makes it to what its URL answered. It is made for the run, paused,
and taken away; the token's tenant is told nothing by it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from infra.smoke.live import Live, NotShown, check, expect
from infra.smoke.paths import call

HOOKS = "/v1/webhooks"
SCOPES = "set SMOKE_TOKEN to a token with the scopes manage and mailboxes:all"


@check("a webhook is sent a test call: API, queue, function, DNS and TLS")
def told(live: Live) -> None:
    with _made(live) as hook:
        place = f"{HOOKS}/{hook['id']}"
        shown = call(live, place, live.token, "PATCH", {"status": "paused"})[1]
        expect(shown.get("status") == "paused", "it cannot be paused")
        listed = call(live, HOOKS, live.token)[1].get("items", [])
        expect(any(each["id"] == hook["id"] for each in listed), "it is not listed")
        asked = call(live, f"{place}/test", live.token, "POST")[0]
        expect(asked == 202, f"a test call was answered {asked}")
        (sent,) = live.until(lambda: _sent(live, place), "nothing was sent in a minute")
        expect(sent["event"]["type"] == "Test", f"sent {sent['event']['type']}")
        expect(sent["http_status"], f"its URL was not reached: {sent['code']}")
    gone = call(live, place, live.token)[0]
    expect(gone == 404, "it was not taken away")


@check("a webhook to an address, or another port, is refused")
def refused(live: Live) -> None:
    for url in ("https://127.0.0.1/", "https://169.254.169.254/", "https://example.com:8443/"):
        status, _ = call(live, HOOKS, _token(live), "POST", {"url": url})
        _must_be_allowed(status)
        expect(status == 422, f"{url} was answered {status}")


def _sent(live: Live, place: str) -> list[dict[str, Any]]:
    items = call(live, f"{place}/deliveries", live.token)[1].get("items", [])
    return [item for item in items if item["attempts"]]


@contextmanager
def _made(live: Live) -> Iterator[dict[str, Any]]:
    """To `live.hook_url`, which answers anything at all."""
    body = {"url": live.hook_url, "description": "smoke", "types": ["JobFinished"]}
    status, hook = call(live, HOOKS, _token(live), "POST", body)
    _must_be_allowed(status)
    if status == 409:
        raise NotShown("the tenant has as many webhooks as it may")
    expect(status == 201, f"answered {status}")
    try:
        yield hook
    finally:
        call(live, f"{HOOKS}/{hook['id']}", live.token, "DELETE")


def _token(live: Live) -> str:
    if not live.token:
        raise NotShown(SCOPES)
    return live.token


def _must_be_allowed(status: int) -> None:
    if status == 403:
        raise NotShown(SCOPES)
