"""A mail as a page, through the API: what is shown, what is left out, and an end to everything."""

import base64
import itertools
import time
from datetime import UTC, datetime, timedelta
from string import ascii_lowercase

import pytest
from tests.support.events import context, s3_created, sqs_event
from tests.support.http_events import Client
from tests.support.tenants import connect_account

from ablage.mail import read_mail
from ablage.store.raw_mail import RawKey, RawMetadata
from ablage.tenancy import TenantId
from api.rendering import image_type, render
from match.handler import lambda_handler as match

acme, other = Client("acme"), Client("other")
NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
RECEIVED = NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
HEAD = "From: max@kunde.de\r\nTo: anna@own.de\r\nMessage-ID: <1@x>\r\nSubject: s\r\n"


def html_mail(html, *images):
    """Images are (content id, type, bytes)."""
    parts = [f"Content-Type: text/html; charset=utf-8\r\n\r\n{html}\r\n".encode()]
    for content_id, kind, content in images:
        encoded = base64.encodebytes(content).decode()
        parts.append(
            f"Content-Type: {kind}\r\nContent-ID: <{content_id}>\r\n"
            f"Content-Transfer-Encoding: base64\r\n\r\n{encoded}\r\n".encode()
        )
    body = b"".join(b"--b\r\n" + part for part in parts) + b"--b--\r\n"
    return HEAD.encode() + b'Content-Type: multipart/related; boundary="b"\r\n\r\n' + body


def rendered(raw, **more):
    return render(read_mail(raw), raw, **more)


@pytest.fixture
def shown(aws):
    """The page of one mail, after match has seen it."""

    def show(raw, client=acme, **query):
        for tenant in ("acme", "other"):
            connect_account(aws, TenantId(tenant), "anna", "anna@own.de", filing=True)
        key = RawKey("30d", TenantId("acme"), "anna", "0" * 16, 1, 1)
        aws.raw.put(key, raw, RawMetadata(RECEIVED))
        match(sqs_event(s3_created(aws.raw.bucket, key.text)), context())
        (row,) = acme("GET", "/v1/accounts/anna/messages").json["items"]
        return client("GET", f"/v1/messages/{row['message']}/html", query=query)

    return show


def test_a_page_shows_the_mail_and_its_own_images_and_nothing_from_elsewhere(shown):
    html = '<p onclick=x>Guten <b>Tag</b><img src="cid:logo@x"><img src="https://t.example/1.gif">'

    answer = shown(html_mail(html, ("logo@x", "image/png", PNG)))

    page = answer.json
    assert "<p>Guten <b>Tag</b>" in page["html"]
    assert f"data:image/png;base64,{base64.b64encode(PNG).decode()}" in page["html"]
    assert (page["remote_images"], page["problems"]) == (1, [])
    assert "t.example" not in page["html"]
    assert page["content_security_policy"] in page["html"]
    assert "default-src 'none'; img-src data:;" in page["content_security_policy"]
    assert "allow-scripts" not in page["sandbox"]
    assert "allow-same-origin" not in page["sandbox"]


def test_images_from_elsewhere_are_shown_when_asked_for(shown):
    answer = shown(html_mail('<img src="https://t.example/1.gif">'), images="remote")

    assert 'src="https://t.example/1.gif"' in answer.json["html"]
    assert "img-src data: https: http:;" in answer.json["content_security_policy"]


def test_every_answer_forbids_to_be_shown_itself(shown):
    headers = shown(html_mail("<p>x")).headers

    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_another_tenants_page_is_none(shown):
    assert shown(html_mail("<p>x"), other).code == "not_found"


def test_a_mail_of_text_is_shown_as_such():
    raw = (HEAD + "\r\n1 < 2 & <b>3</b>\r\nzwei\r\n").encode()

    assert "1 &lt; 2 &amp; &lt;b&gt;3&lt;/b&gt;" in rendered(raw).html


def short_names(count):
    """As many as fit: each is compared with all before it."""
    sizes = (itertools.product(ascii_lowercase, repeat=size) for size in range(1, 5))
    return ("".join(name) for name in itertools.islice(itertools.chain(*sizes), count))


@pytest.mark.parametrize(
    "html",
    [
        pytest.param("<div>" * 100_000, id="nested"),
        pytest.param("<p " + " ".join(short_names(120_000)) + ">", id="attributes"),
        pytest.param("<a>x" * 100_000, id="growing"),
    ],
)
def test_html_without_end_is_shown_by_its_text(html):
    began = time.monotonic()
    raw = HEAD.encode() + b"Content-Type: text/html\r\n\r\n" + html.encode()

    page = rendered(raw)

    assert time.monotonic() - began < 30  # its seconds of CPU, on a busy machine
    assert "html_too_complex" in page.problems
    assert len(page.html) < 1_000_000


def test_long_html_is_cut_and_said_so():
    raw = HEAD.encode() + b"Content-Type: text/html\r\n\r\n" + b"<p>x</p>\r\n" * 60_000

    assert "html_truncated" in rendered(raw).problems


def test_an_image_is_what_its_bytes_are():
    script = b"<svg onload=alert(1)>"
    images = ("a", "image/png", script), ("b", "application/x-any", PNG)
    raw = html_mail('<img src="cid:a"><img src="cid:b">', *images)

    html = rendered(raw).html

    assert html.count("src=") == 1
    assert "data:image/png" in html
    assert image_type(b"\xff\xd8\xff\xe0") == "image/jpeg"
    assert image_type(b"RIFF1234WEBPVP8 ") == "image/webp"
    assert image_type(b"GIF89a") == "image/gif"


def test_too_many_image_bytes_are_left_out_and_said_so():
    large = PNG + bytes(900_000)
    images = [(f"i{n}", "image/png", large) for n in range(5)]

    page = rendered(html_mail("".join(f'<img src="cid:i{n}">' for n in range(5)), *images))

    assert page.html.count("src=") == 3
    assert page.problems == ("images_omitted",)
    assert len(page.html) < 5_000_000
