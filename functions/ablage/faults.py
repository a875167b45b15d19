"""What goes wrong with a mailbox, in one table: how it is recognised, what it means, when it is
tried again, what the user reads and does. The server's own text stays behind.

kind        state the account shows   what it is about
auth        reauth_required           the login; a refused one counts, see `REFUSED_WAITS`
throttle    throttled                 the provider wants us to slow down
transient   degraded                  the server or the way to it; passes by itself
config      degraded                  somebody must change something
folder      (none)                    one folder; the others go on
message     degraded                  mails that are listed and not handed out
ours        degraded                  we asked, or were answered, in a way we cannot go on with
"""

import re
from dataclasses import dataclass
from typing import Literal

from ablage.errors import AccountFault

Kind = Literal["auth", "throttle", "transient", "config", "folder", "message", "ours"]

MINUTE, HOUR, DAY = 60, 3600, 86400
REFUSED_WAITS = (15 * MINUTE, HOUR, 6 * HOUR, DAY)
"""Seconds after the first, second ... refused login; after one more only a new login or a check by
hand tries again: servers lock accounts [reliability-security T16]."""
MOST_STATED = DAY  # of a wait the server states: it shall not switch a mailbox off for years
TEXT_BYTES = 1000  # of a server's text, read for what it means
SLOW_SECONDS = HOUR  # after a throttle, a provider's slow pace holds for so long

_AGAIN = "Nothing; it is tried again by itself."


@dataclass(frozen=True)
class Fault:
    """A row. `codes` are response codes (RFC 5530 and providers' own), `texts` match anywhere in a
    server's text, case-insensitive. A wait is `least` + jitter * min(`most`, `first` * 2^tries)
    seconds; long work also waits `backfill` at least. `settles` seconds old it is `config`: it did
    not pass by itself. `counts` as a login failure. `reconnects`: a session that was logged in is
    lost by it, and nothing says that another would be; what refuses, wants patience, or would come
    again the same never does."""

    code: str
    kind: Kind
    detail: str
    action: str = _AGAIN
    codes: str = ""
    texts: str = ""
    first: int = 30
    most: int = HOUR
    least: int = 0
    backfill: int = 0
    settles: int = 0
    settled_action: str = ""
    counts: bool = False
    reconnects: bool = False

    @property
    def state(self) -> str:
        return {"auth": "reauth_required", "throttle": "throttled"}.get(self.kind, "degraded")

    def kind_at(self, age: int) -> Kind:
        """As it stands after `age` seconds."""
        return "config" if self.settles and age >= self.settles else self.kind

    def action_at(self, age: int) -> str:
        return self.settled_action if self.settles and age >= self.settles else self.action

    def fits(self, text: bytes, *, words: bool = True) -> bool:
        """With `words=False` by response code alone."""
        if self.codes and re.search(rb"\[(?:%b)\b" % self.codes.encode(), text, re.IGNORECASE):
            return True
        found = words and self.texts and re.search(self.texts.encode(), text, re.IGNORECASE)
        return bool(found)


# Searched from above: what asks for patience comes before what blames the password.
TABLE = (
    Fault(
        "throttled",
        "throttle",
        "The provider asks us to slow down.",
        texts=r"request is throttled|suggested backoff time",
        first=MINUTE,
    ),
    Fault(
        "over_quota",
        "throttle",
        "The mailbox has reached its provider's limit for downloads.",
        codes="OVERQUOTA",
        texts=r"bandwidth limit",
        least=HOUR,
        first=10 * MINUTE,
        backfill=DAY,
    ),
    Fault(
        "too_many_connections",
        "throttle",
        "The mailbox has as many connections as its server allows.",
        "Nothing; if it stays, close mail programs that use this mailbox.",
        codes="LIMIT",
        texts=r"too many (?:\w+ )?connections|(?:number of|exceeded|limit).{0,20}connection"
        r"|connection (?:rate )?limit|rate.?limit",
        first=MINUTE,
    ),
    Fault(
        "not_connected",
        "transient",
        "The provider accepts the login but does not open the mailbox.",
        texts=r"authenticated but not connected",
        least=HOUR,
        settles=5 * HOUR,
        settled_action="Check at the provider: IMAP is on, the mailbox has a licence, and the user "
        "may open it.",
    ),
    Fault(
        "server_unavailable",
        "transient",
        "The mail server is busy.",
        codes="UNAVAILABLE|INUSE|SERVERBUG",
        texts=r"temporar|again later|server unavailable|service (?:not available|unavailable)"
        r"|system error|internal (?:server )?error|server error|server (?:is )?busy",
    ),
    Fault(
        "web_login_needed",
        "auth",
        "The provider wants a login in the browser first.",
        "Log in at the provider's web page, then check the connection.",
        codes="WEBALERT",
        texts=r"web login required|via your web browser",
        counts=True,
    ),
    Fault(
        "app_password_needed",
        "auth",
        "The provider takes no normal password from mail programs.",
        "Make an app password at the provider and send it.",
        texts=r"app(?:lication)?[- ](?:specific )?password",
        counts=True,
    ),
    Fault(
        "password_expired",
        "auth",
        "The password has expired.",
        "Set a new password at the provider and send it.",
        codes="EXPIRED",
        texts=r"password (?:has |is )?expired|change (?:your |the )?password",
        counts=True,
    ),
    Fault(
        "account_blocked",
        "auth",
        "The provider has locked this mailbox.",
        "Unlock it at the provider, then check the connection.",
        codes="CONTACTADMIN",
        texts=r"account (?:is |has been )?(?:\w+ )?(?:locked|disabled|suspended|blocked|inactive"
        r"|not active)",
        counts=True,
    ),
    Fault(
        "login_refused",
        "auth",
        "The mail server refused the login.",
        "Check user name and password, and that IMAP is switched on at the provider; send the "
        "right password.",
        codes="AUTHENTICATIONFAILED|AUTHORIZATIONFAILED",
        texts=r"invalid (?:login|credentials)|credentials invalid|(?:auth\w*|login) fail",
        counts=True,
    ),
    Fault(
        "imap_disabled",
        "auth",
        "IMAP is switched off for this mailbox.",
        "Switch IMAP on in the provider's settings, then check the connection.",
        texts=r"not enabled for imap|imap (?:access )?(?:is )?(?:disabled|not enabled)",
        counts=True,
    ),
    Fault(
        "request_too_long",
        "ours",
        "The mail server takes no request as long as ours.",
        "Report it, with the server's make.",
        codes="CLIENTBUG",
        texts=r"too long|maximum request size",
        least=HOUR,
    ),
    Fault(
        "folder_missing",
        "folder",
        "The folder can not be opened; it may have been renamed or removed.",
        codes="NONEXISTENT|NOPERM",
    ),
    # Recognised by what happens, not by words
    Fault(
        "access_refused",
        "auth",
        "The mail server refused the access that was granted.",
        "Authorize it again.",
        counts=True,
    ),
    Fault(
        "login_unsupported",
        "auth",
        "The mail server offers no login that we can use.",
        "Connect the mailbox by OAuth.",
        least=HOUR,
    ),
    Fault(
        "secret_missing",
        "auth",
        "No usable password is stored.",
        "Send the password again.",
        least=HOUR,
    ),
    Fault(
        "access_revoked",
        "auth",
        "The access that was granted has ended.",
        "Authorize the mailbox again.",
        least=HOUR,
    ),
    Fault(
        "sign_in_required",
        "auth",
        "The provider wants the person to sign in.",
        "Authorize the mailbox again.",
        least=HOUR,
    ),
    Fault(
        "consent_incomplete",
        "auth",
        "Access to mail was not granted.",
        "Authorize again and leave all boxes ticked.",
        least=HOUR,
    ),
    Fault(
        "wrong_mailbox",
        "auth",
        "Somebody else signed in than the address of this mailbox.",
        "Authorize again as that person, or name who signs in as its delegate.",
        least=HOUR,
    ),
    Fault(
        "token_too_long",
        "auth",
        "The refresh token has more than 4096 bytes: nobody can keep it.",
        "Authorize the mailbox again.",
        least=HOUR,
    ),
    Fault(
        "client_refused",
        "auth",
        "The provider refuses our OAuth client.",
        "Check its id, secret, expiry and permissions; mailboxes go on by themselves when a new "
        "secret is set.",
    ),
    Fault(
        "client_missing",
        "auth",
        "No OAuth client is registered for this provider.",
        "Register one; mailboxes go on by themselves.",
    ),
    Fault("provider_unavailable", "transient", "The provider's sign-in does not answer."),
    Fault(
        "host_unknown",
        "transient",
        "The host name does not resolve.",
        "Check the spelling of the host.",
        settles=DAY,
        settled_action="Correct the host.",
    ),
    Fault(
        "address_refused",
        "config",
        "Only public addresses and port 993 are connected to.",
        "Correct host and port.",
        least=HOUR,
    ),
    Fault(
        "connect_failed",
        "transient",
        "No connection to the mail server.",
        settles=DAY,
        settled_action="Check the host; ask the provider.",
    ),
    Fault(
        "tls_failed",
        "config",
        "The server's TLS certificate could not be verified for this host name.",
        "Use the host name that the certificate is made for, or have the server's certificate "
        "renewed; nothing turns verification off.",
        least=HOUR,
    ),
    Fault("timeout", "transient", "The mail server did not answer in time.", reconnects=True),
    Fault(
        "server_hung_up",
        "transient",
        "The mail server closed the connection.",
        reconnects=True,
    ),
    Fault(
        "protocol_error",
        "ours",
        "The mail server answered in a way we do not understand.",
        "Report it, with the server's make.",
    ),
    Fault(
        "budget_exceeded",
        "ours",
        "The mail server sent more than one session may hold.",
        "Report it, with the server's make.",
    ),
    Fault(
        "our_outage",
        "ours",
        "Our own service is disturbed: the mailbox is well, and is not read.",
        "Nothing; what came meanwhile is read as soon as it is over.",
        most=5 * MINUTE,
    ),
    Fault(
        "mail_unreadable",
        "message",
        "The mail server lists mail but does not hand it out.",
        "Nothing; if it stays, ask the provider to repair the mailbox.",
    ),
)
_BY_CODE = {row.code: row for row in TABLE}
_BUSY = tuple(row for row in TABLE if row.kind in ("throttle", "transient"))
_STATED = re.compile(rb"backoff time:?\s*(\d{1,12})\s*milliseconds", re.IGNORECASE)


def row_of(code: str) -> Fault:
    """A code that is no longer known reads as our fault."""
    return _BY_CODE.get(code, _BY_CODE["protocol_error"])


def fault(code: str, stated: float = 0.0) -> AccountFault:
    """`stated`: seconds the server asks us to wait."""
    row = _BY_CODE[code]
    return AccountFault(code, row.detail, row.state, stated)


def recognised(text: bytes, otherwise: str) -> AccountFault:
    """What a refused login, a greeting or a good-bye says; `otherwise` where it says nothing we
    know."""
    text = text[:TEXT_BYTES]
    code = next((row.code for row in TABLE if row.fits(text)), otherwise)
    return fault(code, _stated(text))


def outage(text: bytes) -> AccountFault | None:
    """Of a refused command: a fault that says nothing about what was asked for, be it a folder or a
    mail. Free words tell it only where no server says them of a mail."""
    text, is_wordy = text[:TEXT_BYTES], {"server_unavailable"}
    for row in _BUSY:
        if row.fits(text, words=row.code not in is_wordy):
            return fault(row.code, _stated(text))
    return None


def _stated(text: bytes) -> float:
    found = _STATED.search(text)
    return int(found.group(1)) / 1000 if found else 0.0


def wait_seconds(row: Fault, tries: int, jitter: float, stated: float = 0.0) -> int:
    """Before the next try, after `tries` faults in a row before this one; `jitter` in [0, 1)."""
    grown = min(row.most, row.first * 2 ** min(tries, 20))
    return max(row.least, int(min(stated, MOST_STATED))) + int(jitter * grown)
