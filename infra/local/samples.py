"""Sample mails of our own making: two companies, four mailboxes, sixty mails, each with what must
become of it. The texts stand in `samples/*.toml`."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr, parseaddr
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "samples"
TENANTS = ("nordlicht", "hafenwerk")


@dataclass(frozen=True)
class Sample:
    """One mail. `expect`: entities (`contact/c-1`) it must be filed at in the end; `reason`: the
    reason code its row must show; `also`: accounts that got it, too; `by_hand` and `unfiled`: an
    entity a person files it at, or takes it away from."""

    id: str
    hours: int
    sender: str
    subject: str
    expect: tuple[str, ...]
    reason: str
    case: str = ""
    account: str = "sales"
    folder: str = "INBOX"
    to: str = ""
    cc: str = ""
    bcc: str = ""
    reply_to: str = ""
    text: str = ""
    raw: str = ""
    shape: str = ""
    calendar: str = ""
    message_id: str = ""
    moved_to: str = ""
    by_hand: str = ""
    unfiled: str = ""
    also: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    attach: tuple[tuple[str, str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def accounts(self) -> tuple[str, ...]:
        return (self.account, *self.also)

    def received(self, now: datetime) -> datetime:
        return (now - timedelta(hours=self.hours)).replace(microsecond=0)


@dataclass(frozen=True)
class Scenario:
    """One tenant. `accounts`: id -> address; `customers` and `contacts`: id -> body of their
    PUT."""

    tenant: str
    accounts: Mapping[str, str]
    customers: Mapping[str, dict[str, Any]]
    contacts: Mapping[str, dict[str, Any]]
    blocklist: tuple[str, ...]
    mails: tuple[Sample, ...]

    def name_of(self, entity: str) -> str:
        """`contact/c-1` as a person reads it; other types as they are."""
        kind, _, entity_id = entity.partition("/")
        known = {"contact": self.contacts, "customer": self.customers}.get(kind, {})
        return str(known.get(entity_id, {}).get("name", entity))

    def raw(self, sample: Sample, account: str, now: datetime) -> bytes:
        """The mail as it arrived in the mailbox of `account`: only its trace differs."""
        return build(sample, self.accounts[account], self.accounts[sample.account], now)


def load(tenant: str) -> Scenario:
    given = tomllib.loads((FOLDER / f"{tenant}.toml").read_text(encoding="utf-8"))
    return Scenario(
        given["tenant"],
        given["accounts"],
        given["customers"],
        given["contacts"],
        tuple(given["blocklist"]["entries"]),
        tuple(_sample(mail) for mail in given["mail"]),
    )


def _sample(given: dict[str, Any]) -> Sample:
    known = dict(given) | {"sender": given["from"]}
    del known["from"]
    for name in ("expect", "also", "without"):
        known[name] = tuple(known.get(name, ()))
    known["attach"] = tuple(tuple(part) for part in known.get("attach", ()))
    return Sample(**known)


def build(sample: Sample, mailbox: str, addressee: str, now: datetime) -> bytes:
    """Bytes with CRLF. Mail of a sent folder has no trace of delivery."""
    head = _trace(sample, mailbox, now) + _head(sample, addressee, now)
    fields = "\r\n".join(f"{name}: {value}" for name, value in head if name not in sample.without)
    if sample.raw:
        whole = sample.raw.strip("\n").replace("\n", "\r\n").replace("{head}", fields)
        return whole.encode() + b"\r\n"
    if sample.shape == "latin1":
        kind = "\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit"
        text = f"{fields}\r\nMIME-Version: 1.0{kind}\r\n\r\n{sample.text}".replace("\n", "\r\n")
        return text.replace("\r\r\n", "\r\n").encode("latin-1")
    return fields.encode() + b"\r\n" + _body(sample).as_bytes(policy=SMTP)


def _trace(sample: Sample, mailbox: str, now: datetime) -> list[tuple[str, str]]:
    if sample.folder == "Sent":
        return []
    domain = mailbox.partition("@")[2]
    sender = parseaddr(sample.sender)[1].partition("@")[2] or domain
    when = format_datetime(sample.received(now))
    hop = f"from mx.{sender} by imap.{domain}\r\n\twith ESMTPS for <{mailbox}>; {when}"
    return [("Delivered-To", mailbox), ("Received", hop)]


def _head(sample: Sample, addressee: str, now: datetime) -> list[tuple[str, str]]:
    """In the order mail programs write them; fields without a value are left out."""
    domain = parseaddr(sample.sender)[1].partition("@")[2] or "localhost"
    fields = [
        ("Date", format_datetime(sample.received(now))),
        ("From", _encoded(sample.sender)),
        ("Reply-To", _encoded(sample.reply_to)),
        ("To", _encoded(sample.to or addressee)),
        ("Cc", _encoded(sample.cc)),
        ("Bcc", _encoded(sample.bcc)),
        ("Subject", _encoded(sample.subject)),
        ("Message-ID", sample.message_id or f"<{sample.id}.1@{domain}>"),
        *sample.headers.items(),
    ]
    return [(name, value) for name, value in fields if value]


def _encoded(text: str) -> str:
    """Names with umlauts as encoded words (RFC 2047), addresses as they are."""
    if text.isascii():
        return text
    name, address = parseaddr(text)
    if "@" in address and address.isascii():
        return formataddr((name, address))
    return Header(text, "utf-8", maxlinelen=900).encode()


def _body(sample: Sample) -> EmailMessage:
    message = EmailMessage(SMTP)
    transfer = "base64" if sample.shape == "base64" else None
    message.set_content(sample.text.strip("\n") + "\n", cte=transfer)
    if sample.shape == "html":
        paragraphs = sample.text.strip().replace("\n\n", "</p><p>")
        message.add_alternative(f"<html><body><p>{paragraphs}</p></body></html>", subtype="html")
    if sample.calendar:
        message.add_alternative(sample.calendar, subtype="calendar", params={"method": "REQUEST"})
    for name, kind, content in sample.attach:
        major, _, minor = kind.partition("/")
        message.add_attachment(content.encode(), maintype=major, subtype=minor, filename=name)
    return message
