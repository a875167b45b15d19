"""Folders as Dovecot lists them: namespaces, attributes beside names, counts with the list, names
that are no 7-bit."""

import os
from collections.abc import Iterator

import pytest
from infra.local import dovecot
from infra.local.certificates import Certificates
from tests.imap.test_contract import session_of
from tests.support.mailboxes import PASSWORD, a_mail

from ablage.accounts import Account, AccountState, Folder
from ablage.folder_modes import followed, polled
from ablage.mailbox.names import folder_id
from ablage.mailbox.syntax import Octets
from ablage.tenancy import TenantId

pytestmark = pytest.mark.dovecot

USER = "prefix@example.com"


@pytest.fixture(scope="module")
def prefixed(certificates: Certificates) -> Iterator[dovecot.Dovecot]:
    """Own folders are below `INBOX.`, shared ones below `Public.`, as Cyrus and Courier have it."""
    if dovecot.executable() is None:
        missing = "Dovecot is not installed (Debian: dovecot-imapd)"
        pytest.fail(missing) if os.environ.get("REQUIRE_DOVECOT") else pytest.skip(missing)
    running = dovecot.Dovecot(certificates, prefix="INBOX.")
    running.add_user(USER, PASSWORD)
    with running.connect(USER) as wire:
        for name in ("INBOX.Gesendete Elemente", "INBOX.Kunden.Sent", "Public.Sent", "Public.Team"):
            wire.create_folder(name)
        for name in ("INBOX.Betriebsrat", "INBOX.Projekte"):
            wire.create_folder(name)
    yield running
    running.stop()


def listed(server: dovecot.Dovecot) -> dict[str, Folder]:
    with session_of(server, USER) as session:
        return {folder.name: folder for folder in session.folders()}


def test_roles_are_known_below_the_prefix_and_by_attribute(prefixed: dovecot.Dovecot) -> None:
    roles = {name: folder.role for name, folder in listed(prefixed).items()}

    sent = {name for name, role in roles.items() if role == "sent"}
    assert sent == {"INBOX.Sent", "INBOX.Gesendete Elemente"}
    assert (roles["INBOX.Junk"], roles["INBOX.Trash"]) == ("junk", "trash")
    assert (roles["INBOX.Kunden.Sent"], roles["INBOX.Betriebsrat"]) == ("", "private")


def test_shared_folders_are_known_as_such(prefixed: dovecot.Dovecot) -> None:
    shared = {name for name, folder in listed(prefixed).items() if folder.foreign}

    assert shared == {"Public.Sent", "Public.Team"}


def test_all_folders_are_the_users_own(prefixed: dovecot.Dovecot, account: Account) -> None:
    state = AccountState(folders=tuple(listed(prefixed).values()))

    assert {folder.name for folder in polled(account, state)} == {
        *("INBOX", "INBOX.Sent", "INBOX.Gesendete Elemente", "INBOX.Kunden.Sent"),
        "INBOX.Projekte",
    }
    assert followed(account, state) == ()


@pytest.fixture
def account() -> Account:
    return Account(TenantId("t"), "a", USER, USER, "h", 993, USER, 1, sync_folders="all")


def test_many_folders_are_looked_at_in_one_command(prefixed: dovecot.Dovecot) -> None:
    with session_of(prefixed, USER) as session:
        folders = session.folders()
        sent = session.wire._sent
        told = session.status(folders)

        assert session.wire._sent == sent + 1
    assert told.keys() == {folder.folder_id for folder in folders}


def test_counts_come_with_the_list(prefixed: dovecot.Dovecot) -> None:
    before = listed(prefixed)["INBOX.Projekte"]
    prefixed.append(USER, "INBOX.Projekte", a_mail())

    after = listed(prefixed)["INBOX.Projekte"]

    assert before.messages is not None
    assert before.uidnext is not None
    assert (after.messages, after.uidnext) == (before.messages + 1, before.uidnext + 1)


def test_a_name_in_raw_utf8_is_sent_as_a_literal_and_refused_alone(
    prefixed: dovecot.Dovecot,
) -> None:
    """Dovecot has none such: what counts is that the session lives on."""
    raw = "INBOX.Söhne".encode()
    odd = Folder(folder_id(raw), "INBOX.Söhne", raw=raw.decode("latin-1"))
    with session_of(prefixed, USER) as session:
        folders = [*session.folders()[:2], odd]

        told = session.status(folders)

        assert told.keys() == {folder.folder_id for folder in folders[:2]}
        status, answers = session.wire.finish(
            session.wire.send(b"STATUS ", Octets(b"INBOX"), b" (MESSAGES)")
        )
    assert (status, len(answers)) == (b"OK", 1)
