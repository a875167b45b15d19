"""What servers say when they refuse, each as it was seen, and what it means to us [R20]."""

import pytest

from ablage.faults import TABLE, outage, recognised, row_of

LOGIN = [  # provider, text behind the tagged NO or BAD of a login, code, where it was seen
    ("gmail", "[AUTHENTICATIONFAILED] Invalid credentials (Failure)", "login_refused",
     "imapsync#175"),
    ("gmail", "[ALERT] Application-specific password required: https://google.com (Failure)",
     "app_password_needed", "mutt-wizard#831"),
    ("gmail", "[ALERT] Please log in via your web browser: https://google.com (Failure)",
     "web_login_needed", "MailSystem.NET#17"),
    ("gmail", "[WEBALERT https://accounts.google.com/signin/continue] Web login required.",
     "web_login_needed", "S22.Imap#116"),
    ("gmail", "[ALERT] Too many simultaneous connections. (Failure)", "too_many_connections",
     "wildduck#35"),
    ("gmail", "[ALERT] Invalid credentials (Failure)", "login_refused", "ddeboer/imap#585"),
    ("m365", "User is authenticated but not connected.", "not_connected", "php-imap#464"),
    ("m365", "LOGIN failed.", "login_refused", "MailKit#483"),
    ("m365", "AUTHENTICATE failed.", "login_refused", "MailKit#849"),
    ("m365", "Request is throttled. Suggested Backoff Time: 299961 milliseconds", "throttled",
     "imapsync#272"),
    ("exchange", "Server Unavailable. 15", "server_unavailable", "imapfilter#146"),
    ("icloud", "[AUTHENTICATIONFAILED] Authentication failed", "login_refused", "imapfilter#125"),
    ("icloud", "[UNAVAILABLE] Service temporarily unavailable", "server_unavailable",
     "mailcore2#1642"),
    ("gmx", "[AUTHENTICATIONFAILED] authentication failed", "login_refused", "yam#638"),
    ("web.de", "authentication failed", "login_refused", "thunderbird-android#5780"),
    ("strato", "[AUTHENTICATIONFAILED] Authentication failed.", "login_refused",
     "rainloop-webmail#2083"),
    ("mailcow", "[AUTHENTICATIONFAILED] Authentication failed.", "login_refused", "bichon#52"),
    ("yandex", "[AUTHENTICATIONFAILED] LOGIN Invalid credentials or IMAP is disabled sc=ebI8",
     "login_refused", "Mailspring#904"),
    ("dovecot", "[UNAVAILABLE] Maximum number of connections from user+IP exceeded",
     "too_many_connections", "node-imap#606"),
    ("dovecot", "[UNAVAILABLE] Temporary authentication failure.", "server_unavailable",
     "RFC 5530 3"),
    ("mailu", "Temporary authentication failure (rate-limit)", "too_many_connections",
     "Mailu#2283"),
    ("mailu", "Authentication rate limit from one source exceeded", "too_many_connections",
     "Mailu#1251"),
    ("mailu", "Authentication credentials invalid", "login_refused", "Mailu#2283"),
    ("any", "[EXPIRED] That password isn't any good", "password_expired", "RFC 5530 3"),
    ("any", "[AUTHORIZATIONFAILED] No such authorization-ID", "login_refused", "RFC 5530 3"),
    ("any", "[CONTACTADMIN]", "account_blocked", "RFC 5530 3"),
    ("any", "[INUSE]", "server_unavailable", "RFC 5530 3"),
    ("any", "[LIMIT] Too many filters", "too_many_connections", "RFC 5530 3"),
    ("any", "", "login_refused", "RFC 9051 6.2.3"),
]  # fmt: skip
BYES = [  # text behind `* BYE`
    ("m365", "Connection closed. 14", "server_hung_up", "email-oauth2-proxy#191"),
    ("exchange", "Microsoft Exchange Server 2010 IMAP4 server signing off.", "server_hung_up",
     "mxk/go-imap#11"),
    ("stalwart", "Server shutting down.", "server_hung_up", "stalwart imap-server#12"),
    ("davmail", "Closing connection", "server_hung_up", "imapfilter#22"),
    ("courier", "Maximum connection limit reached for this IP.", "too_many_connections",
     "courier-imap MAXPERIP"),
    ("gmail", "Account exceeded command or bandwidth limits.", "over_quota", "ha-email-sensor#16"),
]  # fmt: skip
COMMANDS = [  # text behind NO or BAD of FETCH, STATUS, EXAMINE; None: about the mail or the folder
    ("m365", "Request is throttled. Suggested Backoff Time: 201317 milliseconds", "throttled",
     "imap_tools#135"),
    ("m365", "User is authenticated but not connected.", "not_connected", "node-imap#689"),
    ("gmail", "[OVERQUOTA] Account exceeded command or bandwidth limits.", "over_quota",
     "ha-email-sensor#16"),
    ("gmail", "Some messages could not be FETCHed (Failure)", None, "MailKit#358"),
    ("yahoo", "[UNAVAILABLE] UID FETCH Server error while fetching messages",
     "server_unavailable", "imapsync#119"),
    ("yahoo", "[SERVERBUG] UID SEARCH Server error", "server_unavailable", "S22.Imap#98"),
    ("yahoo", "[UNAVAILABLE] UID FETCH Service is temporarily not available",
     "server_unavailable", "mutt-wizard#764"),
    ("exchange", "Command Error. 10", None, "node-imap#44"),
    ("exchange", "System error (Failure)", None, "imapfilter#22"),
    ("any", "[NONEXISTENT] Unknown Mailbox", None, "RFC 5530 3"),
    ("any", "[NOPERM] Access denied", None, "RFC 5530 3"),
]  # fmt: skip


def test_there_are_enough_of_them() -> None:
    assert len(LOGIN) + len(BYES) + len(COMMANDS) >= 40


@pytest.mark.parametrize(("provider", "text", "code", "source"), LOGIN)
def test_a_refused_login_means(provider: str, text: str, code: str, source: str) -> None:
    told = recognised(text.encode(), "login_refused")

    assert (told.code, row_of(told.code).counts) == (code, row_of(code).kind == "auth")
    assert text not in f"{told!r} {told.detail}" or not text


@pytest.mark.parametrize(("provider", "text", "code", "source"), BYES)
def test_a_good_bye_means(provider: str, text: str, code: str, source: str) -> None:
    assert recognised(text.encode(), "server_hung_up").code == code


@pytest.mark.parametrize(("provider", "text", "code", "source"), COMMANDS)
def test_a_refused_command_means(provider: str, text: str, code: str | None, source: str) -> None:
    told = outage(text.encode())

    assert (told.code if told else None) == code


@pytest.mark.parametrize("text", [b"x" * 200_000, b"[" * 100_000, b"connection" * 20_000])
def test_a_long_text_costs_little(text: bytes) -> None:
    assert recognised(text, "protocol_error").code == "protocol_error"


def test_a_server_states_how_long_to_wait() -> None:
    told = recognised(b"Request is throttled. Suggested Backoff Time: 201317 milliseconds", "x")

    assert told.stated == pytest.approx(201.317)


def test_only_refusals_of_the_login_count() -> None:
    assert {row.kind for row in TABLE if row.counts} == {"auth"}
    assert not any(row.counts for row in TABLE if row.kind in ("transient", "throttle", "config"))


def test_only_a_session_lost_without_a_reason_is_made_anew() -> None:
    anew = [row for row in TABLE if row.reconnects]

    assert {row.code for row in anew} == {"server_hung_up", "timeout"}
    assert {row.kind for row in anew} == {"transient"}
    assert not any(row.codes or row.texts or row.counts for row in anew)
