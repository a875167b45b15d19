"""Signed, encrypted, packed and nested mail is shown for what it is, and never opened."""

import base64

import pytest

from ablage.mail import read_mail

HEAD = b"From: max@x.de\nMessage-ID: <1@x.de>\n"
SIGNED_DER = bytes.fromhex("308006092a864886f70d010702a080")
ENVELOPED_DER = bytes.fromhex("308006092a864886f70d010703a080")


def one(content_type: str, content: bytes, extra: str = "") -> bytes:
    head = f"Content-Type: {content_type}\nContent-Transfer-Encoding: base64\n{extra}\n"
    return HEAD + head.encode() + base64.encodebytes(content)


def several(kind: str, *parts: tuple[str, bytes]) -> bytes:
    body = b"".join(b"--b\nContent-Type: %b\n\n%b\n" % (t.encode(), c) for t, c in parts)
    return HEAD + f'Content-Type: multipart/{kind}; boundary="b"\n\n'.encode() + body + b"--b--\n"


SMIME = "application/pkcs7-mime; name=smime.p7m"
WINMAIL = "application/ms-tnef; name=winmail.dat"


@pytest.mark.parametrize(
    ("form", "raw"),
    [
        ("plain", HEAD + b"\nHello"),
        ("plain", HEAD + b"\nHe wrote: -----BEGIN PGP MESSAGE-----"),
        ("smime_encrypted", one(f"{SMIME}; smime-type=enveloped-data", ENVELOPED_DER)),
        ("smime_encrypted", one("application/x-pkcs7-mime", ENVELOPED_DER)),
        ("smime_encrypted", one("application/octet-stream; name=smime.p7m", ENVELOPED_DER)),
        ("smime_signed", one(f"{SMIME}; smime-type=signed-data", b"")),
        ("smime_signed", one(SMIME, SIGNED_DER)),
        ("plain", one(f"{SMIME}; smime-type=certs-only", SIGNED_DER)),
        ("tnef", one(WINMAIL, b"\x78\x9f\x3e\x22rest")),
        ("plain", one(WINMAIL, b"\x89PNG")),
        ("pgp_encrypted", HEAD + b"\n-----BEGIN PGP MESSAGE-----\n\nabc\n"),
        ("pgp_signed", HEAD + b"\n-----BEGIN PGP SIGNED MESSAGE-----\n\nabc\n"),
        (
            "pgp_encrypted",
            several(
                "encrypted",
                ("application/pgp-encrypted", b"Version: 1"),
                ("application/octet-stream", b"-----BEGIN PGP MESSAGE-----"),
            ),
        ),
        (
            "smime_signed",
            several("signed", ("text/plain", b"Hello"), ("application/x-pkcs7-signature", b"abc")),
        ),
        (
            "pgp_signed",
            several("signed", ("text/plain", b"Hello"), ("application/pgp-signature", b"abc")),
        ),
    ],
)
def test_the_form_of_a_mail(form: str, raw: bytes) -> None:
    assert read_mail(raw).form == form


def test_a_signed_mail_is_still_readable() -> None:
    raw = several("signed", ("text/plain", b"Hello"), ("application/pgp-signature", b"abc"))

    mail = read_mail(raw)

    assert mail.text == "Hello"
    assert [a.content_type for a in mail.attachments] == ["application/pgp-signature"]


def test_a_nested_message_is_one_attachment_named_by_its_subject() -> None:
    inner = b"From: eva@y.de\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= a/b\n\nInner text\n"
    raw = several("mixed", ("text/plain", b"See below"), ("message/rfc822", inner))

    mail = read_mail(raw)

    assert "Inner" not in mail.text
    (attached,) = mail.attachments
    assert (attached.content_type, attached.name) == ("message/rfc822", "Gr\u00fc\u00dfe a b.eml")
    assert attached.written_name == ""
