"""What a tenant may decide for itself. Defaults are the contract's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ablage.addresses import normalise, normalise_domain
from ablage.domains import is_free_mail, is_public_suffix
from ablage.errors import InvalidInput

OWN_ADDRESS_CHOICES = ("file", "ask", "skip")
FILED_KINDS = ("normal", "bulk", "invitation", "auto_reply")


@dataclass(frozen=True)
class Policy:
    """`own_domains` and `internal_addresses` are normalised.

    `fan_out_flag`: a message that one address files at more contacts is flagged. `acknowledged`
    are entities (`contact#id`), for `own_address="ask"`. `follow_moves`: mail moved before it was
    read is looked for in other folders.
    """

    match_subaddress: bool = False
    match_reply_to: bool = False
    match_inbound_recipients: bool = False
    file_internal_mail: bool = True
    file_kinds: tuple[str, ...] = FILED_KINDS
    own_address: str = "file"
    own_domains: tuple[str, ...] = ()
    internal_addresses: tuple[str, ...] = ()
    acknowledged: tuple[str, ...] = ()
    hold_fail: bool = False
    fan_out_flag: int = 25
    backfill_days: int = 30
    follow_moves: bool = True
    version: int = 0


def normalised(policy: Policy) -> Policy:
    """`policy` as typed by a person, with keys for domains and addresses, each once, in order.

    Raises InvalidInput `invalid_domain`, `free_mail_domain`, `public_suffix`, `invalid_address`,
    pointing at the element.
    """
    return replace(
        policy,
        file_kinds=tuple(dict.fromkeys(policy.file_kinds)),
        own_domains=_each(policy.own_domains, "/own_domains", _own_domain),
        internal_addresses=_each(policy.internal_addresses, "/internal_addresses", _address),
        acknowledged=tuple(dict.fromkeys(policy.acknowledged)),
    )


def _each(texts: Sequence[str], pointer: str, read: Callable[[str, str], str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(read(text, f"{pointer}/{n}") for n, text in enumerate(texts)))


def _own_domain(text: str, pointer: str) -> str:
    domain = normalise_domain(text.strip().removeprefix("@"))
    if domain is None:
        raise InvalidInput("invalid_domain", "A domain reads example.com.", pointer)
    if is_free_mail(domain):
        detail = "Strangers have mailboxes at this provider; list your addresses one by one."
        raise InvalidInput("free_mail_domain", detail, pointer)
    if is_public_suffix(domain):
        detail = "Other companies register below this domain; name your own."
        raise InvalidInput("public_suffix", detail, pointer)
    return domain


def _address(text: str, pointer: str) -> str:
    address = normalise(text)
    if address is None:
        detail = "This is not an e-mail address. Send it bare, as name@example.com."
        raise InvalidInput("invalid_address", detail, pointer)
    return address.exact
