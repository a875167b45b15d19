"""Faults of imaplib, ssl and sockets as AccountFault. What they mean is in `ablage.faults`."""

import imaplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from ablage.faults import fault, outage, recognised

__all__ = ["fault", "outage", "recognised", "translated"]


@contextmanager
def translated(lost: str = "server_hung_up", broken: str = "tls_failed") -> Iterator[None]:
    """`lost`: the code of a plain OSError here; `broken`: of TLS that is not as it must be.

    The causes are cut off (`from None`): their texts hold what the server or the user typed."""
    try:
        yield
    except ssl.SSLError as error:
        is_cut = isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError))
        raise fault("server_hung_up" if is_cut else broken) from None
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
