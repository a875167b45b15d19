"""A mail as a page of its own that is safe to show, as srcdoc of an `<iframe sandbox>`.

Its HTML is made safe in a child process: what takes too long or too much memory there ends the
child, and the mail is shown by its text."""

import base64
import functools
import html as escaping
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ablage.limits import HTML_SHOWN_CHARACTERS, INLINE_IMAGE_BYTES, INLINE_IMAGES_BYTES
from ablage.mail import Mail, attachment_content

SECONDS = 3.0  # wall clock of the child, whose CPU has an end of its own
SANDBOX = "allow-popups allow-popups-to-escape-sandbox"

_IMAGES = {  # what browsers draw and cannot run, by the first bytes, whatever the mail calls it
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/gif": re.compile(rb"GIF8[79]a"),
    "image/webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
}


@dataclass(frozen=True)
class Page:
    """`html` is a whole document that holds its own policy (`csp`); `problems` say what is missing:
    `html_truncated`, `html_too_complex`, `images_omitted`."""

    html: str
    csp: str
    remote_images: int = 0
    problems: tuple[str, ...] = ()


def render(mail: Mail, raw: bytes, *, remote: bool = False) -> Page:
    """The HTML of a mail, or its text where there is none. With `remote`, images elsewhere are
    loaded when the page is shown, which tells their server so."""
    csp = _policy(remote=remote)
    if not mail.html.strip():
        return Page(_document(_text(mail), csp), csp)
    inline, is_complete = _inline_images(mail, raw)
    problems: tuple[str, ...] = () if is_complete else ("images_omitted",)
    shown = mail.html[:HTML_SHOWN_CHARACTERS]
    if shown != mail.html or "text_limited" in mail.problems:
        problems += ("html_truncated",)
    cleaned = _cleaned(shown, inline, remote=remote)
    if cleaned is None:
        return Page(_document(_text(mail), csp), csp, problems=(*problems, "html_too_complex"))
    body, remote_images = cleaned
    return Page(_document(body, csp), csp, remote_images, problems)


@functools.cache
def _command() -> tuple[str, ...]:
    """Python without site, environment or anything of the house but the cleaner."""
    found = importlib.util.find_spec("nh3")
    library = Path(found.origin).resolve().parents[1] if found and found.origin else Path()
    paths = [str(Path(__file__).resolve().parents[1]), str(library)]
    code = f"import sys; sys.path[:0] = {paths!r}; from api.html_cleaner import main; main()"
    return (sys.executable, "-I", "-S", "-c", code)


def _cleaned(html: str, inline: Mapping[str, str], *, remote: bool) -> tuple[str, int] | None:
    """Made safe, with how many images lie elsewhere; None where that came to no end."""
    asked = json.dumps({"html": html, "inline": inline, "remote": remote})
    try:
        ended = subprocess.run(  # noqa: S603  our own code, the mail on its stdin
            _command(),
            input=asked.encode(),
            capture_output=True,
            timeout=SECONDS,
            check=True,
            env={},
        )
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
        return None
    answer = json.loads(ended.stdout)
    grown = len(answer["html"]) - sum(map(len, inline.values()))
    is_short = grown <= 4 * HTML_SHOWN_CHARACTERS
    return (answer["html"], answer["remote_images"]) if is_short else None


def _inline_images(mail: Mail, raw: bytes) -> tuple[dict[str, str], bool]:
    """`data:` addresses of images the HTML names by Content-ID, and whether all of them fitted."""
    found: dict[str, str] = {}
    left, is_complete = INLINE_IMAGES_BYTES, True
    for attached in mail.attachments:
        if not attached.content_id or attached.content_id not in mail.html:
            continue
        if attached.size > min(left, INLINE_IMAGE_BYTES):
            is_complete = False
            continue
        content = attachment_content(raw, attached.number) or b""
        if kind := image_type(content):
            left -= len(content)
            encoded = base64.b64encode(content).decode("ascii")
            found[attached.content_id] = f"data:{kind};base64,{encoded}"
    return found, is_complete


def image_type(content: bytes) -> str | None:
    """The type an image's first bytes tell; None for what is no image a browser only draws."""
    return next((kind for kind, begin in _IMAGES.items() if begin.match(content)), None)


def _policy(*, remote: bool) -> str:
    images = "data: https: http:" if remote else "data:"
    return (
        f"default-src 'none'; img-src {images}; style-src 'unsafe-inline';"
        " base-uri 'none'; form-action 'none'"
    )


def _text(mail: Mail) -> str:
    shown = escaping.escape(mail.text[:HTML_SHOWN_CHARACTERS])
    return f'<div style="white-space:pre-wrap">{shown}</div>'


def _document(body: str, csp: str) -> str:
    return (
        '<!DOCTYPE html><html><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{csp}">'
        '<meta name="referrer" content="no-referrer"></head>'
        f"<body>{body}</body></html>"
    )
