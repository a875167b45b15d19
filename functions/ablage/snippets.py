"""The first words of a mail, for a list row. Linear in what is looked at, which is little."""

import html
import re

from ablage.limits import SNIPPET_BYTES

_LOOKED_AT = 64 * 1024  # characters of HTML; enough to get past a style sheet
_CHARACTERS = 2000
_TOKEN = re.compile(r"<!--|<[^<>]*+>|[^<]++|<")
_TAG = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]*)")
_HIDDEN = frozenset({"style", "script", "title", "template", "noscript"})
_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")


def snippet(text: str, html_text: str) -> str:
    """At most SNIPPET_BYTES of UTF-8, of the text, or of the HTML where there is none."""
    from_text = _shortened(text[:_CHARACTERS])
    return from_text or _shortened(strip_html(html_text[:_LOOKED_AT]))


def strip_html(text: str, characters: int = _CHARACTERS) -> str:
    """The first characters a reader sees; what can't be parsed is left out. Not for rendering."""
    words: list[str] = []
    length, hidden, position = 0, "", 0
    while position < len(text) and length < characters:
        token = _TOKEN.match(text, position)
        shown = token[0] if token else " "
        position += len(shown)
        if shown == "<!--":
            end = text.find("-->", position)
            position = end + 3 if end >= 0 else len(text)
        elif shown[0] == "<":
            hidden = _hides(shown, hidden)
            words.append(" ")
        elif not hidden:
            words.append(shown)
            length += len(shown)
    return html.unescape("".join(words)[: characters * 2])


def _hides(tag: str, hidden: str) -> str:
    """The name of the element whose content is not shown, after `tag`; empty if all is shown."""
    found = _TAG.match(tag)
    name = found[1].lower() if found else ""
    if hidden:
        return "" if tag.startswith("</") and name == hidden else hidden
    return name if name in _HIDDEN and not tag.startswith("</") else ""


def _shortened(text: str) -> str:
    words = " ".join(_INVISIBLE.sub("", text).split())
    return words.encode("utf-8", "ignore")[:SNIPPET_BYTES].decode("utf-8", "ignore").strip()
