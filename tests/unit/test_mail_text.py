"""A pasted mail is read as bytes, whichever way it was pasted; links lead to harmless files."""

import base64

import pytest

from ablage.errors import AblageError
from ablage.limits import EXPLAIN_BYTES
from ablage.mail_text import mail_bytes
from ablage.store.contents import content_disposition, content_type

MAIL = "From: max@kunde.de\r\nSubject: Gr\u00fc\u00dfe\r\n\r\nHello\r\n"


def test_a_mail_comes_as_text_or_base64_or_header() -> None:
    raw = MAIL.encode()
    wrapped = base64.encodebytes(raw).decode()

    assert mail_bytes(MAIL, None) == raw
    assert mail_bytes(wrapped, None) == raw
    assert mail_bytes(None, "From: max@kunde.de\nTo: a@own.de\n") == (
        b"From: max@kunde.de\nTo: a@own.de\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("message", "headers", "code", "status"),
    [
        ("no mail at all", None, "not_a_mail", 422),
        ("", None, "not_a_mail", 422),
        (base64.b64encode(b"no mail").decode(), None, "not_a_mail", 422),
        ("A: " + "x" * EXPLAIN_BYTES, None, "message_too_large", 413),
        (None, "A: " + "x" * EXPLAIN_BYTES, "message_too_large", 413),
        (base64.b64encode(b":" * (EXPLAIN_BYTES + 1)).decode(), None, "message_too_large", 413),
    ],
)
def test_what_is_no_mail_or_too_large_is_refused(
    message: str | None, headers: str | None, code: str, status: int
) -> None:
    with pytest.raises(AblageError) as caught:
        mail_bytes(message, headers)

    assert (caught.value.code, caught.value.status) == (code, status)


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a.pdf", "attachment; filename=\"a.pdf\"; filename*=UTF-8''a.pdf"),
        ("", "attachment; filename=\"attachment-3\"; filename*=UTF-8''attachment-3"),
        ('Gr\u00fc\u00dfe";x.exe', ("attachment; filename=\"Gr__e__x.exe\"; "
         "filename*=UTF-8''Gr%C3%BC%C3%9Fe%22%3Bx.exe")),
        ("a\r\nX: y", "attachment; filename=\"a__X: y\"; filename*=UTF-8''a%0D%0AX%3A%20y"),
    ],
)  # fmt: skip
def test_a_file_name_cannot_break_out_of_its_header(name: str, header: str) -> None:
    assert content_disposition(name, 3) == header


@pytest.mark.parametrize(
    ("written", "served"),
    [
        ("application/pdf", "application/pdf"),
        ("message/rfc822", "message/rfc822"),
        ("text/html", "application/octet-stream"),
        ("image/svg+xml", "application/octet-stream"),
        ("application/javascript", "application/octet-stream"),
        ("multipart/mixed", "application/octet-stream"),
        ("pdf", "application/octet-stream"),
        ("a/b\r\nx: y", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
def test_nothing_a_browser_runs_keeps_its_type(written: str, served: str) -> None:
    assert content_type(written) == served
