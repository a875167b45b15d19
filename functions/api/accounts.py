"""From account bodies to accounts, and from accounts to views."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from ablage import faults
from ablage.accounts import NEVER, SYNC_DAYS_BACK, Account
from ablage.addresses import ascii_domain, normalise
from ablage.domains import is_free_mail, is_public_suffix
from ablage.errors import InvalidInput
from ablage.limits import FOLDER_MODES
from ablage.mailbox.presets import by_domain
from ablage.oauth import APP_ONLY, OAuthClient, OAuthProvider
from ablage.store.table import Item
from ablage.tenancy import TenantId
from api.account_schemas import (
    AccountBody,
    AccountPatch,
    AccountView,
    AutomaticFiling,
    AutomaticFilingView,
    MailSettings,
)
from api.clock import now, now_text, utc_text

_PLAIN = ("port", "username", "sync", "owner", "retention", "sync_folders")


class NewAccount(Protocol):
    """What all bodies that connect a mailbox say."""

    @property
    def address(self) -> str: ...
    @property
    def automatic_filing(self) -> AutomaticFiling: ...
    @property
    def sync_since(self) -> datetime | None: ...


@dataclass(frozen=True)
class LoginPlace:
    """Where to log in, as whom and how, as `Account` has it."""

    host: str
    port: int
    username: str
    auth: str = "password"
    delegate: str | None = None


def new_account(
    tenant: TenantId,
    account_id: str,
    body: NewAccount,
    login: LoginPlace,
    standing: Account | None,
) -> Account:
    """What `body` asks for. What it leaves to us (moments) is taken from `standing`, so that a
    repeated call asks for the same. Raises InvalidInput."""
    address = normalise(body.address)
    if address is None:
        detail = "This is not an e-mail address. Send it bare, as name@example.com."
        raise InvalidInput("invalid_address", detail, "/address")
    account = Account(
        tenant=tenant,
        account_id=account_id,
        address=address.text,
        own=address.exact,
        **vars(login),
        version=0,
        filing_enabled=bool(standing and standing.filing_enabled),
        filing_since=standing.filing_since if standing else None,
        sync_since=_past(body.sync_since) or (standing.sync_since if standing else _days_back()),
        created_at=standing.created_at if standing else now_text(),
    )
    return _with(account, {name: getattr(body, name) for name in MailSettings.model_fields})


def password_login(body: AccountBody) -> LoginPlace:
    """As sent, or where the address's provider is known to be. Raises InvalidInput `invalid_host`,
    `password_needed`, `host_needed`, `oauth_needed`, `no_imap`."""
    if not body.password.get_secret_value():
        raise InvalidInput("password_needed", "Send the mailbox's password.", "/password")
    if body.host:
        return LoginPlace(_host(body.host), body.port, body.username or body.address.strip())
    address = normalise(body.address)
    known = by_domain(address.exact) if address else []
    if not known:
        detail = "Send the host; POST /v1/accounts/discover asks DNS where it may be."
        raise InvalidInput("host_needed", detail, "/host")
    if known[0].auth not in {"password", "app_password"}:
        if known[0].auth == "oauth":
            raise InvalidInput("oauth_needed", known[0].help, "/address")
        raise InvalidInput("no_imap", known[0].help, "/address")
    return LoginPlace(known[0].host, known[0].port, body.username or known[0].username)


def app_login(body: AccountBody, client: OAuthClient, provider: OAuthProvider) -> LoginPlace:
    """Access without a person, by a client of the tenant's own directory. Raises InvalidInput."""
    if body.host or body.password.get_secret_value():
        detail = "Access by your Microsoft client takes neither host nor password."
        raise InvalidInput("app_access_only", detail, "/auth")
    if client.is_stack or "-" not in client.directory:
        detail = "Register a client of your own with the id of your Entra directory first."
        raise InvalidInput("directory_needed", detail, "/auth")
    username = body.username or body.address.strip()
    return LoginPlace(provider.host, provider.port, username, APP_ONLY)


def patched(account: Account, body: AccountPatch) -> Account:
    """The account with the fields that were sent. Raises InvalidInput."""
    return _with(account, {name: getattr(body, name) for name in body.model_fields_set})


def check_password(standing: Account, wanted: Account, *, is_sent: bool) -> None:
    """Raises InvalidInput: the stored password is for the server and the user it was given for, and
    goes nowhere else; access by OAuth is authorized, not typed."""
    places = ("host", "port", "username")
    moved = [f"/{name}" for name in places if getattr(standing, name) != getattr(wanted, name)]
    if standing.auth != "password" and (moved or is_sent):
        detail = "This mailbox is connected by OAuth: begin an authorization that reauthorizes it."
        pointer = "/password" if is_sent else moved[0]
        raise InvalidInput("connected_by_oauth", detail, pointer)
    if not is_sent and moved:
        detail = "Another host, port or user name needs the password too: send both in one call."
        raise InvalidInput("password_needed", detail, "/password")


def _with(account: Account, sent: dict[str, Any]) -> Account:
    changes = {name: sent[name] for name in _PLAIN if name in sent}
    if "visibility" in sent:
        changes["visibility"] = sent["visibility"] or ""
    if "viewers" in sent:
        changes["viewers"] = tuple(dict.fromkeys(sent["viewers"]))
    if "folder_modes" in sent:
        changes["folder_modes"] = _modes(account, sent["folder_modes"])
    if "host" in sent:
        changes["host"] = _host(sent["host"])
    if "aliases" in sent:
        changes["aliases"] = _aliases(sent["aliases"])
    if "automatic_filing" in sent:
        changes |= _filing(account, sent["automatic_filing"])
    return replace(account, **changes)


def _modes(account: Account, sent: dict[str, str | None]) -> dict[str, str]:
    """A person sets one folder's at a time: what is not named stays."""
    merged = {**account.folder_modes, **sent}
    modes = {folder: mode for folder, mode in merged.items() if mode is not None}
    if len(modes) > FOLDER_MODES:
        detail = f"At most {FOLDER_MODES} folders have a mode of their own; see sync_folders."
        raise InvalidInput("too_many_folders", detail, "/folder_modes")
    return modes


def _filing(account: Account, filing: AutomaticFiling) -> dict[str, Any]:
    """Switched on, it files from now; already on, it keeps its moment."""
    if not filing.enabled:
        return {"filing_enabled": False, "filing_since": None}
    kept = account.filing_since if account.filing_enabled else None
    return {"filing_enabled": True, "filing_since": _since(filing.since) or kept or now_text()}


def _host(text: str) -> str:
    host = ascii_domain(text)
    if host is None:
        raise InvalidInput("invalid_host", "A host is a name, as imap.example.com.", "/host")
    return host


def _aliases(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_alias(text, f"/aliases/{n}") for n, text in enumerate(texts)))


def _alias(text: str, pointer: str) -> str:
    if not text.strip().startswith("@"):
        address = normalise(text)
        if address is None:
            detail = "An alias is an address (name@example.com) or a domain (@example.com)."
            raise InvalidInput("invalid_address", detail, pointer)
        return address.exact
    address = normalise("x" + text.strip())
    if address is None:
        raise InvalidInput("invalid_domain", "A domain alias reads @example.com.", pointer)
    if is_free_mail(address.domain) or is_public_suffix(address.domain):
        detail = "Strangers have addresses there; list your own one by one."
        raise InvalidInput("free_mail_domain", detail, pointer)
    return f"@{address.domain}"


def _since(moment: datetime | None) -> str | None:
    return utc_text(moment) if moment else None


def _past(moment: datetime | None) -> str | None:
    """Raises InvalidInput: from a time to come on nothing would be read till then."""
    if moment and moment > now():
        detail = "Mail is read from a moment that has been; leave it out for 30 days back."
        raise InvalidInput("since_in_future", detail, "/sync_since")
    return _since(moment)


def _days_back() -> str:
    return utc_text(now() - timedelta(days=SYNC_DAYS_BACK))


def view(account: Account, state: Item | None) -> AccountView:
    """`state` as stored; a mailbox that is not synced shows as paused."""
    known = state or {}
    status = known.get("status", "syncing") if account.sync else "paused"
    return AccountView(
        id=account.account_id,
        address=account.address,
        auth=account.auth,
        host=account.host,
        port=account.port,
        username=account.username,
        delegate=account.delegate,
        sync=account.sync,
        automatic_filing=AutomaticFilingView(
            enabled=account.filing_enabled, since=account.filing_since
        ),
        sync_since=account.sync_since,
        owner=account.owner,
        viewers=list(account.viewers),
        visibility=account.shown_to_others,
        aliases=list(account.aliases),
        sync_folders=account.sync_folders,
        folder_modes=dict(account.folder_modes),
        retention=account.retention,
        created_at=account.created_at,
        version=account.version,
        status=status,
        status_since=known.get("since"),
        retry_at=_retry_at(int(known.get("not_before", 0))),
        checked_at=known.get("checked_at"),
        **_fault(known),
    )


def _fault(state: Item) -> dict[str, Any]:
    """What is wrong, as it stands now: what does not pass in time needs somebody."""
    code, since = state.get("code"), state.get("since")
    names = ("status_code", "status_class", "status_detail", "status_action")
    if code is None:
        return dict.fromkeys(names)
    row = faults.row_of(code)
    age = int((now() - datetime.fromisoformat(since)).total_seconds()) if since else 0
    texts = (code, row.kind_at(age), state.get("detail"), row.action_at(age))
    return dict(zip(names, texts, strict=True))


def _retry_at(at: int) -> str | None:
    return utc_text(datetime.fromtimestamp(at, UTC)) if now().timestamp() < at < NEVER else None
