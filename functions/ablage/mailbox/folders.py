"""Folders: what the server lists, under which name people know them, and what they are for."""

import hashlib
import re
import unicodedata
from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import Any

from ablage.accounts import Folder
from ablage.mailbox.faults import fault
from ablage.mailbox.wire import Answer, Wire, string

FOLDERS = 1000  # kept of one account
FOLDERS_BYTES = 200 * 1024  # of them, as an item of 400 KB stores them
_FOLDER_BYTES = 128  # of one, beside its names

_SPECIAL_USE = {  # RFC 6154, and Gmail's and Apple's \Inbox
    b"\\SENT": "sent",
    b"\\DRAFTS": "drafts",
    b"\\TRASH": "trash",
    b"\\JUNK": "junk",
    b"\\ARCHIVE": "archive",
    b"\\ALL": "all",
}
_HIDDEN = {b"\\NOSELECT", b"\\NONEXISTENT"}

# Servers without SPECIAL-USE: names by language, as mail programs and providers create them
# [imap-sync section 3: Sent discovery]. Compared case-folded, without accents.
_NAMES = {
    "sent": (
        *("sent", "sent items", "sent messages", "sent mail", "sent-mail", "sentmail"),
        *("gesendet", "gesendete", "gesendete elemente", "gesendete objekte"),
        *("gesendete nachrichten", "postausgang gesendet"),
        *("envoyes", "elements envoyes", "messages envoyes", "objets envoyes", "courrier envoye"),
        *("enviados", "elementos enviados", "mensajes enviados", "itens enviados", "enviadas"),
        *("inviata", "inviati", "posta inviata", "elementi inviati", "messaggi inviati"),
        *("verzonden", "verzonden items", "verzonden berichten"),
        *("skickat", "skickade objekt", "sendt", "sendte elementer", "lahetetyt", "sendt post"),
        *("wysłane", "elementy wysłane", "odeslane", "odeslana posta", "elkuldott", "trimise"),
        *("отправленные", "надіслані", "gonderilmis", "gonderilmis ogeler", "送信済み", "已发送"),
    ),
    "drafts": ("drafts", "entwurfe", "brouillons", "borradores", "bozze", "concepten", "rascunhos"),
    "trash": (
        *("trash", "deleted", "deleted items", "deleted messages", "papierkorb", "geloscht"),
        *("geloschte elemente", "geloschte objekte", "corbeille", "elements supprimes"),
        *("papelera", "cestino", "prullenbak", "lixeira", "bin"),
    ),
    "junk": (
        *("junk", "spam", "junk e-mail", "junk email", "junk mail", "bulk mail", "spamverdacht"),
        *("unerwunscht", "courrier indesirable", "correo no deseado", "posta indesiderata"),
    ),
    "archive": ("archive", "archiv", "archives", "archivo", "archivio"),
}
_ROLE_BY_NAME = {name: role for role, names in _NAMES.items() for name in names}


def folder_id(raw: bytes) -> str:
    """16 hex digits of the SHA-256 of the raw name: names hold anything, keys do not."""
    return hashlib.sha256(raw).hexdigest()[:16]


def raw_name(folder: Folder) -> bytes:
    return folder.raw.encode("latin-1")


def list_folders(wire: Wire, capabilities: frozenset[str]) -> tuple[Folder, ...]:
    """Every folder that can be opened, in the server's order, as many as an item holds. Raises
    AccountFault: an answer NO is no empty mailbox."""
    can_ask = {"SPECIAL-USE", "LIST-EXTENDED"} <= capabilities
    command = b'LIST "" "*"' + (b" RETURN (SPECIAL-USE)" if can_ask else b"")
    status, answers = wire.finish(wire.send(command))
    if status != b"OK":
        raise fault("protocol_error")
    rows = [row for answer in answers if (row := _row(answer))]
    if not rows:
        raise fault("protocol_error")
    return _fitting(with_roles(rows))


def _fitting(folders: list[Folder]) -> tuple[Folder, ...]:
    """Those with a role first, for Inbox and Sent are what is read."""
    fitting: set[int] = set()
    left = FOLDERS_BYTES
    for place in sorted(range(len(folders)), key=lambda place: not folders[place].role):
        size = _stored_bytes(folders[place])
        if size <= left and len(fitting) < FOLDERS:
            fitting.add(place)
            left -= size
    return tuple(folder for place, folder in enumerate(folders) if place in fitting)


def _stored_bytes(folder: Folder) -> int:
    return _FOLDER_BYTES + len(folder.name.encode()) + len(folder.raw.encode())


Row = tuple[bytes, str, frozenset[bytes]]  # raw name, delimiter, flags upper case


def _row(answer: Answer) -> Row | None:
    if answer.name != b"LIST" or len(answer.values) < 3 or not isinstance(answer.values[0], list):
        return None
    flags = frozenset(bytes(flag).upper() for flag in answer.values[0] if isinstance(flag, bytes))
    name = name_of(answer.values[2:])
    if not name or flags & _HIDDEN:
        return None
    raw = b"INBOX" if name.upper() == b"INBOX" else name
    return raw, (string(answer.values[1]) or b"").decode("latin-1"), flags


def name_of(values: list[Any]) -> bytes | None:
    """A name; unquoted with blanks, as some servers send it, comes as several words. `NIL` is a
    name here."""
    words = [bytes(v) if isinstance(v, bytes) else string(v) for v in values[:1]]
    words += [bytes(value) for value in values[1:] if type(value) is not list and _is_word(value)]
    known = [word for word in words if word]
    return b" ".join(known) if known else None


def _is_word(value: Any) -> bool:
    return isinstance(value, bytes)


def with_roles(rows: Iterable[Row]) -> list[Folder]:
    """A role by flag wins; by name only where no folder has the role's flag."""
    rows = list(rows)
    flagged = {role for _, _, flags in rows for role in _roles(flags)}
    return [_folder(row, flagged) for row in rows]


def _roles(flags: frozenset[bytes]) -> list[str]:
    return [role for flag, role in _SPECIAL_USE.items() if flag in flags]


def _folder(row: Row, flagged: set[str]) -> Folder:
    raw, delimiter, flags = row
    name = decode_name(raw)
    roles = _roles(flags)
    if raw == b"INBOX":
        role = "inbox"
    elif roles:
        role = roles[0]
    else:
        role = role_by_name(name, delimiter)
        role = "" if role in flagged else role
    return Folder(folder_id(raw), name, role, raw.decode("latin-1"))


def role_by_name(name: str, delimiter: str) -> str:
    """At top level, or directly below INBOX or a `[Gmail]`-like root; `Kunden/Sent` is a folder
    like any other."""
    path = name.split(delimiter) if delimiter else [name]
    is_top = len(path) == 1
    is_below_root = len(path) == 2 and (path[0].upper() == "INBOX" or path[0].startswith("["))
    return _ROLE_BY_NAME.get(_fold(path[-1]), "") if is_top or is_below_root else ""


def _fold(name: str) -> str:
    decomposed = unicodedata.normalize("NFKD", name.strip().casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


_SHIFTED = re.compile(r"&([A-Za-z0-9+,]*)-")


def decode_name(raw: bytes) -> str:
    """Modified UTF-7 (RFC 3501 5.1.3). What is not valid in it stays as it is; raw UTF-8 is read as
    such. Never raises."""
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace")
    return _SHIFTED.sub(_unshift, text)


def _unshift(match: re.Match[str]) -> str:
    encoded = match.group(1)
    if not encoded:
        return "&"
    padded = encoded.replace(",", "/") + "=" * (-len(encoded) % 4)
    try:
        return b64decode(padded, validate=True).decode("utf-16-be")
    except ValueError:
        return match.group(0)


def encode_name(name: str) -> bytes:
    """Modified UTF-7 of a name, for folders we look for by name."""
    encoded = re.sub(r"&|[^\x20-\x7e]+", _shift, name)
    return encoded.encode("ascii")


def _shift(match: re.Match[str]) -> str:
    if match.group(0) == "&":
        return "&-"
    packed = b64encode(match.group(0).encode("utf-16-be")).decode("ascii")
    return "&" + packed.rstrip("=").replace("/", ",") + "-"


def default_folders(folders: Iterable[Folder]) -> tuple[Folder, ...]:
    """Inbox and every Sent folder."""
    return tuple(folder for folder in folders if folder.role in {"inbox", "sent"})
