"""Nobody is led by a webhook to where only we can go [T01, T02, T03]."""

import ipaddress
import itertools
import random
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from infra.local.certificates import Certificates
from tests.support.addresses import LITERALS, ODD, PUBLIC, REFUSED, SPECIAL, Dials, resolving
from tests.support.hooks import START, Worker, add_hook, happened, hook_of, network_to
from tests.support.mailboxes import TENANT
from tests.support.receiver import Receiver, status

from ablage.errors import InvalidInput
from ablage.mailbox.network import Network
from ablage.store.storage import Storage
from ablage.webhook_wire import HTTPS_PORT, Target, target
from ablage.webhooks import Failure
from webhook.post import Receiver as Posting
from webhook.tools import tools

THERE = Target("hooks.kunde.de", HTTPS_PORT, "/")


def network(*addresses: str, dials: Any, resolve: Any = None) -> Network:
    return Network(resolve=resolve or resolving(*addresses), dial=dials, only_port=HTTPS_PORT)


def posted(where: Network, to: Target = THERE) -> str:
    receiver = Posting(where, to)
    outcome = receiver.post({}, b"{}")
    receiver.close()
    assert outcome.verdict == "outage"
    return outcome.code


@pytest.mark.parametrize("literal", [*LITERALS, *ODD])
def test_an_address_is_no_webhook_s_host_in_whatever_form(literal: str) -> None:
    for host in (literal, f"[{literal}]"):
        with pytest.raises(InvalidInput) as refused:
            target(f"https://{host}/")
        assert refused.value.code == "invalid_webhook_url"


@pytest.mark.parametrize("literal", REFUSED)
def test_were_it_there_all_the_same_nobody_would_be_called(literal: str) -> None:
    """Through the real resolver, which reads `127.1` and `0x7f000001`."""
    dials = Dials()

    code = posted(Network(dial=dials, only_port=HTTPS_PORT), Target(literal, HTTPS_PORT, "/"))

    assert code in {"address_refused", "host_unknown"}
    assert dials.called == []


@pytest.mark.parametrize("address", REFUSED)
def test_behind_a_name_it_is_refused_and_nobody_called(address: str) -> None:
    dials = Dials()

    assert posted(network(address, dials=dials)) == "address_refused"
    assert dials.called == []


def test_five_hundred_special_addresses_are_refused_and_nobody_called() -> None:
    draw, dials = random.Random(20261127), Dials()
    ranges = [ipaddress.IPv4Network(text) for text in SPECIAL]

    for number in range(500):
        special = ranges[number % len(ranges)]
        address = str(special[draw.randrange(special.num_addresses)])
        assert posted(network(address, dials=dials)) == "address_refused", address

    assert dials.called == []


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_called_at_port_443(address: str) -> None:
    dials = Dials()

    assert posted(network(address, dials=dials)) == "connect_failed"
    assert dials.called == [(address, 443)]


def test_a_name_nobody_answers_for_ends_the_exchange_in_its_time(aws: Storage) -> None:
    """As the function has it, but for DNS."""
    let_go, dials = threading.Event(), Dials()
    where = replace(tools().network, resolve=lambda *_: let_go.wait(10), dial=dials)
    receiver = Posting(where, THERE, seconds=0.3)

    outcome = receiver.post({}, b"{}")
    let_go.set()

    assert (outcome.verdict, outcome.code) == ("outage", "host_unknown")
    assert 300 <= outcome.ms < 5000
    assert dials.called == []


@pytest.mark.parametrize("port", [80, 22, 993, 8443])
def test_no_other_port_is_called_or_looked_up(port: int) -> None:
    dials, asked = Dials(), list[str]()
    where = network(dials=dials, resolve=resolving("8.8.8.8", asked=asked))

    assert posted(where, Target("hooks.kunde.de", port, "/")) == "address_refused"
    assert dials.called == asked == []


@pytest.mark.parametrize("more", ["10.0.0.1", "127.0.0.1", "::1", "169.254.169.254"])
def test_one_private_answer_among_public_ones_refuses_the_name(more: str) -> None:
    dials = Dials()

    assert posted(network("8.8.8.8", more, dials=dials)) == "address_refused"
    assert posted(network(more, "8.8.8.8", dials=dials)) == "address_refused"
    assert dials.called == []


def test_a_name_that_turns_private_meanwhile_is_never_called_there() -> None:
    """DNS rebinding: one look-up a connection, and the checked answer is the one that is called."""
    answers, asked, dials = itertools.cycle(["8.8.8.8", "127.0.0.1"]), list[str](), Dials()

    def resolve(host: str, port: int, *_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    codes = [posted(network(dials=dials, resolve=resolve)) for _ in range(100)]

    assert codes == ["connect_failed", "address_refused"] * 50
    assert len(asked) == 100
    assert dials.called == [("8.8.8.8", 443)] * 50


def test_another_peer_than_was_called_is_hung_up_on() -> None:
    assert posted(network("8.8.8.8", dials=Dials(peer="127.0.0.1"))) == "address_refused"


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    dials = Dials()
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:3128")

    posted(network("8.8.8.8", dials=dials))

    assert dials.called == [("8.8.8.8", 443)]


# ---- from the table on ---------------------------------------------------------------------------


def test_a_hook_at_a_private_address_is_an_outage_that_says_so(aws: Storage) -> None:
    dials = Dials()
    add_hook(aws, TENANT, "https://hooks.kunde.de/")
    happened(aws, TENANT, "job1")

    Worker(aws, network("10.0.0.1", dials=dials)).tell(TENANT)

    assert hook_of(aws, TENANT).progress.last_failure == Failure(START, "address_refused")
    assert hook_of(aws, TENANT).due_at == START + 5
    assert dials.called == []


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "http://hooks.kunde.de/", "https://a:1/"])
def test_a_url_that_was_never_to_be_taken_is_not_gone_to(aws: Storage, url: str) -> None:
    dials = Dials()
    add_hook(aws, TENANT, url)
    happened(aws, TENANT, "job1")

    Worker(aws, network("8.8.8.8", dials=dials)).tell(TENANT)

    assert hook_of(aws, TENANT).progress.last_failure == Failure(START, "address_refused")
    assert dials.called == []


@pytest.fixture
def elsewhere(certificates: Certificates) -> Iterator[Receiver]:
    running = Receiver(certificates.server_context())
    yield running
    running.stop()


@pytest.mark.parametrize("code", [300, 301, 302, 303, 307, 308])
def test_a_redirect_is_an_outage_and_not_followed(
    aws: Storage, certificates: Certificates, elsewhere: Receiver, code: int
) -> None:
    receiver = Receiver(certificates.server_context(), status(code, f"Location: {elsewhere.url}"))
    add_hook(aws, TENANT, receiver.url)
    happened(aws, TENANT, "job1")

    Worker(aws, network_to(receiver, certificates.ca_file)).tell(TENANT)
    receiver.stop()

    assert hook_of(aws, TENANT).progress.last_failure == Failure(START, "redirected", code)
    assert (len(receiver.requests), elsewhere.connections) == (1, 0)
