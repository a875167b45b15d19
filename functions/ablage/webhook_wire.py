"""A webhook on the wire: where it may go, what is sent, how it is signed.

Source: Standard Webhooks 1.0 (standardwebhooks.com): headers `webhook-id`, `webhook-timestamp`,
`webhook-signature`; HMAC-SHA256 of `id.timestamp.body`; secrets `whsec_<base64>`.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ablage.errors import InvalidInput

HTTPS_PORT = 443
SECRET_BYTES = 32
URL_CHARACTERS = 2000
USER_AGENT = "Ablage-Webhooks"

_PREFIX = "whsec_"
_URL = re.compile(
    r"https://(?P<host>[A-Za-z0-9.-]{1,253})(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>[/?](?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?"
)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # as a last label: resolvers read an address


@dataclass(frozen=True)
class Target:
    """`path` with its query, as it is sent."""

    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        return self.host if self.port == HTTPS_PORT else f"{self.host}:{self.port}"


def target(url: str, local_hosts: Collection[str] = ()) -> Target:
    """Whether the name's addresses are public is seen when it is connected to. `local_hosts`
    (`host:port`) are exempt from the rules of name and port, not from https.

    Raises InvalidInput `invalid_webhook_url`."""
    found = _URL.fullmatch(url) if len(url) <= URL_CHARACTERS else None
    if found is None:
        raise _invalid("An https:// URL in ASCII, without user, password and fragment.")
    host, path = found["host"].lower(), found["path"] or "/"
    port = int(found["port"] or HTTPS_PORT)
    if f"{host}:{port}" not in local_hosts:
        if port != HTTPS_PORT:
            raise _invalid("Only port 443 is connected to.")
        if not _is_name(host):
            raise _invalid("A host name of the public DNS; no IP address.")
    return Target(host, port, path if path[0] == "/" else f"/{path}")


def _is_name(host: str) -> bool:
    labels = host.split(".")
    is_name = len(labels) > 1 and all(_LABEL.fullmatch(label) for label in labels)
    return is_name and not _NUMBER.fullmatch(labels[-1])


def _invalid(detail: str) -> InvalidInput:
    return InvalidInput("invalid_webhook_url", detail, "/url")


def body(event: Mapping[str, Any]) -> bytes:
    """`event` as `ablage.events.as_json` makes it."""
    told = {"type": event["type"], "timestamp": event["at"], "data": event}
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()


def secret_text(random: bytes) -> str:
    """As it is shown once, and what is sealed; `random` has SECRET_BYTES."""
    return _PREFIX + base64.b64encode(random).decode()


def headers(
    secrets: Iterable[str], event_id: str, timestamp: int, content: bytes
) -> dict[str, str]:
    """`secrets`: the one in force, and the one before it while that still signs. `timestamp`:
    epoch seconds of this try."""
    return {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(
            _signature(secret, event_id, timestamp, content) for secret in secrets
        ),
    }


def _signature(secret: str, event_id: str, timestamp: int, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    signed = b"%s.%d.%s" % (event_id.encode(), timestamp, content)
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
