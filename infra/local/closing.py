"""The end of a connection, as the other side should see it."""

import contextlib
import socket
import time

DRAIN_SECONDS = 5.0


def close_gently(connection: socket.socket) -> None:
    """FIN behind the last word, and what still comes is read away, until the other side closes or
    for DRAIN_SECONDS: to bytes that nobody read a kernel answers RST, and the last word is lost.
    TLS ends without a word of its own."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        end = time.monotonic() + DRAIN_SECONDS
        while (left := end - time.monotonic()) > 0:
            connection.settimeout(left)
            if not connection.recv(65536):
                break
    connection.close()
