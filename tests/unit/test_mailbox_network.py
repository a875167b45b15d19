"""Where a mailbox may be: public IPv4 on port 993, resolved once."""

import socket
from typing import Any

import pytest

from ablage.errors import AccountFault
from ablage.mailbox.network import Network, is_public
from ablage.settings import Settings

REFUSED = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255"),
    *("127.0.0.1", "127.1.2.3", "169.254.0.1", "169.254.169.254", "169.254.170.2"),
    *("172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.9", "192.0.0.170", "192.0.2.1"),
    *("192.88.99.1", "192.168.0.1", "192.168.255.255", "198.18.0.1", "198.19.255.255"),
    *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1"),
    "255.255.255.255",
    *("::", "::1", "::127.0.0.1", "::169.254.169.254", "::ffff:127.0.0.1", "::ffff:8.8.8.8"),
    *("::ffff:0:127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "fe80::1"),
    *("fc00::1", "fd00:ec2::254", "fec0::1", "3fff::1", "5f00::1", "ff02::1"),
    *("127.1", "0x7f000001", "2130706433", "0177.0.0.1", "", "localhost", "1.2.3.4 "),
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "185.15.59.224", "193.99.144.80", "212.227.15.188"]


def resolving(*addresses: str, asked: list[str] | None = None) -> Any:
    def resolve(host: str, port: int, *_: Any) -> list[Any]:
        if asked is not None:
            asked.append(host)
        if not addresses:
            raise socket.gaierror
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

    return resolve


@pytest.mark.parametrize("address", REFUSED)
def test_a_special_address_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_public(address: str) -> None:
    assert is_public(address)


def refusal(network: Network, host: str = "imap.firma.de", port: int = 993) -> str:
    with pytest.raises(AccountFault) as fault:
        network.address(host, port)
    return fault.value.code


@pytest.mark.parametrize("address", [address for address in REFUSED if address])
def test_a_name_behind_which_a_special_address_stands_is_refused(address: str) -> None:
    assert refusal(Network(resolve=resolving(address))) == "address_refused"


def test_one_private_answer_refuses_the_name() -> None:
    assert refusal(Network(resolve=resolving("8.8.8.8", "10.0.0.1"))) == "address_refused"


def test_the_checked_address_is_the_one_that_is_used() -> None:
    asked: list[str] = []
    network = Network(resolve=resolving("8.8.8.8", asked=asked))

    assert network.address("imap.firma.de", 993) == "8.8.8.8"
    assert asked == ["imap.firma.de"]


@pytest.mark.parametrize("port", [0, 22, 80, 143, 443, 994, 65535])
def test_another_port_is_refused_before_a_look_up(port: int) -> None:
    asked: list[str] = []

    assert refusal(Network(resolve=resolving("8.8.8.8", asked=asked)), port=port) == (
        "address_refused"
    )
    assert asked == []


def test_a_local_host_is_exempt_with_its_port_only() -> None:
    local = Network("", frozenset({"localhost:10993"}), resolving("127.0.0.1"))

    assert local.address("localhost", 10993) == "127.0.0.1"
    assert refusal(local, "localhost", 993) == "address_refused"
    assert refusal(local, "otherhost", 10993) == "address_refused"


@pytest.mark.parametrize("host", ["nowhere.invalid", "", "x" * 64 + ".de", "a\x00b", "ü" * 300])
def test_a_name_that_does_not_resolve_is_unknown(host: str) -> None:
    network = Network()

    assert refusal(network, host) in {"host_unknown", "address_refused"}


def test_no_answer_is_unknown() -> None:
    assert refusal(Network(resolve=resolving())) == "host_unknown"


def test_settings_without_local_hosts_exempt_nothing() -> None:
    bare = Settings(table_name="t", raw_bucket="r", archive_bucket="a")
    local = bare.model_copy(update={"mail_local_hosts": " localhost:1, b:2 ,"})

    assert Network.from_settings(bare).local_hosts == frozenset()
    assert Network.from_settings(local).local_hosts == {"localhost:1", "b:2"}
