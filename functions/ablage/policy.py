"""What a tenant may decide for itself. Defaults are the contract's."""

from dataclasses import dataclass

OWN_ADDRESS_CHOICES = ("file", "ask", "skip")
FILED_KINDS = ("normal", "bulk", "invitation", "auto_reply")


@dataclass(frozen=True)
class Policy:
    """`own_domains` and `internal_addresses` are normalised; `acknowledged` are entities (`contact#id`) for `ask`."""

    match_subaddress: bool = False
    match_reply_to: bool = False
    match_inbound_recipients: bool = False
    file_internal_mail: bool = True
    file_kinds: tuple[str, ...] = FILED_KINDS
    own_address: str = "file"
    own_domains: tuple[str, ...] = ()
    internal_addresses: tuple[str, ...] = ()
    acknowledged: tuple[str, ...] = ()
    backfill_days: int = 30
    version: int = 0
