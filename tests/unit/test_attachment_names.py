"""An attachment is a file to be saved under a clean name, whatever it is called or made of (T27,
T28, T32)."""

import gzip
import hashlib
import io
import lzma
import re
import tracemalloc
import zipfile
from base64 import encodebytes
from itertools import product
from urllib.parse import quote, unquote

import pytest

from ablage.mail import read_mail
from ablage.mime_fields import safe_name
from ablage.store.contents import content_disposition, content_type

NAMES = (
    *("a.svg", "a.html", "a.xml", "a.xhtml", "a.js", "a.hta", "a.pdf.exe", "a.lnk", "con", "a."),
    *(
        "../../etc/passwd",
        "..\\..\\windows\\a.exe",
        "/a",
        "C:\\a.txt",
        "a/b/c.txt",
        "..",
        "\\\\h\\s",
    ),
    *("a\u202egpj.exe", "\u2066a\u2069.txt", "\u200fa.txt", "a\u202a.pdf", "\u200ea\u2067.zip"),
    *(
        "a\r\nSet-Cookie: x=1",
        "a\nX: y",
        "a\rX: y",
        "a\x00.exe",
        "a\x1b[31m.txt",
        "a\x85b",
        "a\x7f",
    ),
    *('a".txt', "a';x", "a;filename=b.exe", "a\"; filename*=UTF-8''b.exe", "a%0d%0aX: y", "a%00"),
    *("a.swf", "a.mht", "a.shtml", "a.jar", "AUX.txt", "NUL", "a.docm", "a.iso", ".htaccess", "~a"),
    *("\u00fc\u00df\u20ac.txt", "\u6f22\u5b57.txt", "\U0001f4e7.eml", "x" * 1000, "\u00e4" * 1000),
    *(
        "",
        " ",
        ".",
        "\t",
        "a b.txt",
        " a ",
        "a\tb",
        "<script>.html",
        "a&b.txt",
        "a=b",
        "a,b",
        "(a)",
    ),
    *(
        "\ud800.txt",
        "a\u2028b",
        "a\u0000\u2029b",
        "\ufeffa.txt",
        "%2e%2e%2fa",
        "....//a",
        "\u2025/a",
    ),
)
TYPES = (
    *("image/svg+xml", "text/html", "text/xml", "application/xhtml+xml", "application/pdf"),
    *("application/javascript", "multipart/mixed", "a/b\r\nX: y", "", "image/png; charset=x"),
)
HEADER = re.compile(
    r"attachment; filename=\"[\x20\x21\x23-\x7e]*\"; filename\*=UTF-8''[A-Za-z0-9._~%-]*"
)


def attached(name, content=b"x"):
    """As a mail carries it; the one attachment read of it."""
    word = quote(name.encode("utf-8", "surrogatepass"), safe="")
    raw = (
        b"From: a@b.de\r\nContent-Type: application/zip\r\nContent-Disposition: attachment;\r\n"
        b" filename*=utf-8''" + word.encode() + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    ) + encodebytes(content)
    (found,) = read_mail(raw).attachments
    return found


def test_there_are_sixty_names_and_every_kind_of_type():
    assert len(set(NAMES)) >= 60


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_name_is_clean_where_it_is_shown_and_where_it_is_saved(name):
    shown = attached(name).name
    header = content_disposition(shown, 1)

    assert not re.search(
        "[\x00-\x1f\x7f-\x9f/\\\\\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", shown
    )
    assert len(shown) <= 255
    assert HEADER.fullmatch(header), header
    assert unquote(header.rpartition("UTF-8''")[2]) == (shown or "attachment-1")


@pytest.mark.parametrize(("name", "written"), list(product(NAMES[:6], TYPES)))
def test_no_browser_would_run_it(name, written):
    served = content_type(written)

    assert served in {"application/octet-stream", "application/pdf"}
    assert content_disposition(safe_name(name), 1).startswith("attachment;")


def zipped(content, name="a"):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return made.getvalue()


ZEROS = bytes(20_000_000)
LAUGHS = b'<!DOCTYPE a [<!ENTITY a "' + b"&b;" * 1000 + b'">]><a>&a;</a>'
BOMBS = {
    "zip": zipped(ZEROS),
    "zip in zip": zipped(zipped(ZEROS) * 10),
    "zip slip": zipped(b"x", "../../../etc/cron.d/x"),
    "gzip": gzip.compress(ZEROS),
    "xz": lzma.compress(ZEROS, preset=0),
    "docx": zipped(LAUGHS, "word/document.xml"),
    "svg": LAUGHS.replace(b"<a>", b"<svg>"),
    "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\xff\xff\xff\x7f" * 2 + b"\x08\x06\0\0\0",
    "pdf": b"%PDF-1.7\n1 0 obj<</Filter[/FlateDecode/FlateDecode]>>stream\n" + gzip.compress(ZEROS),
    "tar": b"sparse".ljust(156, b"\0") + b"S" + b"7" * 300,
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_bytes_with_a_size_and_a_digest(bomb):
    tracemalloc.start()
    try:
        found = attached("bomb", bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert (found.size, found.sha256) == (len(bomb), hashlib.sha256(bomb).hexdigest())
    assert peak < 20 * len(bomb) + 1_000_000


@pytest.mark.parametrize("number", range(51))
def test_no_decoded_field_holds_a_line_end_or_a_direction(number):
    code = [
        *range(0x20),
        0x7F,
        0x85,
        0x9F,
        0x2028,
        0x200E,
        0x202E,
        0x2066,
        0xD800,
        0xFFFE,
        0x1F,
        *range(9),
    ]
    char = chr(code[number % len(code)])
    encoded = encodebytes(f"a{char}Bcc: x@y.de".encode("utf-8", "surrogatepass")).decode().strip()
    raw = (
        f"From: =?utf-8?b?{encoded}?= <a@b.de>\r\nSubject: =?utf-8?b?{encoded}?=\r\n\r\nx".encode()
    )

    headers = read_mail(raw).headers

    for text in (headers.subject, headers.from_[0].name if headers.from_ else ""):
        assert not re.search("[\x00-\x1f\x7f-\x9f\ud800-\udfff]", text)
