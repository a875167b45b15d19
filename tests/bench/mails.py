"""Deterministic mailboxes as Maildir: 70 % of ~8 KB, 25 % of ~60 KB, 5 % of ~1 MB, as in the
mailboxes of companies; and a few of 41 MB."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

COUNT = 5000
HUGE_BYTES = 41_000_000
_WORDS = (
    *("the", "of", "and", "to", "in", "for", "invoice", "meeting", "please", "attached", "project"),
    *("offer", "contract", "delivery", "customer", "Grüße", "Rechnung", "Angebot", "Termin"),
    *("vielen", "Dank", "können", "über", "Straße", "order", "number", "account", "team"),
)
_NOW = datetime.now(UTC)


def usual(count: int = COUNT) -> Iterator[bytes]:
    random = Random(4711)
    for number in range(count):
        kind = random.random()
        if kind < 0.70:
            yield _mail(number, _text(random, random.randrange(5000, 8000)))
        elif kind < 0.95:
            yield _mail(number, _encoded(random, random.randrange(35_000, 80_000)))
        else:
            yield _mail(number, _encoded(random, random.randrange(700_000, 1_300_000)))


def with_huge(count: int, huge: int) -> Iterator[bytes]:
    """The usual mix, and `huge` mails of 41 MB spread through it."""
    random = Random(7)
    every = count // huge
    for number, mail in enumerate(usual(count)):
        yield mail
        if number % every == every // 2:
            yield _mail(100_000 + number, _encoded(random, HUGE_BYTES))


def _mail(number: int, content: str) -> bytes:
    received = "".join(
        f"Received: from mx{hop}.example.net (mx{hop}.example.net [192.0.2.{hop}])\r\n"
        f"\tby in{hop}.example.org with ESMTPS id {number:08x}\r\n"
        f"\tfor <bench@example.org>; Mon, 02 Nov 2026 10:00:00 +0100\r\n"
        for hop in range(4)
    )
    return (
        f"Return-Path: <sender{number % 97}@example.com>\r\n{received}"
        f"Message-ID: <{number}.4711@example.com>\r\nDate: Mon, 02 Nov 2026 10:00:00 +0100\r\n"
        f"From: =?utf-8?q?J=C3=BCrgen_Sender?= <sender{number % 97}@example.com>\r\n"
        f"To: bench@example.org\r\nSubject: =?utf-8?q?Nachricht_{number}?=\r\n"
        f"MIME-Version: 1.0\r\n{content}"
    ).encode()


def _text(random: Random, size: int) -> str:
    lines, length = [], 0
    while length < size:
        line = " ".join(random.choices(_WORDS, k=10))
        lines.append(line)
        length += len(line)
    body = "\r\n".join(lines)
    return f"Content-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n"


def _encoded(random: Random, size: int) -> str:
    body = base64.encodebytes(random.randbytes(size * 57 // 78)).decode().replace("\n", "\r\n")
    return (
        "Content-Type: application/pdf; name=Anlage.pdf\r\n"
        f"Content-Transfer-Encoding: base64\r\n\r\n{body}"
    )


def fill_maildir(folder: Path, mails: Iterator[bytes]) -> tuple[int, int]:
    """Messages and bytes written. INTERNALDATE is the time in the name: a minute apart, up to
    now."""
    for name in ("cur", "new", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    count = total = 0
    for count, raw in enumerate(mails, 1):
        at = int((_NOW - timedelta(minutes=10_000 - count)).timestamp())
        name = f"{at}.M{count}P1.bench,S={len(raw)},W={len(raw)}:2,S"
        (folder / "cur" / name).write_bytes(raw)
        total += len(raw)
    return count, total
