"""A mailbox as Gmail serves it: one mail, several folders; X-GM-MSGID and X-GM-LABELS."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.support.hostile_imap import GREETING, Talk
from tests.support.mailboxes import a_mail

CAPABILITIES = b"IMAP4rev1 SPECIAL-USE LIST-EXTENDED X-GM-EXT-1"
ALL = "[Gmail]/Alle Nachrichten"
_FLAGS = {
    "INBOX": "",
    ALL: "\\All",
    "[Gmail]/Entw&APw-rfe": "\\Drafts",
    "[Gmail]/Gesendet": "\\Sent",
    "[Gmail]/Spam": "\\Junk",
    "[Gmail]/Papierkorb": "\\Trash",
    "[Gmail]/Wichtig": "\\Important",
    "[Gmail]/Chats": "",
    "Projekte": "",
    "Privat": "",
}
_LABELS = {
    "INBOX": "\\Inbox",
    "[Gmail]/Gesendet": "\\Sent",
    "[Gmail]/Entw&APw-rfe": "\\Draft",
    "[Gmail]/Wichtig": "\\Important",
    "[Gmail]/Chats": "\\Chats",
}
_NOT_IN_ALL = {"[Gmail]/Spam", "[Gmail]/Papierkorb"}


@dataclass
class Gmail:
    """`say` puts a mail into All Mail and into the folders of its labels."""

    hides_all: bool = False
    folders: dict[str, dict[int, tuple[int, bytes]]] = field(
        default_factory=lambda: {name: {} for name in _FLAGS}
    )
    labels: dict[int, tuple[str, ...]] = field(default_factory=dict)
    bodies: list[tuple[str, int]] = field(default_factory=list)  # folder, msgid, as handed out
    _open: str = "INBOX"

    def put(self, msgid: int, *folders: str, raw: bytes = b"") -> None:
        raw = raw or a_mail(msgid)
        self.labels[msgid] = folders
        places = [*folders] if set(folders) & _NOT_IN_ALL else [ALL, *folders]
        for name in places:
            held = self.folders[name]
            held[max(held, default=100) + 1] = (msgid, raw)

    def take_out(self, msgid: int, folder: str) -> None:
        held = self.folders[folder]
        self.folders[folder] = {uid: mail for uid, mail in held.items() if mail[0] != msgid}

    def __call__(self, talk: Talk) -> None:
        talk.say(GREETING)
        while True:
            command = talk.hear()
            name = command.split()[0].upper()
            answer = getattr(self, f"_{name.decode().lower()}", None)
            if answer is None:
                talk.ok(status=b"OK [CAPABILITY " + CAPABILITIES + b"] done")
            else:
                talk.ok(b"".join(answer(command)))

    def _capability(self, _command: bytes) -> Iterator[bytes]:
        yield b"* CAPABILITY " + CAPABILITIES + b"\r\n"

    def _list(self, _command: bytes) -> Iterator[bytes]:
        yield b'* LIST (\\HasChildren \\NonExistent) "/" "[Gmail]"\r\n'
        for name, flag in _FLAGS.items():
            if not (self.hides_all and name == ALL):
                yield f'* LIST (\\HasNoChildren {flag}) "/" "{name}"\r\n'.encode()

    def _status(self, command: bytes) -> Iterator[bytes]:
        name = command.split(b'"')[1].decode()
        held = self.folders[name]
        counts = max(held, default=100) + 1, len(held)
        yield b'* STATUS "%b" (UIDNEXT %d UIDVALIDITY 1 MESSAGES %d)\r\n' % (name.encode(), *counts)

    def _examine(self, command: bytes) -> Iterator[bytes]:
        self._open = command.split(b'"')[1].decode()
        held = self.folders[self._open]
        yield b"* %d EXISTS\r\n* OK [UIDVALIDITY 1] x\r\n" % len(held)
        yield b"* OK [UIDNEXT %d] x\r\n" % (max(held, default=100) + 1)

    def _uid(self, command: bytes) -> Iterator[bytes]:
        held = self.folders[self._open]
        if b"SEARCH" in command:
            yield b"* SEARCH" + b"".join(b" %d" % uid for uid in held) + b"\r\n"
            return
        for number, (uid, (msgid, raw)) in enumerate(held.items(), 1):
            if uid not in _asked(command):
                continue
            items = b"UID %d RFC822.SIZE %d" % (uid, len(raw))
            if b"X-GM-LABELS" in command:
                items += b" X-GM-MSGID %d X-GM-LABELS (%b)" % (msgid, self._shown(msgid))
            if b"BODY" in command:
                self.bodies.append((self._open, msgid))
                items += b" BODY[] {%d}\r\n%b" % (len(raw), raw)
            yield b"* %d FETCH (%b)\r\n" % (number, items)

    def _shown(self, msgid: int) -> bytes:
        """As Gmail quotes them; the label of the open folder is left out."""
        others = [name for name in self.labels[msgid] if name != self._open]
        names = [_LABELS.get(name, name).replace("\\", "\\\\") for name in others]
        return " ".join(f'"{name}"' for name in names).encode()


def _asked(command: bytes) -> set[int]:
    uids: set[int] = set()
    for part in command.split()[2].split(b","):
        low, _, high = part.partition(b":")
        uids |= set(range(int(low), int(high or low) + 1))
    return uids
