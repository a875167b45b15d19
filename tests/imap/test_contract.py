"""What every IMAP server must give us, and we it: the same suite on each."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from infra.local.imap_wire import RefusedError
from infra.local.mail_server import Mailboxes
from tests.support.corpus import corpus_files, needs_corpus, read_corpus
from tests.support.mailboxes import PASSWORD, a_mail, network

from ablage.accounts import Account, Folder
from ablage.errors import AccountFault
from ablage.mailbox.connection import Bounds
from ablage.mailbox.opening import LAST, Search
from ablage.mailbox.pull import Fetched, Missed, pull
from ablage.mailbox.session import Session, open_session
from ablage.mailbox.status import Listed
from ablage.mailbox.syntax import Stream
from ablage.tenancy import TenantId


@contextmanager
def session_of(server: Mailboxes, user: str, password: str = PASSWORD) -> Iterator[Session]:
    account = Account(TenantId("t"), "a", user, user, server.host, server.port, user, 1)
    with open_session(network(server), account, password, Bounds()) as session:
        yield session


def folder_named(session: Session, name: str) -> Folder:
    return next(folder for folder in session.folders() if folder.name == name)


def pull_all(session: Session, folder: Folder) -> dict[int, bytes]:
    session.examine(folder)
    listed = session.list_sizes(session.new_uids(0))
    pulled: dict[int, bytes] = {}
    for result in pull(session.wire, listed, session.pace):
        assert isinstance(result, Fetched)
        pulled[result.uid] = read(result)
    return pulled


def read(mail: Fetched) -> bytes:
    """A stream only while nothing else was pulled."""
    return b"".join(mail.body) if isinstance(mail.body, Stream) else mail.body


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_bytes_equal_an_independent_fetch(server: Mailboxes, user: str) -> None:
    bodies = (
        b"hello",
        b"8-bit \xe4\xf6\xfc \xff",
        b"line\nends\rmixed\r\n",
        b"{12}\r\n)\r\n* 1 FETCH",
    )
    with server.connect(user) as wire:
        uids = [wire.append("INBOX", a_mail(n, body)) for n, body in enumerate(bodies)]
        stored = {uid: sha(wire.fetch("INBOX", uid)) for uid in uids}

    with session_of(server, user) as session:
        pulled = pull_all(session, folder_named(session, "INBOX"))

    assert {uid: sha(body) for uid, body in pulled.items()} == stored


@pytest.mark.parametrize("is_empty", [True, False])
def test_what_is_searched_while_it_is_opened_is_what_is_searched_then(
    server: Mailboxes, user: str, is_empty: bool
) -> None:
    with server.connect(user) as wire:
        if not is_empty:
            uids = [wire.append("INBOX", a_mail(number)) for number in range(3)]
    today, beside = datetime.now(UTC).date(), Search(0 if is_empty else uids[1])

    with session_of(server, user) as session:
        inbox = folder_named(session, "INBOX")
        for ahead in (Search(0, today, beside=LAST), Search(0, today, beside=beside)):
            session.examine(inbox, ahead)
            sent = session.wire._sent
            found = session._uids(ahead.beside or LAST), session.new_uids(0, today)
            assert session.wire._sent == sent
            again = session._uids(ahead.beside or LAST), session.new_uids(0, today)
            assert found[1] == again[1] == ([] if is_empty else uids)
            assert found[0][-1:] == again[0][-1:] == found[1][-1:]


@needs_corpus
def test_the_corpus_comes_through_byte_for_byte(server: Mailboxes, user: str) -> None:
    with server.connect(user) as wire:
        for name in corpus_files():
            if raw := read_corpus(name):
                wire.append("INBOX", raw)
        stored = {uid: sha(wire.fetch("INBOX", uid)) for uid in wire.uids("INBOX")}

    with session_of(server, user) as session:
        pulled = pull_all(session, folder_named(session, "INBOX"))

    assert {uid: sha(body) for uid, body in pulled.items()} == stored


def test_seen_stays_untouched(server: Mailboxes, user: str) -> None:
    with server.connect(user) as wire:
        fresh = wire.append("INBOX", a_mail(1))
        read_before = wire.append("INBOX", a_mail(2), flags=["\\Seen"])

    with session_of(server, user) as session:
        pull_all(session, folder_named(session, "INBOX"))

    with server.connect(user) as wire:
        assert "\\Seen" not in wire.flags("INBOX", fresh)
        assert "\\Seen" in wire.flags("INBOX", read_before)


def test_flags_and_internal_date_come_with_the_mail(server: Mailboxes, user: str) -> None:
    received = datetime(2026, 3, 29, 1, 30, 7, tzinfo=UTC)
    server.append(user, "INBOX", a_mail(), flags=["\\Flagged"], received=received)

    with session_of(server, user) as session:
        session.examine(folder_named(session, "INBOX"))
        (mail,) = pull(session.wire, session.list_sizes(session.new_uids(0)), session.pace)

    assert isinstance(mail, Fetched)
    assert mail.received_at == received
    assert "\\Flagged" in mail.flags


def test_many_mails_come_in_batches_each_once(server: Mailboxes, user: str) -> None:
    with server.connect(user) as wire:
        for number in range(230):
            wire.append("INBOX", a_mail(number, b"%d" % number * 20))

    with session_of(server, user) as session:
        folder = folder_named(session, "INBOX")
        session.examine(folder)
        listed = session.list_sizes(session.new_uids(0))
        results = list(pull(session.wire, listed, session.pace))

    assert [r.uid for r in results] == [mail.uid for mail in listed]
    assert len(results) == 230
    assert all(
        isinstance(r, Fetched) and b"Subject: mail %d\r\n" % number in read(r)
        for number, r in enumerate(results)
    )


def test_a_mail_of_25_mb_comes_whole(server: Mailboxes, user: str) -> None:
    raw = a_mail(1, b"0123456789abcdef\r\n" * 1_400_000)
    server.append(user, "INBOX", raw)

    with session_of(server, user) as session:
        pulled = pull_all(session, folder_named(session, "INBOX"))

    assert [sha(body) for body in pulled.values()] == [sha(raw)]


def test_a_mail_expunged_meanwhile_is_gone_and_the_rest_comes(server: Mailboxes, user: str) -> None:
    with server.connect(user) as wire:
        stays = wire.append("INBOX", a_mail(1))
        gone = wire.append("INBOX", a_mail(2))
        wire.move("INBOX", gone, "Sent")

    with session_of(server, user) as session:
        session.examine(folder_named(session, "INBOX"))
        listed = [Listed(stays, 50, None), Listed(gone, 50, None)]
        results = {result.uid: result for result in pull(session.wire, listed, session.pace)}

    assert isinstance(results[stays], Fetched)
    assert results[gone] == Missed(gone, "gone")


def test_a_moved_mail_has_a_new_uid_in_its_folder(server: Mailboxes, user: str) -> None:
    with server.connect(user) as wire:
        moved = wire.append("INBOX", a_mail(7))
        wire.move("INBOX", moved, "Sent")

    with session_of(server, user) as session:
        inbox = pull_all(session, folder_named(session, "INBOX"))
        sent = pull_all(session, folder_named(session, "Sent"))

    assert inbox == {}
    assert [b"Subject: mail 7" in body for body in sent.values()] == [True]


def test_an_empty_folder_has_no_new_mail(server: Mailboxes, user: str) -> None:
    with session_of(server, user) as session:
        opened = session.examine(folder_named(session, "Sent"))

        assert opened.messages == 0
        assert session.new_uids(0) == []
        assert list(pull(session.wire, [], session.pace)) == []


def test_the_last_mail_is_not_new_again(server: Mailboxes, user: str) -> None:
    uid = server.append(user, "INBOX", a_mail())

    with session_of(server, user) as session:
        session.examine(folder_named(session, "INBOX"))

        assert session.new_uids(uid) == []
        assert session.last_uid() == uid


def test_old_mail_is_left_out_by_since(server: Mailboxes, user: str) -> None:
    now = datetime.now(UTC)
    with server.connect(user) as wire:
        wire.append("INBOX", a_mail(1), received=now - timedelta(days=90))
        recent = wire.append("INBOX", a_mail(2), received=now)

    with session_of(server, user) as session:
        session.examine(folder_named(session, "INBOX"))
        assert session.new_uids(0, (now - timedelta(days=30)).date()) == [recent]


def test_inbox_and_sent_are_known_by_role(server: Mailboxes, user: str) -> None:
    with session_of(server, user) as session:
        roles = {folder.name: folder.role for folder in session.folders()}

    assert roles["INBOX"] == "inbox"
    assert roles["Sent"] == "sent"
    assert roles["Trash"] == "trash"


def test_a_folder_with_umlauts_can_be_read(server: Mailboxes, user: str) -> None:
    server.create_folder(user, "Aufträge & Angebote")
    server.append(user, "Aufträge & Angebote", a_mail(3))

    with session_of(server, user) as session:
        pulled = pull_all(session, folder_named(session, "Aufträge & Angebote"))

    assert [b"Subject: mail 3" in body for body in pulled.values()] == [True]


@pytest.mark.parametrize(
    "name",
    ['a "quoted" name', "back\\slash", "R & D", " blanks ", "(alt) [neu] {3}", "100%", "NIL"],
)
def test_a_folder_of_any_name_is_listed_looked_at_and_read(
    server: Mailboxes, user: str, name: str
) -> None:
    with server.connect(user) as wire:
        try:
            wire.create_folder(name)
        except RefusedError:
            pytest.skip("the server has no such folders")
        wire.append(name, a_mail(3))

    with session_of(server, user) as session:
        folder = folder_named(session, name)
        looked = session.status([folder])[folder.folder_id]
        pulled = pull_all(session, folder)

    assert (looked.messages, folder.messages) == (1, 1)
    assert len(pulled) == 1


def test_many_folders_are_looked_at_and_counted(server: Mailboxes, user: str) -> None:
    with server.connect(user) as wire:
        for number in range(8):
            wire.create_folder(f"Kunde {number}")
            for mail in range(number % 3):
                wire.append(f"Kunde {number}", a_mail(mail))

    with session_of(server, user) as session:
        folders = session.folders()
        looked = session.status(folders)

    assert {f.name: f.messages for f in folders if f.name.startswith("Kunde")} == {
        f"Kunde {number}": number % 3 for number in range(8)
    }
    assert {f.folder_id: (f.uidvalidity, f.uidnext, f.messages) for f in folders} == {
        folder_id: (told.uidvalidity, told.uidnext, told.messages)
        for folder_id, told in looked.items()
    }


def test_status_of_all_folders_tells_what_examine_tells(server: Mailboxes, user: str) -> None:
    server.create_folder(user, "Söhne")
    server.append(user, "Söhne", a_mail())

    with session_of(server, user) as session:
        folders = session.folders()
        looked = session.status(folders)
        opened = {folder.folder_id: session.examine(folder) for folder in folders}

    assert looked == opened


def test_a_folder_made_anew_has_another_uidvalidity(server: Mailboxes, user: str) -> None:
    server.create_folder(user, "Projekt")
    with session_of(server, user) as session:
        before = session.examine(folder_named(session, "Projekt"))

    remade(server, user, "Projekt")

    with session_of(server, user) as session:
        after = session.examine(folder_named(session, "Projekt"))
    assert after.uidvalidity != before.uidvalidity


def remade(server: Mailboxes, user: str, folder: str) -> None:
    """Some servers' UIDVALIDITY counts seconds."""
    with server.connect(user) as wire:
        wire._command(b'DELETE "%b"' % folder.encode())
        wire.create_folder(folder)


def test_a_missing_folder_is_a_fault_of_that_folder(server: Mailboxes, user: str) -> None:
    with session_of(server, user) as session, pytest.raises(AccountFault) as refused:
        session.examine(Folder("0" * 16, "Nirgendwo", raw="Nirgendwo"))

    assert refused.value.code == "folder_missing"


@pytest.mark.parametrize("password", ["wrong", 'quote" and \\ backslash', ""])
def test_a_wrong_password_is_refused_and_not_told(
    server: Mailboxes, user: str, password: str
) -> None:
    with pytest.raises(AccountFault) as refused, session_of(server, user, password):
        pass

    assert (refused.value.code, refused.value.state) == ("login_refused", "reauth_required")
    assert not password or password not in f"{refused.value!r} {refused.value.detail}"
