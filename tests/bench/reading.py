"""CPU of reading headers and whole mails as a ratio to the standard library's, in one run; peak
memory of a big mail and a small one, each in a process of its own."""

import email
import email.parser
import email.policy
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.support.corpus import corpus_files, read_corpus

from ablage.headers import read_headers
from ablage.mail import read_mail

RATIO_LIMIT = 1.0
MEMORY_LIMIT_MB = 128
BIG, SMALL = 25 * 1024 * 1024, 8 * 1024
NO_CORPUS = {"skipped": "no mail corpus: set MAIL_CORPUS to its folder"}
_HEAD = (
    b"From: Max Kunde <max@kunde.example>\r\nTo: Anna Own <anna@own.example>\r\n"
    b"Subject: Offer\r\nMessage-ID: <1@kunde.example>\r\nMIME-Version: 1.0\r\n"
)
_MULTIPART = _HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
_ATTACHED = b"Content-Type: %s\r\nContent-Disposition: attachment; filename=a\r\n"
BODIES = {
    "text": (_HEAD + b"\r\n", b"x" * 70 + b"\r\n", b""),
    "html": (_HEAD + b"Content-Type: text/html\r\n\r\n", b"<p>Hello</p>\r\n", b""),
    "bare CRs": ((_HEAD + b"\r\n").replace(b"\r\n", b"\r"), b"x" * 70 + b"\r", b""),
    "quoted-printable": (
        _HEAD + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n",
        b"blank at its end \r\n",
        b"",
    ),
    "attachment": (
        _MULTIPART + _ATTACHED % b"application/pdf" + b"Content-Transfer-Encoding: base64\r\n\r\n",
        b"eHh4" * 19 + b"\r\n",
        b"--b--\r\n",
    ),
    "attached mail": (
        _MULTIPART + _ATTACHED % b"message/rfc822" + b"\r\n" + _HEAD + b"\r\n",
        b"x" * 70 + b"\r\n",
        b"--b--\r\n",
    ),
}


def headers_to_peer() -> dict[str, Any]:
    """All headers of the corpus, to `email`'s quickest way: compat32, headers only."""
    mails = [read_corpus(name) for name in corpus_files()]
    if not mails:
        return NO_CORPUS
    peer = email.parser.BytesHeaderParser(policy=email.policy.compat32).parsebytes
    return _ratio(read_headers, peer, mails) | {"ratio_limit": RATIO_LIMIT, "mails": len(mails)}


def mails_to_peer(mails: Sequence[bytes]) -> dict[str, Any]:
    """Our whole reading of a mail, to the modern parser on headers and text alone."""

    def peer(raw: bytes) -> None:
        message = email.message_from_bytes(raw, policy=email.policy.default)
        _ = [str(message[name]) for name in ("From", "To", "Subject", "Date", "Message-ID")]
        _ = message.get_content()

    return _ratio(read_mail, peer, mails)


def _ratio(
    ours: Callable[[bytes], object], theirs: Callable[[bytes], object], mails: Sequence[bytes]
) -> dict[str, Any]:
    """Milliseconds of CPU per mail, the best of seven rounds taken in turns."""
    rounds = [(_cpu(ours, mails), _cpu(theirs, mails)) for _ in range(7)]
    mine, peer = (min(times) for times in zip(*rounds, strict=True))
    return {"ours_ms": mine, "peer_ms": peer, "ratio": mine / peer}


def _cpu(work: Callable[[bytes], object], mails: Sequence[bytes]) -> float:
    started = time.process_time()
    for raw in mails:
        work(raw)
    return (time.process_time() - started) * 1000 / len(mails)


def memory() -> dict[str, Any]:
    """Peak RSS in MB over that of a mail of 8 KB, by what fills the 25 MB."""
    small = _peak_mb("text", SMALL)
    above = {kind: _peak_mb(kind, BIG) - small for kind in BODIES}
    return {
        "small_mb": small,
        "big_above_small_mb": above,
        "worst_mb": max(above.values()),
        "limit_mb": MEMORY_LIMIT_MB,
    }


def _peak_mb(kind: str, size: int) -> float:
    run = [sys.executable, "-m", "tests.bench.reading", kind, str(size)]
    return float(subprocess.run(run, capture_output=True, check=True, text=True).stdout)


def _read_one(kind: str, size: int) -> None:
    head, line, tail = BODIES[kind]
    read_mail(b"".join([head, line * (size // len(line)), tail]))
    print(_own_peak_mb())


def _own_peak_mb() -> float:
    """On Linux `ru_maxrss` begins with the peak of the process that forked this one."""
    status = Path("/proc/self/status")
    if status.is_file():
        lines = status.read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("VmHWM:"))) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024)  # macOS: bytes


if __name__ == "__main__":
    _read_one(sys.argv[1], int(sys.argv[2]))
