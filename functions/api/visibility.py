"""Which messages a caller sees, and who is told of Bcc."""

from ablage.accounts import Account
from ablage.errors import NotFound
from ablage.messages import Message
from ablage.store import accounts, messages
from ablage.store.storage import storage
from api.clock import now_epoch
from api.tenant import Caller


def find_message(caller: Caller, message_id: str) -> Message:
    """Raises NotFound `not_found`, also for one that has expired."""
    found = messages.get(storage().table, caller.tenant, message_id, now_epoch())
    if found is None:
        raise NotFound("not_found", "There is no such message; unfiled mail expires.")
    return found


def may_see_bcc(caller: Caller, message: Message) -> bool:
    """Bcc is known to the Sent copy alone, and shown to those who see its mailbox."""
    if not any(d.where == "bcc" for d in message.decisions) and not message.facts.bcc:
        return False
    senders = {copy.account_id for copy in message.copies if copy.role == "sent"}
    found = (accounts.get_account(storage().table, caller.tenant, sender) for sender in senders)
    return any(
        account is not None
        and _sends_as(account, message.facts.from_key)
        and caller.subject in (account.owner, *account.viewers)
        for account in found
    )


def _sends_as(account: Account, from_key: str) -> bool:
    """Somebody else's account with a copy in a sent folder has no say."""
    return bool({account.own, *account.aliases} & {from_key, "@" + from_key.rpartition("@")[2]})
