"""Addresses that nobody may be led to, and a resolver and a dialler that remember [T01, T02]."""

import socket
from typing import Any

# What `ipaddress` calls global on some version, and what only a resolver reads [M6]
LITERALS = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255"),
    *("127.0.0.1", "127.1.2.3", "169.254.0.1", "169.254.169.254", "169.254.170.2"),
    *("172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.170", "192.0.2.1"),
    *("192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1"),
    *("203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::127.0.0.1", "::169.254.169.254", "::ffff:127.0.0.1", "::ffff:8.8.8.8"),
    *("::ffff:0:127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "fe80::1"),
    *("fc00::1", "fd00:ec2::254", "fec0::1", "3fff::1", "5f00::1", "ff02::1"),
    *("127.1", "0x7f000001", "8.8.8.8"),
]
REFUSED = [literal for literal in LITERALS if literal != "8.8.8.8"]
ODD = ["2130706433", "0177.0.0.1", "", "localhost", "1.2.3.4 ", "192.0.0.9", "192.168.255.255"]
PUBLIC = ["8.8.8.8", "1.1.1.1", "185.15.59.224", "193.99.144.80", "212.227.15.188"]
SPECIAL = [  # RFC 6890 and what was assigned since
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
    *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
    *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
]


class Dials:
    """Stands for `socket.create_connection`: remembers who was called, and connects nobody. With
    `peer` it answers with a socket that says it is connected there."""

    def __init__(self, peer: str = "") -> None:
        self.called: list[tuple[str, int]] = []
        self._peer = peer

    def __call__(self, address: tuple[str, int], **_: Any) -> Any:
        self.called.append(address)
        if not self._peer:
            raise ConnectionRefusedError
        return Connected(self._peer)


class Connected(socket.socket):
    def __init__(self, peer: str) -> None:
        super().__init__()
        self._peer = peer

    def getpeername(self) -> tuple[str, int]:
        return self._peer, 993


def resolving(*addresses: str, asked: list[str] | None = None) -> Any:
    def resolve(host: str, port: int, *_: Any) -> list[Any]:
        if asked is not None:
            asked.append(host)
        if not addresses:
            raise socket.gaierror
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

    return resolve
