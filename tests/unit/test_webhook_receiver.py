"""The receiver of docs/events.md, as written there: it takes what we send, and says of everything
what the `standardwebhooks` package says."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from tests.support.docs_receiver import receiver

from ablage.webhook_wire import body, headers, secret_text

SECRET, FORMER, FOREIGN = (secret_text(bytes([n]) * 32) for n in (1, 2, 3))
EVENT: dict[str, Any] = {
    "id": "6f3c2b0d9a5e4c1f8b7a6d5e4c3b2a19",
    "type": "EmailFiled",
    "at": "2026-11-26T10:15:02.123Z",
    "by": "\u00fcmit",
}
CONTENT = body(EVENT)


def sent(*secrets: str, ago: int = 0) -> dict[str, str]:
    now = int(time.time())
    return headers(secrets or (SECRET,), EVENT["id"], now - ago, CONTENT)


def theirs(found: Mapping[str, str], content: bytes, secret: str) -> dict[str, Any] | None:
    try:
        told: dict[str, Any] = Webhook(secret).verify(content, dict(found))["data"]
    except WebhookVerificationError:
        return None
    return told


@pytest.mark.parametrize("secret", [SECRET, FORMER])
def test_it_takes_what_is_sent_while_two_secrets_sign(secret: str) -> None:
    found = sent(SECRET, FORMER)

    assert receiver()(found, CONTENT, secret) == theirs(found, CONTENT, secret) == EVENT
    assert receiver()(found, CONTENT, FOREIGN) is theirs(found, CONTENT, FOREIGN) is None


def test_it_takes_what_others_of_the_standard_send() -> None:
    now = datetime.now(UTC)
    signature = Webhook(SECRET).sign("msg_1", now, CONTENT.decode())
    found = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": f"v2,bm8= {signature}",
    }

    assert receiver()(found, CONTENT, SECRET) == EVENT


@pytest.mark.parametrize(
    ("changed", "content"),
    [
        ({}, CONTENT.replace(b"EmailFiled", b"EmailHeld ")),
        ({}, CONTENT + b" "),
        ({}, b""),
        ({"webhook-id": "0" * 32}, CONTENT),
        ({"webhook-timestamp": str(int(time.time()) - 1)}, CONTENT),
        ({"webhook-timestamp": ""}, CONTENT),
        ({"webhook-timestamp": "soon"}, CONTENT),
        ({"webhook-signature": ""}, CONTENT),
        ({"webhook-signature": "v1,"}, CONTENT),
        ({"webhook-signature": "v1,\u00fc\u00fc\u00fc"}, CONTENT),
        ({"webhook-signature": sent(ago=1)["webhook-signature"]}, CONTENT),
    ],
)
def test_it_refuses_what_was_changed_on_the_way(changed: dict[str, str], content: bytes) -> None:
    found = sent(ago=10) | changed

    assert receiver()(found, content, SECRET) is None
    assert receiver()(sent(ago=10), CONTENT, SECRET) == EVENT


@pytest.mark.parametrize("name", ["id", "timestamp", "signature"])
def test_it_refuses_what_lacks_a_header(name: str) -> None:
    found = sent()
    del found[f"webhook-{name}"]

    assert receiver()(found, CONTENT, SECRET) is theirs(found, CONTENT, SECRET) is None


@pytest.mark.parametrize(("ago", "is_taken"), [(250, True), (400, False), (-400, False)])
def test_it_refuses_what_is_old(ago: int, is_taken: bool) -> None:
    found = sent(ago=ago)

    assert (receiver()(found, CONTENT, SECRET) == EVENT) is is_taken
    assert (theirs(found, CONTENT, SECRET) == EVENT) is is_taken
