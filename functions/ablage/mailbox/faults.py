"""Faults of imaplib, ssl and sockets as AccountFault. What they mean is in `ablage.faults`."""

import imaplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from ablage.faults import fault, outage, recognised

__all__ = ["fault", "outage", "recognised", "translated"]


@contextmanager
def translated(lost: str = "server_hung_up") -> Iterator[None]:
    """`lost`: the code of a plain OSError here.

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
