"""Who still speaks when the server ends hears its last word."""

import socket
import ssl
import threading
from pathlib import Path

import pytest
from infra.local.certificates import HOST, Certificates
from infra.local.closing import close_gently

LAST = b"the last word"


def ends(listener: socket.socket, tls: ssl.SSLContext | None) -> None:
    connection, _ = listener.accept()
    talk = tls.wrap_socket(connection, server_side=True) if tls else connection
    talk.sendall(LAST)
    close_gently(talk)


@pytest.mark.parametrize("is_tls", [False, True])
def test_a_client_in_the_middle_of_its_word_hears_the_last_one(
    tmp_path: Path, is_tls: bool
) -> None:
    certificates = Certificates(tmp_path)
    shown = certificates.server_context() if is_tls else None
    trusting = ssl.create_default_context(cafile=certificates.ca_file)
    heard = b""

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=ends, args=(listener, shown), daemon=True)
        server.start()
        client = socket.create_connection(listener.getsockname(), timeout=60)
        with trusting.wrap_socket(client, server_hostname=HOST) if is_tls else client as talk:
            for _ in range(100):
                talk.sendall(b"x" * 65536)
            while len(heard) < len(LAST):
                heard += talk.recv(100)
        server.join(60)

    assert heard == LAST
    assert not server.is_alive()
