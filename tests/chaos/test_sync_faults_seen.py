"""The oracle finds defects: workers made wrong on purpose, at the seams of storage and network."""

import re
import time
from collections import Counter
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
from tests.support.aws import fresh_aws
from tests.support.scripted_imap import Asked, ScriptedSocket
from tests.support.sync_chaos import Disguise, Run

from ablage.store.aws import client
from ablage.store.quick_put import Puts
from ablage.store.raw_mail import RawKey, RawMail
from ablage.store.storage import storage
from sync.tools import Tools

SEEDS = 60
_BODY = re.compile(rb"(.*)UID \d+( .*BODY\[\] )\{(\d+)\}\r\n(.*)\Z", re.DOTALL)


class WritesBehind(RawMail):
    """Says stored when it is not: a cursor before S3."""

    _held: list[tuple[Any, ...]]

    def start(self, puts: Puts, *args: Any, over: bool = False) -> None:
        *what, then = args
        held, self._held = getattr(self, "_held", []), [(*what, lambda _: None)]
        for each in held:
            super().start(puts, *each, over=over)
        then(True)


class OneFolder(RawMail):
    """A key without the folder in it: equal UIDs of two folders are one."""

    def start(self, puts: Puts, key: RawKey, *args: Any, over: bool = False) -> None:
        super().start(puts, replace(key, folder_id="0" * 16), *args, over=over)


def keeping(kind: type[RawMail]) -> Disguise:
    def disguise(tools: Tools) -> Tools:
        raw = kind(client("s3"), tools.storage.raw.bucket)
        return replace(tools, storage=replace(tools.storage, raw=raw))

    return disguise


class TakesSilenceForDeletion(ScriptedSocket):
    """What was listed and did not come counts as done: a cursor over the SEARCH result."""

    def as_seen(self, asked: Asked, parts: list[bytes]) -> list[bytes]:
        is_question = asked.name == b"UID SEARCH" and b"*" not in asked.text
        return [b"* SEARCH\r\n"] if is_question else parts


class PairsBlindly(ScriptedSocket):
    """The first body belongs to the first UID asked for, whatever the answer says."""

    def as_seen(self, asked: Asked, parts: list[bytes]) -> list[bytes]:
        bodies = [part for part in parts if b"BODY[] {" in part] if asked.is_body else []
        if not bodies:
            return parts
        found = [_BODY.match(body) for body in bodies]
        return [
            b"%bUID %d%b{%b}\r\n%b" % (match[1], uid, match[2], match[3], match[4])
            for match, uid in zip(found, asked.uids, strict=False)
            if match
        ]


class TrustsSizes(ScriptedSocket):
    """As many bytes as RFC822.SIZE says."""

    def as_seen(self, asked: Asked, parts: list[bytes]) -> list[bytes]:
        if not asked.is_body or not asked.folder:
            return parts
        return [self._cut(asked, part) for part in parts]

    def _cut(self, asked: Asked, part: bytes) -> bytes:
        match = _BODY.match(part)
        told = re.search(rb"RFC822.SIZE (\d+)", part)
        if not match or not told or int(told[1]) >= int(match[3]):
            return part
        size, tail = int(told[1]), match[4][int(match[3]) :]
        start = part[: part.index(b"BODY[]")]
        return b"%bBODY[] {%d}\r\n%b%b" % (start, size, match[4][:size], tail)


def as_usual(tools: Tools) -> Tools:
    return tools


@pytest.mark.parametrize(
    ("disguise", "socket", "found"),
    [
        (keeping(WritesBehind), ScriptedSocket, "cursor ahead of S3"),
        (keeping(OneFolder), ScriptedSocket, "mis-keyed"),
        (as_usual, TakesSilenceForDeletion, "lost"),
        (as_usual, PairsBlindly, "mis-keyed"),
        (as_usual, TrustsSizes, "mis-keyed"),
    ],
)
def test_a_defect_is_found(disguise: Disguise, socket: type[ScriptedSocket], found: str) -> None:
    broken: Counter[str] = Counter()
    with fresh_aws(), mock.patch.object(time, "sleep"):
        for seed in range(SEEDS):
            run = Run(storage(), seed, disguise, socket, eager=True)
            run.to_the_end()
            broken += run.broken
            if broken[found]:
                break

    assert broken[found]
