"""Blocklist entries: an exact address, or a domain with its subdomains."""

from dataclasses import dataclass
from typing import Literal

from ablage.addresses import normalise, normalise_domain
from ablage.domains import is_free_mail, is_public_suffix
from ablage.errors import InvalidInput

Kind = Literal["address", "domain"]


@dataclass(frozen=True)
class Entry:
    """`typed` as written; `value` the exact key of an address, or a domain in A-labels."""

    kind: Kind
    value: str
    typed: str

    @property
    def free_mail(self) -> bool:
        """Blocking this hides private senders of many companies: worth a warning."""
        return self.kind == "domain" and is_free_mail(self.value)


def parse_entry(text: str) -> Entry:
    """`x.de`, `@x.de`, `*@x.de`, `X.DE`, `x.de.` are one entry; with a local part: an address.

    Raises InvalidInput `wildcard_inside`, `public_suffix`, `invalid_entry`, pointing at `/entry`.
    """
    typed = text.strip()
    local, _, domain = typed.rpartition("@")
    if "*" in domain or "*" in local.removeprefix("*"):
        detail = "Only a whole domain can be blocked by a wildcard: *@example.com."
        raise InvalidInput("wildcard_inside", detail, "/entry")
    return _domain(domain, typed) if local in ("", "*") else _address(typed)


def _address(typed: str) -> Entry:
    address = None if typed.startswith("*") else normalise(typed)
    if address is None:
        raise _invalid()
    return Entry("address", address.exact, address.text)


def _domain(written: str, typed: str) -> Entry:
    domain = normalise_domain(written)
    if domain is None:
        raise _invalid()
    if is_public_suffix(domain):
        detail = "Companies register below this domain; block the domain of one of them."
        raise InvalidInput("public_suffix", detail, "/entry")
    return Entry("domain", domain, typed)


def _invalid() -> InvalidInput:
    detail = "An entry is an address (name@example.com) or a domain (example.com)."
    return InvalidInput("invalid_entry", detail, "/entry")
