"""Webhooks on the wire: where they may go, and a signature that others can check."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as Oracle

from ablage.errors import InvalidInput
from ablage.webhook_wire import Target, body, headers, secret_text, target

SECRET = secret_text(bytes(range(32)))
EVENT = {"id": "e1", "type": "EmailFiled", "at": "2026-11-26T10:15:02.123Z", "by": "Müller"}


def now() -> int:
    """The oracle refuses what is older than five minutes."""
    return int(datetime.now(UTC).timestamp())


def test_the_body_is_the_event_in_the_standard_s_envelope() -> None:
    told = json.loads(body(EVENT))

    assert told == {"type": "EmailFiled", "timestamp": EVENT["at"], "data": EVENT}


def test_the_standard_s_own_library_takes_what_is_signed() -> None:
    content = body(EVENT)

    assert Oracle(SECRET).verify(content, headers([SECRET], "e1", now(), content)) == json.loads(
        content
    )


@pytest.mark.parametrize("which", [0, 1])
def test_after_a_rotation_old_and_new_secret_both_verify(which: int) -> None:
    content, secrets = body(EVENT), [SECRET, secret_text(b"o" * 32)]
    sent = headers(secrets, "e1", now(), content)

    assert len(sent["webhook-signature"].split()) == 2
    assert Oracle(secrets[which]).verify(content, sent)


@given(at=st.integers(0, 3), change=st.sampled_from(["webhook-id", "webhook-timestamp", "body"]))
def test_nothing_that_is_signed_can_be_changed(at: int, change: str) -> None:
    content = body(EVENT)
    sent = headers([SECRET], "e1", now(), content) | {change: str(now() - 1 - at)}
    changed = content + b" " * (at + 1) if change == "body" else content

    with pytest.raises(Exception, match="No matching signature"):
        Oracle(SECRET).verify(changed, sent)


def test_a_url_is_read_as_it_will_be_sent() -> None:
    assert target("https://Hooks.Kunde.de") == Target("hooks.kunde.de", 443, "/")
    assert target("https://kunde.de:443/a/b?c=d%20e") == Target("kunde.de", 443, "/a/b?c=d%20e")
    assert target("https://kunde.de?x=1") == Target("kunde.de", 443, "/?x=1")


@pytest.mark.parametrize(
    "url",
    [
        *("http://kunde.de/", "HTTPS://kunde.de", "//kunde.de", "kunde.de", "", "https://"),
        *("ftp://kunde.de", "file:///etc/passwd", "gopher://kunde.de:443/"),
        *("https://a@kunde.de/", "https://a:b@kunde.de/", "https://kunde.de#x"),
        *("https://kunde.de/#x", "https://kunde.de:80/", "https://kunde.de:8443/"),
        *("https://kunde.de:0443/ ", "https://kunde.de:/", "https://kunde.de:443443/"),
        *("https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f000001/"),
        *("https://0x7f.1/", "https://0177.0.0.1/", "https://8.8.8.8/", "https://1.2.3.0x4/"),
        *("https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::1]/"),
        *("https://localhost/", "https://metadata/", "https://kunde.de./", "https://.de/"),
        *("https://kunde..de/", "https://-a.de/", "https://a-.de/", "https://a_b.de/"),
        *("https://kunde.de\\@evil.de/", "https://kunde.de/\r\nX: y", "https://kunde.de/a b"),
        *("https://kunde.de/\x00", "https://kunde.de/%zz", "https://künde.de/", "https://ⓚ.de/"),
        *("https://kunde.de/ü", "https://kunde.de/\n", " https://kunde.de/", "https:///x"),
        "https://kunde.de/" + "a" * 2000,
        "https://" + "a" * 64 + ".de/",
    ],
)
def test_what_is_plainly_no_target_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        target(url)

    assert (refused.value.code, refused.value.pointer) == ("invalid_webhook_url", "/url")


def test_a_local_host_is_exempt_with_its_port_only_and_never_from_https() -> None:
    local = frozenset({"localhost:8443"})

    assert target("https://localhost:8443/x", local) == Target("localhost", 8443, "/x")
    assert target("https://localhost:8443/x", local).authority == "localhost:8443"
    for url in ("https://localhost/", "http://localhost:8443/", "https://other:8443/"):
        with pytest.raises(InvalidInput):
            target(url, local)


@given(st.text(max_size=80))
def test_any_text_is_a_target_or_refused(text: str) -> None:
    try:
        found = target(f"https://{text}")
    except InvalidInput:
        return
    assert found.port == 443
    assert found.host.encode("ascii")
    assert not set(found.path) & set("\r\n #\\")
