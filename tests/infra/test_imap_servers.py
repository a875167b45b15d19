"""The mail servers of this machine: what tests and demo put in is what is there."""

import os
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from infra.local import dovecot
from infra.local.certificates import Certificates
from infra.local.imap_server import EmbeddedImap
from infra.local.imap_wire import ImapWire, RefusedError
from infra.local.mail_server import Mailboxes

USER, PASSWORD = "anna@own.example", 'p"a\\ss {w}'
PLAIN = b"From: a@b.example\r\nSubject: x\r\n\r\nHello\r\n"


@pytest.fixture(params=["pymap", pytest.param("dovecot", marks=pytest.mark.dovecot)])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mailboxes]:
    if request.param == "dovecot" and not dovecot.executable():
        assert "REQUIRE_DOVECOT" not in os.environ, "Dovecot is required here"
        pytest.skip("Dovecot is not installed")
    kind = dovecot.Dovecot if request.param == "dovecot" else EmbeddedImap
    started = kind(Certificates(tmp_path))
    started.add_user(USER, PASSWORD)
    yield started
    started.stop()


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[EmbeddedImap]:
    started = EmbeddedImap(Certificates(tmp_path))
    started.add_user(USER, PASSWORD)
    yield started
    started.stop()


def test_a_mail_comes_back_as_it_was_appended(server: Mailboxes) -> None:
    uid = server.append(USER, "INBOX", PLAIN)

    with server.connect(USER) as wire:
        assert wire.fetch("INBOX", uid) == PLAIN


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"From: a@b\n\nbare line feeds\n", id="LF"),
        pytest.param(b"From: a@b\r\n\nmixed\r\nline\nends", id="mixed"),
        pytest.param(b"From: a@b\r\n\r\n\x00null\xff\xfe", id="NUL and high bytes"),
        pytest.param(b"From: a@b\r\n\r\nA1 OK {5}\r\n) looks like IMAP\r\n", id="IMAP"),
        pytest.param(b"From: a@b\r\n\r\n" + b"x" * 3_000_000, id="3 MB"),
    ],
)
def test_the_embedded_server_keeps_every_byte(embedded: EmbeddedImap, raw: bytes) -> None:
    uid = embedded.append(USER, "INBOX", raw)

    with embedded.connect(USER) as wire:
        assert wire.fetch("INBOX", uid) == raw


def test_flags_are_kept_and_reading_sets_none(server: Mailboxes) -> None:
    seen = server.append(USER, "INBOX", PLAIN, flags=["\\Seen"])
    unseen = server.append(USER, "INBOX", PLAIN)

    with server.connect(USER) as wire:
        wire.fetch("INBOX", unseen)

        assert "\\Seen" in wire.flags("INBOX", seen)
        assert "\\Seen" not in wire.flags("INBOX", unseen)


def test_the_internal_date_is_the_given_one(server: Mailboxes) -> None:
    uid = server.append(USER, "INBOX", PLAIN, received=datetime(2026, 3, 1, 12, tzinfo=UTC))

    with server.connect(USER) as wire:
        wire.fetch("INBOX", uid)
        told = wire._command(b"UID FETCH %d (INTERNALDATE)" % uid)
    assert b"01-Mar-2026 12:00:00 +0000" in told.replace(b'" 1-', b'"01-')


def test_mail_moves_to_a_folder_of_any_name(server: Mailboxes) -> None:
    folder = 'Projekte & "Müller"'
    uid = server.append(USER, "INBOX", PLAIN)
    server.create_folder(USER, folder)

    moved = server.move(USER, "INBOX", uid, folder)

    with server.connect(USER) as wire:
        assert wire.uids("INBOX") == []
        assert wire.uids(folder) == [moved]


def test_sent_is_there_from_the_start(server: Mailboxes) -> None:
    uid = server.append(USER, "Sent", PLAIN)

    with server.connect(USER) as wire:
        assert wire.uids("Sent") == [uid]


def test_mailboxes_are_apart(server: Mailboxes) -> None:
    server.add_user("bert@other.example", "other")
    server.append(USER, "INBOX", PLAIN)

    with server.connect("bert@other.example") as wire:
        assert wire.uids("INBOX") == []


@pytest.mark.parametrize("user", [USER, "nobody", "eve@else.example"])
def test_a_wrong_password_is_refused_every_time_at_once(server: Mailboxes, user: str) -> None:
    for _ in range(2):
        with pytest.raises(RefusedError):
            ImapWire(server.host, server.port, server.ca_file, user, "wrong")


def test_who_does_not_trust_the_certificate_does_not_get_in(
    server: Mailboxes, tmp_path: Path
) -> None:
    other = Certificates(tmp_path / "other")

    with pytest.raises(ssl.SSLCertVerificationError):
        ImapWire(server.host, server.port, other.ca_file, USER, PASSWORD)


def test_an_unknown_uid_is_a_key_error(server: Mailboxes) -> None:
    with server.connect(USER) as wire, pytest.raises(KeyError):
        wire.fetch("INBOX", 4711)


def test_a_stopped_server_leaves_nothing_behind(tmp_path: Path) -> None:
    if not dovecot.executable():
        pytest.skip("Dovecot is not installed")
    started = dovecot.Dovecot(Certificates(tmp_path))
    started.add_user(USER, PASSWORD)

    started.stop()

    assert not started._folder.exists()
    with pytest.raises(OSError):  # refused, or another test's server has the port by now
        started.connect(USER)
