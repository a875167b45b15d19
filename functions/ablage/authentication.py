"""What the receiving provider said about the sender (RFC 8601), and nobody else.

Anybody may write an Authentication-Results field. Only the topmost counts, and of a provider we
know only what it stamps itself: by its authserv-id, above every hop that is not its own. A `pass`
needs DMARC, about the domain From shows. Where in doubt the verdict is `none`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ablage.addresses import normalise_domain
from ablage.domains import is_public_suffix

PASS, FAIL, NONE = "pass", "fail", "none"
VERDICTS = (PASS, FAIL, NONE)  # the strongest first, where copies of one content differ
ARC_OVERRIDE = "130"  # compauth's reason: passed by a sealer the receiver trusts

_LONGEST = 8192
_STATEMENT = re.compile(
    r"\s*([a-z][a-z0-9-]*)\s*(?:/\s*\d+\s*)?=\s*([a-z0-9_-]+)(?=\s|$)(.*)", re.S
)
_HEADER_FROM = re.compile(r"(?<!\S)header\.from\s*=\s*(\S*)")
_REASON = re.compile(r"(?<!\S)reason\s*=\s*(\S+)")
_BY = re.compile(r"(?<!\S)by\s+([^\s;()]+)", re.I)
_ADDRESS_LITERAL = re.compile(r"\[?[0-9a-fA-F:.]*:?[0-9.]*\]?")


@dataclass(frozen=True)
class Evidence:
    """`results` is the topmost Authentication-Results; `from_domain` of the one From mailbox, empty
    without one or with several; `relays` the Received fields above `results`. As written."""

    results: str = ""
    from_domain: str = ""
    relays: tuple[str, ...] = ()


NO_EVIDENCE = Evidence()


@dataclass(frozen=True)
class Provider:
    """`domains`: of its IMAP hosts and of its own addresses. `ids`: domains its authserv-ids lie
    in; none for Microsoft, which writes no id but `compauth`. `relays`: domains its hosts receive
    as, where they are known."""

    domains: tuple[str, ...]
    ids: tuple[str, ...]
    relays: tuple[str, ...] = ()

    def stamped(self, authserv_id: str, evidence: Evidence) -> bool:
        known = _within(authserv_id, self.ids) if self.ids else not authserv_id
        return known and all(self._relayed(field) for field in evidence.relays)

    def _relayed(self, received: str) -> bool:
        by = _BY.search(received)
        if not self.relays or not by or _ADDRESS_LITERAL.fullmatch(by[1]):
            return True
        return _within(by[1].lower().rstrip("."), self.relays)


PROVIDERS = (
    Provider(("gmail.com", "googlemail.com"), ("google.com",), ("google.com",)),
    Provider(
        ("outlook.com", "office365.com", "outlook.de", "hotmail.com", "hotmail.de", "live.com",
         "live.de", "msn.com"),
        (),
        ("outlook.com", "office365.com"),
    ),
    Provider(("yahoo.com", "yahoo.de", "yahoo.co.uk", "ymail.com", "aol.com", "aol.de"),
             ("yahoo.com", "aol.com")),
    Provider(("icloud.com", "me.com", "mac.com"), ("icloud.com", "apple.com")),
    Provider(("gmx.net", "gmx.de", "gmx.com", "gmx.at", "gmx.ch", "web.de"),
             ("gmx.net", "gmx.com", "web.de")),
    Provider(("fastmail.com", "messagingengine.com"), ("messagingengine.com", "fastmail.com")),
)  # fmt: skip


@dataclass(frozen=True)
class _Statement:
    """What one method found, as an Authentication-Results field tells it."""

    method: str
    result: str
    properties: str

    def about(self, domain: str) -> bool:
        """DMARC is about From; a provider that names another domain judged another mail."""
        named = _HEADER_FROM.search(self.properties)
        return named is None or _aligned(named[1], domain)


def verdict(evidence: Evidence, host: str = "", domain: str = "") -> str:
    """`pass`, `fail` or `none`. `host` and `domain` (of the address) say whose mailbox it is; of
    one nobody knows any authserv-id is taken, but no other field than the topmost."""
    authserv_id, said = _read(evidence.results)
    provider = provider_of(host, domain)
    if not (provider.stamped(authserv_id, evidence) if provider else authserv_id):
        return NONE
    if provider and not provider.ids:
        composite = _composite(said, evidence.from_domain)
        if composite:
            return composite
    return _judged(said, evidence.from_domain)


def provider_of(host: str, domain: str) -> Provider | None:
    """By the IMAP host; by the domain of the address where the host is nobody's."""
    for name in (host.lower().rstrip("."), domain):
        for provider in PROVIDERS:
            if _within(name, provider.domains):
                return provider
    return None


def _composite(said: tuple[_Statement, ...], domain: str) -> str:
    """Microsoft's compauth: its fail counts, of its passes only that of a trusted ARC sealer."""
    for statement in said:
        reason = _REASON.search(statement.properties)
        if statement.method != "compauth":
            continue
        if statement.result == FAIL:
            return FAIL
        if statement.result == PASS and reason and reason[1] == ARC_OVERRIDE and domain:
            return PASS
    return ""


def _judged(said: tuple[_Statement, ...], domain: str) -> str:
    dmarc = [statement for statement in said if statement.method == "dmarc"]
    results = {statement.result for statement in dmarc if statement.about(domain)}
    if FAIL in results:
        return FAIL
    if results == {PASS} and domain and all(statement.about(domain) for statement in dmarc):
        return PASS
    return FAIL if not dmarc and _both_fail(said) else NONE


def _both_fail(said: tuple[_Statement, ...]) -> bool:
    """Without DMARC: SPF and DKIM have both failed, and neither has passed."""
    spf = {statement.result for statement in said if statement.method == "spf"}
    dkim = {statement.result for statement in said if statement.method == "dkim"}
    return FAIL in spf and FAIL in dkim and PASS not in spf | dkim


def _read(results: str) -> tuple[str, tuple[_Statement, ...]]:
    """The authserv-id, empty where the field begins with a statement, and the statements."""
    first, *others = _plain(results[:_LONGEST]).lower().split(";")
    words = first.split()
    named = bool(words) and "=" not in first
    parts = others if named else [first, *others]
    found = (_STATEMENT.fullmatch(part) for part in parts)
    said = tuple(_Statement(m[1], m[2], m[3]) for m in found if m)
    return (words[0].rstrip(".") if named else ""), said


def _plain(text: str) -> str:
    """Without comments and the content of quoted strings; what does not close hides the rest."""
    kept: list[str] = []
    depth, quoted, escaped = 0, False, False
    for character in text:
        if escaped:
            escaped = False
        elif character == "\\" and (quoted or depth):
            escaped = True
        elif quoted:
            quoted = character != '"'
        elif character in "()":
            depth = depth + 1 if character == "(" else max(0, depth - 1)
            kept.append(" ")
        elif not depth:
            quoted = character == '"'
            kept.append(character)
    return "".join(kept)


def _aligned(named: str, domain: str) -> bool:
    """`named` is the domain, or the organisation's above it."""
    found = normalise_domain(named.rpartition("@")[2])
    if found is None or not domain:
        return False
    return found == domain or (domain.endswith(f".{found}") and not is_public_suffix(found))


def _within(name: str, domains: Iterable[str]) -> bool:
    return any(name == domain or name.endswith(f".{domain}") for domain in domains)
