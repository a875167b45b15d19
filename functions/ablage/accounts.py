"""A connected mailbox: what the tenant set. What sync found out lives in its state (`ablage.store.accounts`)."""

from dataclasses import dataclass

from ablage.tenancy import TenantId

RETENTION_CLASSES = ("30d", "90d", "365d")
DEFAULT_INTERVAL = 5  # minutes
SYNC_DAYS_BACK = 30


@dataclass(frozen=True)
class Account:
    """`filing_since` is RFC 3339 UTC to the second; `aliases` are normalised addresses or `@domain`; `address` as typed,
    `own` its exact key. `folders` are the ids to sync; empty means Inbox and Sent."""

    tenant: TenantId
    account_id: str
    address: str
    own: str
    host: str
    port: int
    username: str
    version: int
    sync: bool = True
    filing_enabled: bool = False
    filing_since: str | None = None
    sync_since: str | None = None
    owner: str | None = None
    viewers: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    retention: str = "30d"
    created_at: str = ""
    deleted: bool = False

    def files(self, received_at: str) -> bool:
        """Automatic filing is on and the copy came at or after `since` (RFC 3339 UTC to the second)."""
        return (
            self.filing_enabled
            and self.filing_since is not None
            and received_at >= self.filing_since
        )
