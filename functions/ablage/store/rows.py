"""The rows lists are served from: complete, made from the message alone, at most 640 bytes each.

A row carries the version of the message it was made from; a newer one is never overwritten.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from hashlib import sha256

from ablage.addresses import normalise
from ablage.authentication import NONE
from ablage.limits import UNMATCHED_RECIPIENTS
from ablage.messages import HELD, REVIEW, Entity, Filing, Message
from ablage.store import keys
from ablage.store.keys import Key
from ablage.store.table import Item
from ablage.visibility import access_mark, is_by_bcc, without_bcc

SUBJECT_BYTES = 120
SNIPPET_BYTES = 160
PARTY_BYTES = 96
MARK_ROOM = 20  # of the accounts in an archive row; what they take beyond is the snippet's
ROW_FILINGS = 3
PARTIES_KEPT = 8  # of a mail, by digest; a filter asks the message for those beyond
PARTY_DIGEST = 4  # bytes
TOMBSTONE_SECONDS = 24 * 3600  # longer than any writer lives, shorter than any retention class
MAIL_ID_DIGEST = 8  # bytes of it in an overview row, for finding a mail by its Message-ID
UNMATCHED_TTL = timedelta(days=90)  # of a filed message's other addresses

Rows = dict[Key, Item]

_SENDERS, _RECIPIENTS = ("from", "original_from", "reply_to"), ("to", "cc", "bcc")


def cut(text: str, limit: int) -> str:
    """At most `limit` bytes of UTF-8, never half a character."""
    raw = text.encode("utf-8", "replace")
    return text if len(raw) <= limit else raw[: limit - 3].decode("utf-8", "ignore") + "\u2026"


def wanted_rows(message: Message) -> Rows:
    """Every row the message wants, tombstone rows of `gone` left out."""
    rows = (_archive_rows, _review_rows, _unfiled_rows, _overview_rows, _unmatched_rows)
    return dict(row for made in rows for row in made(message))


def mail_id_digest(mail_id: str) -> bytes | None:
    """What an overview row keeps of a Message-ID; None of none."""
    return sha256(mail_id.encode()).digest()[:MAIL_ID_DIGEST] if mail_id else None


def archive_key(message: Message, entity: Entity) -> Key:
    if entity == REVIEW:
        return keys.review_entry(message.tenant, message.sort_time, message.message_id)
    return keys.archive_entry(
        message.tenant, entity.kind, entity.entity_id, message.sort_time, message.message_id
    )


def _shown(message: Message) -> Item:
    """What every list shows of a message."""
    facts = message.facts
    parties = ", ".join(facts.to) if facts.direction == "outbound" else facts.sender
    return {
        "m": message.message_id,
        "t": message.sort_time,
        "s": cut(facts.subject, SUBJECT_BYTES),
        "p": cut(parties, PARTY_BYTES),
        "w": facts.direction,
        "sn": cut(facts.snippet, SNIPPET_BYTES),
        "k": facts.kind,
        "au": facts.authentication if facts.authentication != NONE else None,
        "at": facts.attachments or None,
        "fl": sorted(message.flags) or None,
    }


def _archive_rows(message: Message) -> Iterator[tuple[Key, Item]]:
    known, openly = _shown(message), _shown(without_bcc(message))
    for entity, filing in message.filings.items():
        shown = known if is_by_bcc(filing) else openly
        mark = access_mark(message, entity)
        parties = _party_digests(parties_of(message, filing))
        room = SNIPPET_BYTES - _over(mark) - len(parties)
        more = {"sn": cut(message.facts.snippet, room), "o": sorted(filing.origins), "ac": mark}
        yield archive_key(message, entity), shown | more | {"pd": parties}


def _over(mark: list[str]) -> int:
    """The snippet is shorter where more than one account of a usual id is named."""
    return max(0, sum(len(entry) + 4 for entry in mark) - MARK_ROOM)


def parties_of(message: Message, filing: Filing | None) -> list[str]:
    """Exact keys of the other side, as far as who sees the row may know it: the sender, or for whom
    the mail was relayed; of sent mail its recipients."""
    known = message if filing and is_by_bcc(filing) else without_bcc(message)
    facts = known.facts
    if facts.direction == "outbound":
        places, written = _RECIPIENTS, _keys_in((*facts.to, *facts.cc, *facts.bcc))
    else:
        places, written = _SENDERS, [facts.from_key]
    looked_at = [d.address for d in known.decisions if d.where in places]
    return [key for key in dict.fromkeys((*looked_at, *written)) if key]


def _keys_in(shown: Iterable[str]) -> list[str]:
    """Of `Name <address>`, as facts have it."""
    texts = (text.rpartition("<")[2].removesuffix(">") for text in shown)
    return [address.exact for text in texts if (address := normalise(text))]


def party_digest(key: str) -> bytes:
    return sha256(key.encode()).digest()[:PARTY_DIGEST]


def _party_digests(parties: list[str]) -> bytes:
    """One byte longer where there are more than PARTIES_KEPT."""
    digests = b"".join(party_digest(key) for key in parties[:PARTIES_KEPT])
    return digests + b"+" * (len(parties) > PARTIES_KEPT)


def has_party(digests: bytes | None, key: str) -> bool | None:
    """Whether that address is among them; None where the row cannot tell."""
    if digests is None:
        return None  # a row of before there were digests
    starts = range(0, len(digests) - PARTY_DIGEST + 1, PARTY_DIGEST)
    if any(digests[start : start + PARTY_DIGEST] == party_digest(key) for start in starts):
        return True
    return None if len(digests) % PARTY_DIGEST else False


def _unfiled_rows(message: Message) -> Iterator[tuple[Key, Item]]:
    """By these a merge of contacts finds the tombstones; one that was lifted leaves its row."""
    for entity in sorted(message.tombstones):
        yield (
            keys.unfiled_entry(
                message.tenant,
                entity.kind,
                entity.entity_id,
                message.sort_time,
                message.message_id,
            ),
            {},
        )


def _review_rows(message: Message) -> Iterator[tuple[Key, Item]]:
    if message.review == HELD:
        held = next((d for d in message.decisions if d.is_held), None)
        why: Item = {"r": held.reason, "x": cut(held.address, PARTY_BYTES)} if held else {}
        why |= {"ac": access_mark(message, REVIEW), "expires": message.expires}
        yield archive_key(message, REVIEW), _shown(message) | why


def _overview_rows(message: Message) -> Iterator[tuple[Key, Item]]:
    common = {"i": mail_id_digest(message.facts.mail_id), "expires": message.expires}
    known, openly = (_shown(m) | _standing(m) for m in (message, without_bcc(message)))
    for account in message.accounts:
        theirs = [copy for copy in message.copies if copy.account_id == account]
        sent = any(copy.role == "sent" for copy in theirs)
        main = any(copy.digest == message.digest for copy in theirs)
        row = (known if sent else openly) | common | ({} if main else {"sn": ""})
        first = message.first_copy(account)
        key = keys.overview(message.tenant, account, first.received_at, message.message_id)
        yield key, row | {"c": first.received_at, "fo": _folders(message, account)}


def _standing(message: Message) -> Item:
    """Where it is filed, and why."""
    filed = [str(entity) for entity in message.filings]
    return {"n": len(filed), "fi": filed[:ROW_FILINGS] or None, "r": message.reason()}


def _folders(message: Message, account: str) -> list[str]:
    found = (copy.folder_id for copy in message.copies if copy.account_id == account)
    return list(dict.fromkeys(found))


def _unmatched_rows(message: Message) -> Iterator[tuple[Key, Item]]:
    """What a contact made later finds its earlier mail by."""
    received = datetime.fromisoformat(message.copies[0].received_at) if message.copies else None
    if received is None:
        return
    expires = message.expires or int((received + UNMATCHED_TTL).timestamp())
    missed = [d for d in message.decisions if d.reason == "no_match" and d.address]
    for decision in missed[:UNMATCHED_RECIPIENTS]:
        key = keys.unmatched(
            message.tenant, decision.address, message.sort_time, message.message_id
        )
        yield key, {"where": decision.where, "expires": expires}
