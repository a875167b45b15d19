"""What servers of known providers do, each with where it is known from (owner/repository#thread on
GitHub), played by a server whose every byte is known. Where they are and who logs in there:
`ablage.mailbox.presets`; what they say when they refuse: test_fault_table; how far their UIDs are
apart: test_uids_far_apart_are_no_work."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.support.canned import Canned

from ablage.errors import AccountFault
from ablage.mailbox.folders import list_folders
from ablage.mailbox.login import login
from ablage.mailbox.opening import LAST, Search
from ablage.mailbox.pace import Pace
from ablage.mailbox.pull import Missed, pull
from ablage.mailbox.session import Session
from ablage.mailbox.status import Listed, search, status_of
from ablage.mailbox.wire import Wire

NAMES = [b"INBOX", b"Sent", b"A", b"B", b"C"]
EXTENDED = frozenset({"SPECIAL-USE", "LIST-EXTENDED"})


def session_of(server: Canned) -> Session:
    return Session(cast("Any", None), Wire(server), frozenset({"IMAP4REV1"}), Pace())


def log_in(server: Canned, host: str) -> frozenset[str]:
    client = SimpleNamespace(greeted=frozenset({"IMAP4REV1"}), host=host, port=993, state="")
    return login(cast("Any", SimpleNamespace(client=client)), Wire(server), "user", "secret")


def test_icloud_hands_out_no_body_as_rfc822_or_binary() -> None:
    """modern-email/defects#36, zammad/zammad#4589; horde/Imap_Client#17"""
    server = Canned(b"* 1 FETCH (UID 1 BODY[] {4}\r\nmail)\r\nW1 OK\r\n")

    (mail,) = pull(Wire(server), [Listed(1, 4, None)])

    assert not isinstance(mail, Missed)
    assert server.sent == [b"W1 UID FETCH 1 (UID BODY.PEEK[])\r\n"]


def test_icloud_answers_with_a_uid_and_no_mail() -> None:
    """Wh1isper/mcp-email-server#32, cry-inc/dmarc-report-viewer#5"""
    nothing = b"* 1 FETCH (UID 1)\r\n"
    server = Canned(nothing + b"W1 OK\r\n* SEARCH 1\r\nW2 OK\r\n" + nothing + b"W3 OK\r\n")

    assert list(pull(Wire(server), [Listed(1, 4, None)])) == [Missed(1, "unfetchable")]


def test_icloud_says_nothing_where_it_finds_nothing() -> None:
    """Wh1isper/mcp-email-server#237, home-assistant/core#132042"""
    assert search(Wire(Canned(b"W1 OK SEARCH completed (took 2 ms)\r\n")), b"UID 3:*") == []


@pytest.mark.parametrize("wanted", [LAST, Search(0), Search(7)])
def test_icloud_is_never_searched_without_uids_or_for_a_kind_of_answer(wanted: Search) -> None:
    """It names what is no UID: kenn-io/msgvault#436. Its ESEARCH does no more than count:
    horde/Imap_Client#17, nextcloud/mail#9454"""
    assert wanted.criteria.startswith(b"UID ")
    assert b"RETURN" not in wanted.criteria


def test_strato_leaves_folders_out_when_asked_for_more_than_names() -> None:
    """jstedfast/MailKit#1957"""
    rows = b'* LIST (\\Sent) "/" Sent\r\nW1 OK\r\n'
    server = Canned(rows + b'* LIST () "/" INBOX\r\n* LIST () "/" Sent\r\nW2 OK\r\n')

    found = list_folders(Wire(server), EXTENDED)

    assert {folder.name: folder.role for folder in found} == {"Sent": "sent", "INBOX": "inbox"}
    assert server.sent[1] == b'W2 LIST "" "*"\r\n'


def test_strato_finds_nothing_once_another_version_is_enabled() -> None:
    """codefuturist/email-mcp#71, #91. Nothing is ever enabled: test_a_session_enables_nothing. And
    no answer of that kind is taken for an empty folder."""
    server = Canned(b'* ESEARCH (TAG "W1") UID\r\nW1 OK SEARCH completed\r\n')

    with pytest.raises(AccountFault) as fault:
        session_of(server).new_uids(0)

    assert fault.value.code == "protocol_error"


def test_a_server_may_leave_the_status_of_a_folder_out_of_a_listing() -> None:
    """RFC 5819 section 2, jstedfast/MailKit#879"""
    told = b"".join(b"* STATUS %b (UIDNEXT 2 UIDVALIDITY 7)\r\n" % name for name in NAMES[1:])
    server = Canned(told + b"W1 OK\r\n* STATUS INBOX (UIDNEXT 9 UIDVALIDITY 7)\r\nW2 OK\r\n")

    found = status_of(Wire(server), NAMES, has_list_status=True)

    assert found.keys() == set(NAMES)
    assert (found[b"INBOX"].uidnext, len(server.sent)) == (9, 2)


@pytest.mark.parametrize("host", ["imap.163.com", "imap.126.com", "imap.yeah.net"])
@pytest.mark.parametrize("end", [b"OK ID completed", b"BAD Parse command error"])
def test_netease_opens_no_folder_for_who_has_not_named_itself(host: str, end: bytes) -> None:
    """pimalaya/himalaya#651, mscdex/node-imap#908, OfflineIMAP/offlineimap3#71"""
    server = Canned(b"W1 OK [CAPABILITY IMAP4rev1] in\r\nW2 " + end + b"\r\n")

    assert log_in(server, host) == {"IMAP4REV1"}
    assert server.sent[1] == b'W2 ID ("name" "ablage" "version" "1")\r\n'


def test_nobody_else_is_told_who_we_are() -> None:
    server = Canned(b"W1 OK [CAPABILITY IMAP4rev1 ID] in\r\n")

    log_in(server, "imap.firma.de")

    assert len(server.sent) == 1
