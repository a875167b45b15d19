"""Scripted Inboxes that break or hold back at one mail."""

from collections.abc import Callable

from tests.support.hostile_imap import Script, Talk
from tests.support.mailboxes import a_mail


def flaky(poison: int, last: int) -> Script:
    """An Inbox of UIDs 1 to `last`; the connection ends when mail `poison` is to be sent."""

    def script(talk: Talk) -> None:
        talk.greet()
        while True:
            answer(talk, talk.hear(), poison, last)

    return script


def answer(talk: Talk, command: bytes, poison: int, last: int) -> None:
    name = command.split()[0]
    if name == b"LIST":
        talk.ok(b'* LIST () "/" INBOX\r\n')
    elif name == b"STATUS":
        talk.ok(b"* STATUS INBOX (UIDNEXT %d UIDVALIDITY 7 MESSAGES %d)\r\n" % (last + 1, last))
    elif name == b"EXAMINE":
        talk.ok(
            b"* %d EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT %d] x\r\n" % (last, last + 1)
        )
    elif b"SEARCH" in command:
        talk.ok(b"* SEARCH" + b"".join(b" %d" % uid for uid in range(1, last + 1)) + b"\r\n")
    elif b"BODY" in command:
        for uid in asked(command):
            if uid == poison:
                raise ConnectionError
            raw = a_mail(uid)
            talk.say(b"* %d FETCH (UID %d BODY[] {%d}\r\n%b)\r\n" % (uid, uid, len(raw), raw))
        talk.ok()
    elif b"FETCH" in command:
        talk.ok(b"".join(b"* %d FETCH (UID %d RFC822.SIZE 9)\r\n" % (u, u) for u in asked(command)))
    else:
        talk.ok()


def asked(command: bytes) -> list[int]:
    uids: list[int] = []
    for part in command.split()[2].split(b","):
        low, _, high = part.partition(b":")
        uids += range(int(low), int(high or low) + 1)
    return uids


def moody(moods: dict[int, bytes]) -> Script:
    """An Inbox of UIDs 1 to 3; the body of each is what `moods` says now, else a mail."""

    def script(talk: Talk) -> None:
        talk.greet()
        while True:
            command = talk.hear()
            if b"BODY" in command and moods.keys() & set(asked(command)):
                parts = [
                    b"* %d FETCH (UID %d BODY[] %b)\r\n" % (uid, uid, moods.get(uid, b'"mail"'))
                    for uid in asked(command)
                ]
                talk.ok(b"".join(parts))
            else:
                answer(talk, command, poison=0, last=len(moods) + 2)

    return script


Hook = Callable[[Talk, bytes], bool]


def inbox(last: Callable[[], int], hook: Hook) -> Script:
    """An Inbox of UIDs 1 to `last()`; `hook` says whether it has answered a command itself."""

    def script(talk: Talk) -> None:
        talk.greet()
        while True:
            command = talk.hear()
            if not hook(talk, command):
                answer(talk, command, poison=0, last=last())

    return script
