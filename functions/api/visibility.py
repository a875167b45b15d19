"""What a caller sees of messages, accounts and rows. Every route that shows mail goes through here.

- One message: `find_sight(caller, id)`; answer from `sight.message` alone, which already lacks what
  the caller may not hear of (Bcc, copies in other people's mailboxes, the snippet). A route that
  needs the mail's bytes asks `find_content(caller, id)`.
- A writer: `find_message(caller, id)` says whether it is there for the caller, and is the message
  as stored; what it answers goes through `shown(caller, message)`.
- Rows of a list (archives, review, changes, search, counts, exports): keep `access_mark(message,
  entity)` in the row as `ac` beside the message id `m`, and read pages by `seen_page`, or pass rows
  through `seen_rows`: it leaves out what the caller may not see and adds `access`. A route that
  counts asks `sees_all(caller)` first: only then may the database count.
- Work done later for a caller keeps `viewer(caller)` and asks `ablage.visibility.see` itself.
- What tells of one mailbox's unfiled mail: `find_viewed_account`.

Hidden is NotFound, word for word as what does not exist. Rights are read from the account items at
every request, at most once for a page, so that a change of owner, viewers or visibility counts at
once; a token for all mailboxes costs no read.
"""

from collections.abc import Iterable, Sequence

from ablage import visibility
from ablage.accounts import Account
from ablage.errors import Forbidden, NotFound
from ablage.messages import Message
from ablage.store import accounts, connections, messages
from ablage.store.lists import Found, ReadOn, page_of_seen
from ablage.store.storage import storage
from ablage.store.table import Item
from ablage.visibility import MORE, Sight, Viewer, marked_accounts, row_access
from api.clock import now_epoch
from api.tenant import Caller

ALL_MAILBOXES = "mailboxes:all"
MANAGE = "manage"


def viewer(caller: Caller) -> Viewer:
    return Viewer(caller.subject, sees_all(caller))


def sees_all(caller: Caller) -> bool:
    """The token speaks for every mailbox of the tenant, as a server's does."""
    return ALL_MAILBOXES in caller.scopes


# ---- accounts ------------------------------------------------------------------------------------


def views(caller: Caller, account: Account) -> bool:
    return viewer(caller).views(account)


def find_viewed_account(caller: Caller, account_id: str, *, or_manage: bool = False) -> Account:
    """Raises NotFound `not_found`, also for one whose unfiled mail the caller may not see; of its
    folders' names alone, who manages mailboxes may know too."""
    found = connections.find_account(storage().table, caller.tenant, account_id)
    if not views(caller, found) and not (or_manage and MANAGE in caller.scopes):
        raise NotFound("not_found", "There is no such account.")
    return found


def require_all_mailboxes(caller: Caller) -> None:
    """Or `manage`, which starts batches over them. Raises Forbidden `insufficient_scope`: the
    answer counts everybody's unfiled mail."""
    if not sees_all(caller) and MANAGE not in caller.scopes:
        detail = (
            f"This counts every mailbox's mail: it needs the scope '{ALL_MAILBOXES}' or manage."
        )
        raise Forbidden("insufficient_scope", detail)


# ---- messages ------------------------------------------------------------------------------------


def seen(caller: Caller, message: Message) -> Sight | None:
    """None: not for this caller."""
    ids = () if sees_all(caller) else message.accounts
    known = accounts.by_id(storage().table, caller.tenant, ids)
    return visibility.see(viewer(caller), message, known)


def find_sight(caller: Caller, message_id: str) -> Sight:
    """Raises NotFound `not_found`: it is not there, has expired, or is not for this caller."""
    found = messages.get(storage().table, caller.tenant, message_id, now_epoch())
    sight = seen(caller, found) if found else None
    if sight is None:
        raise NotFound("not_found", "There is no such message; unfiled mail expires.")
    return sight


def find_content(caller: Caller, message_id: str) -> Sight:
    """For a route that shows the mail's text or bytes. Raises NotFound, Forbidden
    `content_hidden` where its mailboxes show others the header alone."""
    sight = find_sight(caller, message_id)
    if sight.access != "full":
        detail = "Its mailbox shows others who wrote what when, not what it says."
        raise Forbidden("content_hidden", detail)
    return sight


def find_message(caller: Caller, message_id: str) -> Message:
    """The message as stored, for those who change it: never to be shown. Raises NotFound, Forbidden
    `variant_only`."""
    found = messages.get(storage().table, caller.tenant, message_id, now_epoch())
    sight = seen(caller, found) if found else None
    if found is None or sight is None:
        raise NotFound("not_found", "There is no such message; unfiled mail expires.")
    check_may_change(sight)
    return found


def check_may_change(sight: Sight) -> None:
    """A forged copy in one's own mailbox must not file, and so show, what is in another's. Raises
    Forbidden `variant_only`."""
    if sight.is_variant:
        detail = (
            "Your mailbox has other content under this mail's Message-ID: who sees the mail itself "
            "may change where it is filed."
        )
        raise Forbidden("variant_only", detail)


def shown(caller: Caller, changed: Message) -> Message:
    """What the caller may know of a message he just changed; taken out of his sight by it, nothing
    but its filings as he left them."""
    sight = seen(caller, changed)
    return sight.message if sight else visibility.without_bcc(changed)


# ---- rows ----------------------------------------------------------------------------------------


def seen_rows(caller: Caller, rows: Sequence[Item]) -> list[Item]:
    """The rows the caller may see, each with `access`; of `headers` the snippet is left out. One
    batch read of accounts; messages are read only for rows whose mark had no room for all."""
    if sees_all(caller):
        return [row | {"access": "full"} for row in rows]
    ids = dict.fromkeys(a for row in rows for a in marked_accounts(row.get("ac", ())))
    known = accounts.by_id(storage().table, caller.tenant, ids)
    found = ((row, _access(caller, row, known)) for row in rows)
    return [_shown(row, access) for row, access in found if access]


def seen_page(caller: Caller, read: ReadOn, after: str | None, limit: int) -> Found:
    """A page of the rows the caller may see. `read` as of `page_of_seen`; one call of it for a
    caller from whom nothing is hidden."""

    def seen(rows: list[Item]) -> list[Item]:
        return seen_rows(caller, rows)

    if sees_all(caller):
        rows, more = read(after, limit)
        return seen(rows), more
    return page_of_seen(read, seen, after, limit)


def _access(caller: Caller, row: Item, known: dict[str, Account]) -> str | None:
    mark = row.get("ac", (MORE,))  # rows of before there were marks
    access = row_access(viewer(caller), mark, known)
    if access == "full" or MORE not in mark:
        return access
    message = messages.get(storage().table, caller.tenant, row["m"], now_epoch())
    sight = seen(caller, message) if message else None
    return sight.access if sight else None


def _shown(row: Item, access: str) -> Item:
    return row | {"access": access} | ({} if access == "full" else {"sn": ""})


def seen_messages(caller: Caller, found: Iterable[Message]) -> list[Message]:
    """Those the caller may see, as he may know them."""
    sights = (seen(caller, message) for message in found)
    return [sight.message for sight in sights if sight]
