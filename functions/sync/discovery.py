"""Where may a mailbox be logged in to? Asked of DNS: where its domain's mail is delivered (MX), and
what the domain says itself (SRV `_imaps._tcp`, RFC 6186). Never guessed.

A host of another domain is a proposal: a person decides whether a password goes there. Whatever is
connected to later passes the same checks of address and certificate."""

import functools
from collections.abc import Callable
from typing import Any

from ablage.addresses import ascii_domain
from ablage.mailbox.presets import PORT, Candidate, by_domain, by_mx

LOOKUP_SECONDS = 5.0
CANDIDATES = 5

Resolve = Callable[[str, str], list[Any]]


@functools.cache
def _system() -> Resolve:
    return resolver()


def resolve(name: str, kind: str) -> list[Any]:
    """As this machine is told to ask."""
    return _system()(name, kind)


def resolver(nameserver: str = "", port: int = 53) -> Resolve:
    """Of the system, or of one name server. Answers are records; none for a name without any.

    Raises TimeoutError where DNS does not answer."""
    import dns.exception  # noqa: PLC0415  a part of each cold start, for a rare job
    import dns.resolver  # noqa: PLC0415  same

    asking = dns.resolver.Resolver(configure=not nameserver)
    if nameserver:
        asking.nameservers, asking.port = [nameserver], port
    asking.lifetime = LOOKUP_SECONDS

    def resolve(name: str, kind: str) -> list[Any]:
        try:
            return list(asking.resolve(name, kind, search=False))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.Timeout, dns.resolver.NoNameservers):
            raise TimeoutError from None
        except dns.exception.DNSException:  # a name that is none, an answer that is none
            return []

    return resolve


def discover(address: str, resolve: Resolve) -> list[Candidate]:
    """Best first. `address` normalised. Raises TimeoutError."""
    domain = address.rpartition("@")[2]
    known = by_domain(address)
    if known:
        return known
    found = by_mx(address, _exchanges(resolve(f"{domain}.", "MX")))
    found += _services(address, resolve(f"_imaps._tcp.{domain}.", "SRV"))
    hosts: dict[str, Candidate] = {}
    for candidate in found:
        hosts.setdefault(candidate.host, candidate)
    return list(hosts.values())[:CANDIDATES]


def _exchanges(records: list[Any]) -> list[str]:
    ranked = sorted(records, key=lambda record: int(record.preference))
    return [str(record.exchange).rstrip(".") for record in ranked]


def _services(address: str, records: list[Any]) -> list[Candidate]:
    """`.` as target says that there is no such service (RFC 2782)."""
    ranked = sorted(records, key=lambda record: (int(record.priority), -int(record.weight)))
    named = [(ascii_domain(str(record.target).rstrip(".")), int(record.port)) for record in ranked]
    return [_service(address, host) for host, port in named if host and port == PORT]


def _service(address: str, host: str) -> Candidate:
    domain = address.rpartition("@")[2]
    is_own = host == domain or host.endswith(f".{domain}")
    told = "The domain names this server itself. Send the mailbox's own password."
    foreign = f"The domain names {host}, a server of another domain: send a password only if you "
    return Candidate(
        domain, host, PORT, address, "password", "",
        told if is_own else foreign + "know it.", "srv",
    )  # fmt: skip
