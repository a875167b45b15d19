"""The receiver beside `make serve` takes what a webhook is sent, over verified TLS."""

from pathlib import Path

from infra.local.certificates import Certificates
from infra.local.webhook_receiver import WebhookReceiver

from ablage.mailbox.network import Network
from ablage.webhook_wire import HTTPS_PORT, body, headers, secret_text, target
from ablage.webhooks import trial
from webhook.post import Receiver


def test_it_tells_each_event_and_takes_it(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    told: list[str] = []
    receiver = WebhookReceiver(told.append)
    receiver.start(certificates.server_context())
    local = frozenset({receiver.authority})
    network = Network(str(certificates.ca_file), local, only_port=HTTPS_PORT)
    content = body(trial("t1", "2026-11-27T10:00:00.000Z"))
    signed = headers([secret_text(b"x" * 32)], "t1", 1, content)
    posting = Receiver(network, target(receiver.url, local))

    verdicts = [posting.post(signed, each).verdict for each in (content, b"[]", b"{")]
    posting.close()
    receiver.stop()

    assert verdicts == ["delivered"] * 3
    assert told[0].split()[:2] == ["webhook", "t1"]
    assert '"type": "Test"' in told[0]
    assert len(told) == 3


def test_one_that_never_started_stops() -> None:
    WebhookReceiver(print).stop()
