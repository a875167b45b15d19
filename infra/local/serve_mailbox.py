"""A mailbox with a few mails, for the tenant of `make serve` that nothing is connected to yet."""

import secrets
from datetime import UTC, datetime

from infra.local.samples import Sample, build
from infra.local.stack import LocalStack

EMPTY_TENANT = "demo"
USER = "anna@demo-firma.example"

_MAILS = (
    Sample(
        id="besuch",
        hours=30,
        sender="Max Kunde <max@kunde.example>",
        subject="Besuch am Donnerstag",
        text="Passt es Ihnen um zehn Uhr? Ich bringe die Pläne für das Lager mit.\n",
        expect=("contact/c-1", "customer/k-1"),
        reason="matched",
    ),
    Sample(
        id="antwort",
        hours=26,
        sender=f"Anna <{USER}>",
        folder="Sent",
        to="Max Kunde <max@kunde.example>",
        subject="Re: Besuch am Donnerstag",
        text="Zehn Uhr passt gut, bis dann.\n",
        expect=("contact/c-1", "customer/k-1"),
        reason="matched",
    ),
    Sample(
        id="prospekt",
        hours=20,
        sender="Prospekte <post@unbekannt.example>",
        subject="Regale, Regale",
        text="Schwerlastregale ab Lager.\n",
        expect=(),
        reason="no_match",
    ),
)


def fill_mailbox(stack: LocalStack) -> str:
    """The user's name; the account is not connected."""
    now = datetime.now(UTC)
    stack.imap.add_user(USER, secrets.token_urlsafe(12))
    with stack.imap.connect(USER) as wire:
        for mail in _MAILS:
            wire.append(mail.folder, build(mail, USER, USER, now), received=mail.received(now))
    return USER
