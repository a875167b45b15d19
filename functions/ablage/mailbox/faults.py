"""What goes wrong with a mailbox, as AccountFault: our words and a stable code, never the server's
text.

login_refused       the password was answered NO; this and the next two: state reauth_required
access_refused      the access token was answered NO
login_unsupported   no login we know is offered
server_unavailable  NO [UNAVAILABLE], [INUSE], [LIMIT], [SERVERBUG]: says nothing about a mail
host_unknown        the name does not resolve
address_refused     private or special address, or another port than 993
connect_failed      nobody answers there
tls_failed          certificate or handshake
timeout             silence, or the session's deadline
server_hung_up      closed in the middle, BYE
protocol_error      an answer that is no IMAP, or a command refused
budget_exceeded     a line, literal or session larger than we read
folder_missing      EXAMINE answered NO
mail_unreadable     a hundred mails are listed and not handed out: no more are passed over
"""

import imaplib
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from ablage.errors import AccountFault

_DETAILS = {
    "login_refused": "The mail server refused the login. Check user name and password.",
    "access_refused": "The mail server refused the access that was granted. Authorize it again.",
    "login_unsupported": "This server takes no password. Connect the mailbox by OAuth.",
    "server_unavailable": "The mail server is busy; we try again.",
    "host_unknown": "The host name does not resolve. Check its spelling.",
    "address_refused": "Only public addresses and port 993 are allowed.",
    "connect_failed": "No connection to the mail server.",
    "tls_failed": "The server's TLS certificate could not be verified for this host name.",
    "timeout": "The mail server did not answer in time; we try again.",
    "server_hung_up": "The mail server closed the connection; we try again.",
    "protocol_error": "The mail server answered in a way we do not understand.",
    "budget_exceeded": "The mail server sent more than one session may hold.",
    "folder_missing": "The folder can not be opened; it may have been renamed or removed.",
    "mail_unreadable": "The mail server lists mail but does not hand it out; we try again.",
}
_REAUTH = frozenset({"login_refused", "access_refused", "login_unsupported"})
_BUSY = re.compile(rb"\[(?:UNAVAILABLE|INUSE|LIMIT|SERVERBUG)\b", re.IGNORECASE)


def fault(code: str) -> AccountFault:
    state = "reauth_required" if code in _REAUTH else "degraded"
    return AccountFault(code, _DETAILS[code], state)


def is_busy(text: bytes) -> bool:
    """A refusal (RFC 5530) that says nothing about what was asked for: password, folder or mail."""
    return _BUSY.search(text) is not None


@contextmanager
def translated(lost: str = "server_hung_up") -> Iterator[None]:
    """Faults of imaplib, ssl and sockets as AccountFault. `lost`: the code of a plain OSError here.

    The causes are cut off (`from None`): their texts hold what the server or the user typed."""
    try:
        yield
    except ssl.SSLError as error:
        raise fault(_tls_code(error)) from None
    except TimeoutError:
        raise fault("timeout") from None
    except socket.gaierror:
        raise fault("host_unknown") from None
    except OSError:
        raise fault(lost) from None
    except imaplib.IMAP4.abort:
        raise fault("server_hung_up") from None
    except (imaplib.IMAP4.error, UnicodeError):  # imaplib decodes capabilities as ASCII
        raise fault("protocol_error") from None


def _tls_code(error: ssl.SSLError) -> str:
    """A record cut short is a lost connection, not a certificate's fault."""
    lost = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
    return "server_hung_up" if isinstance(error, lost) else "tls_failed"
