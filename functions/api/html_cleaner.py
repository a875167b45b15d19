"""A mail's HTML -> what a browser may be given: our own allowlist over nh3.

nh3 is quadratic in nesting and attributes, and nothing ends it from inside, so `api.rendering` runs
`main` in a process of its own, with an end to its seconds and memory. Imports nothing of the house.
"""

import json
import re
import resource
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

import nh3

CPU_SECONDS = 2
MEMORY_BYTES = 768 * 1024 * 1024


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TAGS = _words(
    "a abbr b big blockquote br caption center cite code col colgroup dd del div dl dt em font h1"
    " h2 h3 h4 h5 h6 hr i img ins li ol p pre q s small span strike strong sub sup table tbody td"
    " tfoot th thead tr tt u ul"
)
_WITH_CONTENT = _words("script style title template noscript iframe object svg math")
_SIZED = frozenset({"align", "valign", "bgcolor", "width", "height"})
ATTRIBUTES: dict[str, set[str]] = {
    "*": {"style", "dir", "lang", "title"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "font": {"color", "face", "size"},
    "ol": {"start", "type"},
    "table": {*_SIZED, "border", "cellpadding", "cellspacing"},
    "td": {*_SIZED, "colspan", "rowspan"},
    "th": {*_SIZED, "colspan", "rowspan"},
    "tr": set(_SIZED),
    "div": {"align"},
    "p": {"align"},
}
# Nothing that moves an element over others, and nothing that takes an address.
STYLES = _words(
    "background-color border border-bottom border-collapse border-color border-left border-radius"
    " border-right border-spacing border-style border-top border-width color direction font-family"
    " font-size font-style font-variant font-weight height letter-spacing line-height margin"
    " margin-bottom margin-left margin-right margin-top max-width min-width padding padding-bottom"
    " padding-left padding-right padding-top text-align text-decoration text-indent text-transform"
    " vertical-align white-space width word-break word-wrap"
)
_UNSAFE_STYLE = re.compile(r"[\\@<]|/\*|(?<!rgb)(?<!rgba)(?<!hsl)(?<!hsla)\(", re.IGNORECASE)
_LINK = re.compile(r"(?:https?://[^\s/]|mailto:[^\s])[^\x00-\x20\x7f]*", re.IGNORECASE)
_REMOTE = re.compile(r"https?://[^\s/][^\x00-\x20\x7f]*", re.IGNORECASE)
_EMBEDDED = re.compile(
    r"data:image/(?:png|gif|jpeg|webp);base64,[A-Za-z0-9+/]+={0,2}", re.IGNORECASE
)
_CID = re.compile(r"cid:(.+)", re.IGNORECASE)
_IGNORED = re.compile(r"[\t\n\r]")  # as browsers do, anywhere in an address


@dataclass
class Cleaned:
    """`remote_images` counts those with an address outside the mail, shown or not."""

    html: str
    remote_images: int = 0


@dataclass
class _Filter:
    inline: Mapping[str, str]
    remote: bool
    found: Cleaned = field(default_factory=lambda: Cleaned(""))

    def __call__(self, _tag: str, name: str, value: str) -> str | None:
        """The attribute's value as it may stay; None to drop it."""
        if name == "href":
            return _whole(_LINK, value)
        if name == "src":
            return self._image(value)
        if name == "style":
            return _style(value)
        return value

    def _image(self, value: str) -> str | None:
        if part := _CID.fullmatch(value.strip()):
            return self.inline.get(part[1]) or self.inline.get(unquote(part[1]))
        if embedded := _whole(_EMBEDDED, value):
            return embedded
        address = _whole(_REMOTE, value)
        if address is None:
            return None
        self.found.remote_images += 1
        return address if self.remote else None


def clean(html: str, inline: Mapping[str, str], *, remote: bool) -> Cleaned:
    """`inline` are `data:` addresses by Content-ID; with `remote` images elsewhere keep theirs."""
    images = _Filter(inline, remote)
    images.found.html = nh3.clean(
        html,
        tags=set(TAGS),
        clean_content_tags=set(_WITH_CONTENT),
        attributes={tag: set(names) for tag, names in ATTRIBUTES.items()},
        attribute_filter=images,
        url_schemes={"http", "https", "mailto", "cid", "data"},
        filter_style_properties=set(STYLES),
        set_tag_attribute_values={
            "a": {"target": "_blank"},
            "img": {"loading": "lazy", "referrerpolicy": "no-referrer"},
        },
        link_rel="noopener noreferrer nofollow",
        strip_comments=True,
    )
    return images.found


def _whole(pattern: re.Pattern[str], value: str) -> str | None:
    address = _IGNORED.sub("", value).strip()
    return address if pattern.fullmatch(address) else None


def _style(value: str) -> str | None:
    kept = [part.strip() for part in value.split(";") if part.strip()]
    kept = [part for part in kept if not _UNSAFE_STYLE.search(part)]
    return ";".join(kept) or None


def main() -> None:
    """`{html, inline, remote}` on stdin, `{html, remote_images}` on stdout, both JSON."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    asked = json.load(sys.stdin)
    cleaned = clean(asked["html"], asked["inline"], remote=asked["remote"])
    json.dump({"html": cleaned.html, "remote_images": cleaned.remote_images}, sys.stdout)


if __name__ == "__main__":
    main()
