import base64
import hashlib
import quopri
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablage.limits import BODY_BYTES, BODY_LINES, SNIPPET_BYTES
from ablage.mail import attachment_content, read_mail

HEAD = b"From: max@x.de\nDate: Fri, 21 Nov 1997 09:55:06 -0600\nMessage-ID: <1@x.de>\n"
PDF = bytes(range(256)) * 3


def multipart(*parts: bytes, kind: bytes = b"mixed", boundary: bytes = b"b") -> bytes:
    body = b"".join(b"--" + boundary + b"\n" + part + b"\n" for part in parts)
    field = b"Content-Type: multipart/" + kind + b'; boundary="' + boundary + b'"\n\n'
    return field + body + b"--" + boundary + b"--\n"


TEXT = b"Content-Type: text/plain; charset=utf-8\n\nGuten Tag\n"
HTML = b"Content-Type: text/html; charset=utf-8\n\n<p>Guten <b>Tag</b></p>\n"
FILE = (
    b"Content-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: base64\n"
    b"Content-Disposition: attachment; filename=a.pdf\n\n" + base64.encodebytes(PDF)
)
MAIL = HEAD + multipart(multipart(TEXT, HTML, kind=b"alternative", boundary=b"c"), FILE)


def test_text_html_and_attachments_are_told_apart() -> None:
    mail = read_mail(MAIL)

    assert (mail.text.strip(), mail.html.strip()) == ("Guten Tag", "<p>Guten <b>Tag</b></p>")
    (attachment,) = mail.attachments
    assert (attachment.number, attachment.name) == (1, "a.pdf")
    assert (attachment.content_type, attachment.size) == ("application/pdf", len(PDF))
    assert attachment.sha256 == hashlib.sha256(PDF).hexdigest()
    assert (mail.kind, mail.limited, mail.problems) == ("normal", False, ())
    assert (mail.size, mail.sha256) == (len(MAIL), hashlib.sha256(MAIL).hexdigest())


def test_an_attachment_is_read_by_its_number() -> None:
    assert attachment_content(MAIL, 1) == PDF
    assert attachment_content(MAIL, 0) is None
    assert attachment_content(MAIL, 2) is None


def test_the_digest_is_the_same_in_every_mailbox() -> None:
    quoted = (
        b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"
        + quopri.encodestring(b"Guten Tag\n")
    )
    encoded = (
        b"Content-Type: TEXT/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n"
        + base64.encodebytes(b"Guten Tag\r\n")
    )
    received = b"Received: by a; Fri, 21 Nov 1997 16:00:00 +0000\nDelivered-To: a@y.de\n"
    one = read_mail(HEAD + multipart(TEXT, FILE)).digest

    assert read_mail(received + HEAD + multipart(TEXT, FILE)).digest == one
    assert read_mail((HEAD + multipart(TEXT, FILE)).replace(b"\n", b"\r\n")).digest == one
    assert read_mail(HEAD + multipart(quoted, FILE)).digest == one
    assert read_mail(HEAD + multipart(encoded, FILE, boundary=b"other")).digest == one


@pytest.mark.parametrize(
    "other",
    [
        multipart(TEXT.replace(b"Guten", b"Boesen"), FILE),
        multipart(TEXT, FILE.replace(b"a.pdf", b"b.pdf")),
        multipart(TEXT, FILE.replace(base64.encodebytes(PDF), base64.encodebytes(PDF[1:]))),
        multipart(FILE, TEXT),
        multipart(TEXT),
        b"\nGuten Tag",
        b"",
    ],
)
def test_other_content_has_another_digest(other: bytes) -> None:
    assert read_mail(HEAD + other).digest != read_mail(HEAD + multipart(TEXT, FILE)).digest


@pytest.mark.parametrize(
    ("field", "name", "written"),
    [
        (b"filename=a.pdf", "a.pdf", "a.pdf"),
        (b'filename="a b.pdf"', "a b.pdf", "a b.pdf"),
        (b'filename="=?utf-8?Q?=C3=BC.pdf?="', "\u00fc.pdf", "\u00fc.pdf"),
        (b"filename*=utf-8''%C3%BC.pdf", "\u00fc.pdf", "\u00fc.pdf"),
        (b"filename*=iso-8859-1'de'%FC.pdf; filename=x", "\u00fc.pdf", "\u00fc.pdf"),
        (b"filename*1*=%BC.pdf; filename*0*=utf-8''%C3", "\u00fc.pdf", "\u00fc.pdf"),
        (b'filename*0="a"; filename*1=".pdf"', "a.pdf", "a.pdf"),
        (b'filename="../../etc/passwd"', "passwd", "../../etc/passwd"),
        (b'filename="C:\\\\TEMP\\\\x.png"', "x.png", "C:\\TEMP\\x.png"),
        (b'filename="a\xe2\x80\xaefdp.exe"', "afdp.exe", "a\u202efdp.exe"),
        (b'filename="a\\(1\\).pdf"', "a(1).pdf", "a(1).pdf"),
        (b'filename="C:\\TEMP\\x.png"', "x.png", "C:\\TEMP\\x.png"),
        (b'(by hand) filename="a.pdf"', "a.pdf", "a.pdf"),
        (b'filename="unclosed.pdf', "unclosed.pdf", "unclosed.pdf"),
        (b'filename="' + b"a" * 500 + b'"', "a" * 255, "a" * 500),
        (b"filename*=idna''x", "x", "x"),
    ],
)
def test_file_names(field: bytes, name: str, written: str) -> None:
    part = b"Content-Type: application/pdf\nContent-Disposition: attachment; " + field + b"\n\nx"

    (attachment,) = read_mail(HEAD + multipart(part)).attachments

    assert (attachment.name, attachment.written_name) == (name, written)


@pytest.mark.parametrize(
    ("charset", "body", "text"),
    [
        (b"utf-8", "\u00fc".encode(), "\u00fc"),
        (b"iso-8859-1", b"\xfc\x80", "\u00fc\u20ac"),
        (b"nonsense", b"\xfc", "\u00fc"),
        (b"gb2312", b"\xe9F", "\u9555"),
        (b"us-ascii", "\u00fc".encode(), "\u00fc"),
        (b"utf-8", b"a\x00b", "ab"),
        (b"utf-7", b"a+2AA-b", "ab"),
        (b"hex", b"6162", "6162"),
    ],
)
def test_charsets_of_bodies(charset: bytes, body: bytes, text: str) -> None:
    mail = read_mail(HEAD + b"Content-Type: text/plain; charset=" + charset + b"\n\n" + body)

    assert mail.text == text


def test_blanks_at_the_end_of_quoted_printable_lines_do_not_count() -> None:
    head = HEAD + b"Content-Transfer-Encoding: quoted-printable\n\n"

    assert read_mail(head + b"a \t\r\nb= \r\nc=20\nd ").text == "a\r\nbc \nd"


def test_a_nested_message_is_one_attachment() -> None:
    inner = b"Content-Type: message/rfc822\n\nSubject: inner\n" + multipart(TEXT, boundary=b"i")

    mail = read_mail(HEAD + multipart(HTML, inner))

    assert mail.text == ""
    assert [a.content_type for a in mail.attachments] == ["message/rfc822"]


@pytest.mark.parametrize(
    ("raw", "text", "problem"),
    [
        (
            b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo",
            "one\ntwo",
            "no_close_boundary",
        ),
        (b"Content-Type: multipart/mixed; boundary=b\n\nno parts", "no parts", "no_boundary_line"),
        (b"Content-Type: multipart/mixed\n\nno boundary", "no boundary", "no_boundary_line"),
        (b"Content-Type: nonsense\n\ntext", "text", "no_message_id"),
        (
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\r\n\r\r\none\r\r\n--b--\r\r\n",
            "one",
            "no_message_id",
        ),
        (b"Content-Type: multipart/mixed boundary=b\n\n--b\n\none\n--b--", "one", "no_message_id"),
    ],
)
def test_broken_structures_still_show_their_text(raw: bytes, text: str, problem: str) -> None:
    mail = read_mail(raw)

    assert mail.text == text
    assert problem in mail.problems


@pytest.mark.parametrize("raw", [b"", b"\n", b"\r\n\r\n", b"\x00", b"From: max@x.de", b"no header"])
def test_next_to_nothing_is_a_mail(raw: bytes) -> None:
    mail = read_mail(raw)

    assert (mail.kind, mail.size, len(mail.digest)) == ("normal", len(raw), 64)
    assert ("empty" in mail.problems) == (raw == b"")


@pytest.mark.parametrize(
    "raw",
    [
        HEAD + b"\n" + b"x" * BODY_BYTES,
        HEAD + b"\n" * (BODY_LINES + 1),
    ],
    ids=["bytes", "lines"],
)
def test_a_mail_over_the_limits_is_read_by_its_header(raw: bytes) -> None:
    mail = read_mail(raw)

    assert mail.limited
    assert mail.headers.message_id == "1@x.de"
    assert "body_too_large" in mail.problems
    assert mail.digest == read_mail(raw.replace(b"\n", b"\r\n")).digest


def test_a_25_mb_mail_is_read_without_blowing_up() -> None:
    line = base64.b64encode(b"\r\nx" * 19) + b"\r\n"
    part = FILE.replace(base64.encodebytes(PDF), line * (25_000_000 // len(line)))
    raw = HEAD + multipart(TEXT, part)

    tracemalloc.start()
    mail = read_mail(raw)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert mail.attachments[0].size > 17_000_000
    assert not mail.limited
    assert peak < 100_000_000


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"\nGuten   Tag,\n\nHerr\tMuster", "Guten Tag, Herr Muster"),
        (
            b"Content-Type: text/html\n\n<style>p{}</style><p>Guten&nbsp;Tag &amp; mehr",
            "Guten Tag & mehr",
        ),
        (b"Content-Type: text/html\n\n<!-- x > y --><script>1<2</script>a<br>b", "a b"),
        (b"Content-Type: text/html\n\n<title>t</title>a<!-- never closed b", "a"),
        (b"Content-Type: text/html; charset=utf-8\n\n\xe2\x80\x8b\xc2\xada", "a"),
        (b"\n" + "\u00fc".encode() * 200, "\u00fc" * (SNIPPET_BYTES // 2)),
    ],
)
def test_the_snippet_is_the_first_words(body: bytes, expected: str) -> None:
    snippet = read_mail(b"Content-Type: text/plain; charset=utf-8\n" * (body[:1] == b"\n") + body)

    assert snippet.snippet == expected


@pytest.mark.parametrize(
    "html",
    [b"<", b"<a", b"<script>", b"<!--", b"<!-", b"&", b"&#", b"<style><", b"</", b" ", b"&amp"],
)
def test_hostile_html_gives_a_snippet_at_once(html: bytes) -> None:
    raw = b"Content-Type: text/html\n\n" + html * (2_000_000 // len(html))

    began = time.process_time()
    mail = read_mail(raw)

    assert time.process_time() - began < 10
    assert len(mail.snippet.encode()) <= SNIPPET_BYTES


def test_long_quoted_printable_is_decoded_whole_and_in_little_memory() -> None:
    line = b"=C3=BC and so on" + b" " * 4 + b"\r\n=3D=\r\n"
    raw = HEAD + b"Content-Type: application/pdf\nContent-Transfer-Encoding: quoted-printable\n\n"

    tracemalloc.start()
    (part,) = read_mail(raw + line * 100_000).attachments
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert part.sha256 == hashlib.sha256(b"\xc3\xbc and so on\r\n=" * 100_000).hexdigest()
    assert peak < 18_000_000


def test_long_runs_of_blanks_in_quoted_printable_take_linear_time() -> None:
    raw = HEAD + b"Content-Transfer-Encoding: quoted-printable\n\n" + b" " * 2_000_000 + b"x"

    began = time.process_time()
    read_mail(raw)

    assert time.process_time() - began < 10


def nested(depth: int) -> bytes:
    return b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (n, n) for n in range(depth)
    )


@pytest.mark.parametrize(
    ("raw", "limited"),
    [
        (nested(60), True),
        (nested(5000), True),
        (b"Content-Type: message/rfc822\n\n" * 5000, False),
        (multipart(*[TEXT] * 20_000), True),
        (multipart(*[TEXT] * 900), False),
        (multipart() + b"--\n" * 1_000_000, False),
        (multipart(*[b"X: " + b"x" * 70_000] * 200), False),
        (multipart(b"Content-Type: a/b\n\nx" + b"\r" * 5_000_000), False),
        (b"Content-Type: multipart/mixed; boundary=" + b"b" * 70_000 + b"\n\n--b\n", False),
        (multipart(b"Content-Transfer-Encoding: base64\n\n" + b"=" * 5_000_000), False),
        (multipart(b"Content-Transfer-Encoding: base64\n\n" + b"A=B" * 1_000_000), False),
        (multipart(b"Content-Transfer-Encoding: base64\n\n" + b"=?a?q?" * 4_000_001), True),
        (
            b"Content-Transfer-Encoding: quoted-printable\n\n" + b"=" * 5_000_000,
            True,
        ),
        (multipart(b"Content-Type: text/calendar\n\n" + b"METHOD:" * 500_000), False),
        (multipart(*[b"Content-Type: multipart/mixed; boundary=b\n\n"] * 2000), True),
    ],
    ids=range(15),
)
def test_bombs_are_read_by_the_limits(raw: bytes, limited: bool) -> None:
    began = time.process_time()
    mail = read_mail(HEAD + raw)

    assert time.process_time() - began < 10
    assert mail.limited == limited
    assert "body_unreadable" not in mail.problems
    assert mail.headers.message_id == "1@x.de"


_PIECES = st.sampled_from(
    [
        TEXT,
        HTML,
        FILE,
        b"--b\n",
        b"--b--\n",
        b"\n",
        b"\r\n",
        b"--c\n",
        b"\xff\x00",
        b"=",
        b"=3D",
        b"Content-Type: multipart/mixed; boundary=b\n",
        b"Content-Type: text/html; charset=x\n",
        b"Content-Transfer-Encoding: base64\n",
        b"Content-Transfer-Encoding: quoted-printable\n",
        b"Content-Type: multipart/alternative; boundary=c\n\n",
        b"Content-Type: message/rfc822\n\n",
    ]
)


@given(st.lists(_PIECES, max_size=30).map(b"".join) | st.binary(max_size=300))
@settings(max_examples=1000, deadline=None)
def test_reading_a_mail_never_gives_up(raw: bytes) -> None:
    mail = read_mail(HEAD + raw)

    assert "body_unreadable" not in mail.problems
    assert all(attachment_content(HEAD + raw, a.number) is not None for a in mail.attachments)
    (mail.text + mail.html + mail.snippet).encode()
