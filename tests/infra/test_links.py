"""Signed links of answers lead to this machine, and only those that were given out."""

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from infra.local import gateway
from infra.local.aws import REGION, client, local_aws
from infra.local.links import Links

HOST = "127.0.0.1:8080"


@pytest.fixture
def s3() -> Iterator[object]:
    with local_aws():
        made = client("s3")
        made.create_bucket(
            Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        made.put_object(Bucket="bucket", Key="raw/a b/ü.eml", Body=b"\x00mail\n")
        yield made


def signed(s3: object, expires: int = 300) -> str:
    parameters = {
        "Bucket": "bucket",
        "Key": "raw/a b/ü.eml",
        "ResponseContentType": "message/rfc822",
        "ResponseContentDisposition": "attachment",
    }
    return s3.generate_presigned_url("get_object", Params=parameters, ExpiresIn=expires)


def rewritten(links: Links, url: str) -> str:
    answered = gateway.Response(
        200, (("location", url),), f'{{"url":"{url}","expires_at":1}}'.encode()
    )
    local = links.rewrite(answered, HOST)
    ((_, location),) = local.headers
    assert local.body == f'{{"url":"{location}","expires_at":1}}'.encode()
    return location


def follow(links: Links, url: str) -> gateway.Response:
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc) == ("http", HOST)
    return links.serve(parts.path, parts.query)


def test_a_signed_link_serves_the_object_with_the_asked_headers(s3: object) -> None:
    links = Links()

    served = follow(links, rewritten(links, signed(s3)))

    assert (served.status, served.body) == (200, b"\x00mail\n")
    assert dict(served.headers) == {
        "content-type": "message/rfc822",
        "content-disposition": "attachment",
    }


def test_an_expired_link_is_refused(s3: object) -> None:
    links = Links()

    assert follow(links, rewritten(links, signed(s3, expires=-1))).status == 403


def test_a_link_nobody_gave_out_is_refused(s3: object) -> None:
    url = rewritten(Links(), signed(s3))

    assert follow(Links(), url).status == 403


def test_a_link_to_what_is_gone_is_404(s3: object) -> None:
    links = Links()
    url = rewritten(links, signed(s3))

    s3.delete_object(Bucket="bucket", Key="raw/a b/ü.eml")

    assert follow(links, url).status == 404


def test_a_link_in_the_text_of_a_mail_is_no_link_of_ours(s3: object) -> None:
    text = json.dumps({"snippet": f'look: "url":"{signed(s3)}" and {signed(s3)}'})
    answered = gateway.Response(200, (("x-test", signed(s3)),), text.encode())

    assert Links().rewrite(answered, HOST) == answered


def test_the_link_of_a_record_is_no_link_of_ours(s3: object) -> None:
    shown = {"entity": {"label": "x", "url": signed(s3)}, "url": signed(s3), "archived": False}
    answered = gateway.Response(200, (), json.dumps(shown).encode())

    assert Links().rewrite(answered, HOST) == answered


def test_an_upload_goes_to_its_link_and_nowhere_else(s3: object) -> None:
    links = Links()
    parameters = {"Bucket": "bucket", "Key": "imports/a/b", "ContentLength": 3}
    upload = rewritten(
        links, s3.generate_presigned_url("put_object", Params=parameters, ExpiresIn=60)
    )
    download = rewritten(links, signed(s3))

    def put(url: str) -> int:
        parts = urlsplit(url)
        return links.take(parts.path, parts.query, b"abc", "application/x-ndjson").status

    assert (put(upload), put(download), put(upload + "0")) == (200, 403, 403)
    assert follow(links, upload).status == 403
    assert s3.get_object(Bucket="bucket", Key="imports/a/b")["Body"].read() == b"abc"


def test_other_answers_stay_as_they_are() -> None:
    answered = gateway.Response(200, (("x-test", "a"),), b'{"url": "https://example.com/?a=b"}')

    assert Links().rewrite(answered, HOST) == answered
