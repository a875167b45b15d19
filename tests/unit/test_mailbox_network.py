"""Where a mailbox may be: public IPv4 on port 993, resolved once."""

import ipaddress
import itertools
import random
import socket
import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from tests.support.addresses import LITERALS, ODD, PUBLIC, REFUSED, SPECIAL, Dials, resolving

from ablage.errors import AccountFault
from ablage.mailbox.network import Network, is_public
from ablage.settings import Settings


def test_the_lists_are_as_long_as_they_say() -> None:
    assert (len(LITERALS), len(set(REFUSED)), len(PUBLIC)) == (46, 45, 5)


@pytest.mark.parametrize("address", [*REFUSED, *ODD])
def test_a_special_address_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_public_and_called(address: str) -> None:
    dials = Dials()

    assert connecting(Network(resolve=resolving(address), dial=dials)) == "connect_failed"
    assert is_public(address)
    assert dials.called == [(address, 993)]


def connecting(network: Network, host: str = "imap.firma.de") -> str:
    with pytest.raises(AccountFault) as fault:
        network.connect(host, 993, 5.0)
    return fault.value.code


@pytest.mark.parametrize("literal", REFUSED)
def test_a_literal_as_host_is_refused_and_nobody_called(literal: str) -> None:
    """Through the real resolver, which reads `127.1` and `0x7f000001`, and no IPv6."""
    dials = Dials()

    assert connecting(Network(dial=dials), literal) in {"address_refused", "host_unknown"}
    assert dials.called == []


@pytest.mark.parametrize("address", REFUSED)
def test_behind_a_name_it_is_refused_and_nobody_called(address: str) -> None:
    dials = Dials()

    assert connecting(Network(resolve=resolving(address), dial=dials)) == "address_refused"
    assert dials.called == []


def test_five_hundred_special_addresses_are_refused_and_nobody_called() -> None:
    draw, dials = random.Random(20261126), Dials()
    ranges = [ipaddress.IPv4Network(text) for text in SPECIAL]

    for number in range(500):
        special = ranges[number % len(ranges)]
        address = str(special[draw.randrange(special.num_addresses)])
        network = Network(resolve=resolving(address), dial=dials)
        assert connecting(network) == "address_refused", address

    assert dials.called == []


def test_a_name_that_turns_private_meanwhile_is_never_called_there() -> None:
    """DNS rebinding: each answer is another; the checked one is the one that is called [T02]."""
    answers, asked, dials = itertools.cycle(["8.8.8.8", "127.0.0.1"]), [], Dials()

    def resolve(host: str, port: int, *_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    codes = [connecting(Network(resolve=resolve, dial=dials)) for _ in range(100)]

    assert codes == ["connect_failed", "address_refused"] * 50
    assert len(asked) == 100
    assert dials.called == [("8.8.8.8", 993)] * 50


def test_another_peer_than_was_called_is_hung_up_on() -> None:
    network = Network(resolve=resolving("8.8.8.8"), dial=Dials(peer="127.0.0.1"))

    assert connecting(network) == "address_refused"


@pytest.mark.parametrize("more", ["10.0.0.1", "127.0.0.1", "::1", "169.254.169.254", "224.0.0.1"])
@pytest.mark.parametrize("is_first", [True, False])
def test_one_private_answer_among_public_ones_refuses_the_name(more: str, is_first: bool) -> None:
    dials = Dials()
    both = (more, "8.8.8.8") if is_first else ("8.8.8.8", more)

    assert connecting(Network(resolve=resolving(*both), dial=dials)) == "address_refused"
    assert dials.called == []


def refusal(network: Network, host: str = "imap.firma.de", port: int = 993) -> str:
    with pytest.raises(AccountFault) as fault:
        network.address(host, port)
    return fault.value.code


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
    local = replace(bare, mail_local_hosts=" localhost:1, b:2 ,")

    assert Network.from_settings(bare).local_hosts == frozenset()
    assert Network.from_settings(local).local_hosts == {"localhost:1", "b:2"}


class Hanging:
    """DNS that says nothing until it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.threads: list[threading.Thread] = []

    def __call__(self, *asked: Any) -> list[Any]:
        self.threads.append(threading.current_thread())
        self.let_go.wait(10)
        found: list[Any] = resolving("8.8.8.8")(*asked)
        return found


def test_a_bounded_look_up_ends_in_time_and_its_late_answer_leads_nowhere() -> None:
    hanging, dials, began = Hanging(), Dials(), time.monotonic()
    network = Network(resolve=hanging, dial=dials, is_bounded=True)

    with pytest.raises(AccountFault) as fault:
        network.connect("imap.firma.de", 993, 0.2)
    took = time.monotonic() - began
    hanging.let_go.set()
    hanging.threads[0].join(5)

    assert (fault.value.code, dials.called) == ("host_unknown", [])
    assert 0.2 <= took < 5


@pytest.mark.parametrize("is_bounded", [True, False])
def test_only_a_bounded_look_up_has_a_thread_of_its_own(is_bounded: bool) -> None:
    resolve = Hanging()
    resolve.let_go.set()

    Network(resolve=resolve, is_bounded=is_bounded).address("imap.firma.de", 993)

    assert (resolve.threads[0] is threading.current_thread()) is not is_bounded


@pytest.mark.parametrize("is_bounded", [True, False])
@pytest.mark.parametrize("host", ["x" * 64 + ".de", "a\x00b"])
def test_what_a_look_up_raises_is_told_either_way(host: str, is_bounded: bool) -> None:
    assert refusal(Network(is_bounded=is_bounded), host) == "host_unknown"


def test_what_a_look_up_took_is_missing_to_connect() -> None:
    given: list[float] = []

    def resolve(*asked: Any) -> list[Any]:
        time.sleep(0.3)
        found: list[Any] = resolving("8.8.8.8")(*asked)
        return found

    def dial(_address: tuple[str, int], *, timeout: float) -> socket.socket:
        given.append(timeout)
        raise ConnectionRefusedError

    with pytest.raises(AccountFault):
        Network(resolve=resolve, dial=dial).connect("imap.firma.de", 993, 5.0)
    with pytest.raises(AccountFault) as fault:
        Network(resolve=resolve, dial=dial).connect("imap.firma.de", 993, 0.1)

    (left,) = given
    assert 1.0 < left <= 4.7
    assert fault.value.code == "timeout"
