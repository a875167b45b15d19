"""One normaliser of addresses for headers, contacts, blocklist and own addresses.

RFC 5321 calls the local part case-sensitive; no provider of note treats it so.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import NewType

NormalisedAddress = NewType("NormalisedAddress", str)

NORMALISER_VERSION = 1  # stored beside each key; a change re-indexes

ADDRESS_BYTES = 512  # RFC 5321 allows 254 octets; bounce addresses in the wild are longer
_DOMAIN_CHARACTERS = 253
_SAME_PROVIDER = {"googlemail.com": "gmail.com"}

_ATEXT = r"[^\s\x00-\x20\x7f\"(),:;<>@\[\\\]]+"
_DOT_LOCAL = re.compile(_ATEXT)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_ASCII_DOMAIN = re.compile(r"[A-Za-z0-9_.-]+")
_IDEOGRAPHIC_DOTS = str.maketrans("\u3002\uff0e\uff61", "...")
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_INVISIBLE_AT_THE_ENDS = (
    " \t\r\n\u00a0\u00ad\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\ufeff"
)
_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Address:
    """`text` as typed, trimmed; `exact` and `base` are the keys; `domain` has A-labels.

    `base` is `exact` without its `+tag`, and equal to it where there is none.
    """

    text: str
    exact: NormalisedAddress
    base: NormalisedAddress
    domain: str


def normalise(text: str) -> Address | None:
    """The address in `text`, an addr-spec without display name; None if it is none.

    Domain literals, missing domains, control and invisible characters give None. Never raises.
    """
    typed = text.strip(_INVISIBLE_AT_THE_ENDS)
    if len(typed.encode("utf-8", "replace")) > ADDRESS_BYTES:
        return None
    written_local, at, written_domain = typed.rpartition("@")
    local = _local_part(written_local)
    domain = normalise_domain(written_domain)
    if not at or local is None or domain is None:
        return None
    if len(local.encode()) > ADDRESS_BYTES:
        return None  # lower case can be longer than what was typed
    untagged = local.partition("+")[0] or local
    return Address(typed, _key(local, domain), _key(untagged, domain), domain)


def normalise_domain(text: str) -> str | None:
    """As `ascii_domain`, with one name per provider: `googlemail.com` is `gmail.com`."""
    domain = ascii_domain(text)
    return None if domain is None else _SAME_PROVIDER.get(domain, domain)


def ascii_domain(text: str) -> str | None:
    """Lower-case A-labels (UTS-46, non-transitional), no trailing dot; None if it is no name."""
    if len(text) > ADDRESS_BYTES:
        return None
    dotted = text.strip(_INVISIBLE_AT_THE_ENDS).translate(_IDEOGRAPHIC_DOTS).removesuffix(".")
    ascii_text = dotted.lower() if _ASCII_DOMAIN.fullmatch(dotted) else _to_ascii(dotted)
    if ascii_text is None or len(ascii_text) > _DOMAIN_CHARACTERS:
        return None
    labels = ascii_text.split(".")
    return ascii_text if all(_LABEL.fullmatch(label) for label in labels) else None


def domain_suffixes(domain: str) -> tuple[str, ...]:
    """The domain and its parents down to two labels: `a.x.de` gives `a.x.de`, `x.de`."""
    labels = domain.split(".")
    parents = tuple(".".join(labels[start:]) for start in range(1, len(labels) - 1))
    return (domain, *parents)


def _local_part(written: str) -> str | None:
    quoted = len(written) > 2 and written[0] == written[-1] == '"'
    if not quoted and not _DOT_LOCAL.fullmatch(written):
        return None
    plain = _QUOTED_PAIR.sub(r"\1", written[1:-1]) if quoted else written
    local = unicodedata.normalize("NFC", plain.lower())
    return local if local.isascii() and local.isprintable() else _visible(local)


def _visible(local: str) -> str | None:
    refused = any(unicodedata.category(c) in _REFUSED_CATEGORIES for c in local)
    return None if refused or not local else local


def _key(local: str, domain: str) -> NormalisedAddress:
    """A local part that is no dot-atom keeps its quotes, so that a key normalises to itself."""
    if not _DOT_LOCAL.fullmatch(local):
        escaped = local.replace("\\", "\\\\").replace('"', '\\"')
        local = f'"{escaped}"'
    return NormalisedAddress(f"{local}@{domain}")


def _to_ascii(domain: str) -> str | None:
    """UTS-46 ToASCII; `idna.encode` (IDNA 2008) would refuse names in use, as emoji."""
    import idna  # noqa: PLC0415  most names are ASCII, and most starts need no other

    try:
        mapped = idna.uts46_remap(domain, std3_rules=False, transitional=False)
        return ".".join(_a_label(label) for label in mapped.removesuffix(".").split("."))
    except (idna.IDNAError, UnicodeError):
        return None


def _a_label(label: str) -> str:
    return label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii")
