"""Mails on their way to the raw bucket: side by side, bounded in number and bytes.

The session's thread does it all: it starts a PUT for each mail it has read, and while it waits for
the mail server, PUTs go on. With no room left it waits for one of its own, the socket fills, and
TCP stops the server. A mail is settled when S3 has it; only then may a cursor pass it."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import TypeVar

from ablage.mailbox.pull import Fetched
from ablage.mailbox.session import Session
from ablage.mailbox.syntax import Stream
from ablage.store.multipart import Multipart, Part
from ablage.store.quick_put import Outcome, stored
from ablage.store.raw_mail import RawKey, RawMail, RawMetadata

PUTS = 256  # underway in a process: messages a second x seconds of a PUT [imap-sync section 1]
QUEUE_BYTES = 12 * 1024 * 1024  # of all sessions of a process
THREADS = 8  # for what waits by itself: parts of large mails, commits

T = TypeVar("T")


class Uploads:
    """The room all sessions of a process share, and its threads, begun as they are needed."""

    def __init__(self, puts: int = PUTS, queue_bytes: int = QUEUE_BYTES) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="upload")
        self._lock = Lock()
        self._count = self._used = 0
        self._puts, self._queue_bytes = puts, queue_bytes

    def take(self, size: int, *, is_alone: bool) -> bool:
        """Whether there was room. A session that has nothing underway goes on with one, or it might
        wait for another for ever."""
        with self._lock:
            is_full = self._count >= self._puts or self._used + size > self._queue_bytes
            if is_full and not is_alone:
                return False
            self._count += 1
            self._used += size
            return True

    def give(self, size: int, count: int = 1) -> None:
        with self._lock:
            self._count -= count
            self._used -= size

    def submit(self, work: Callable[[], T]) -> Future[T]:
        return self._pool.submit(work)

    def close(self) -> None:
        self._pool.shutdown()


@dataclass(frozen=True)
class Settled:
    """In the bucket; `is_new` unless it was there before."""

    uid: int
    size: int
    is_new: bool


class Deposit:
    """The mails of one folder, read in `session`. `describe` gives a mail's key and metadata;
    `note` hears of each UID that is settled; `over` as `RawMail.put`."""

    def __init__(
        self,
        uploads: Uploads,
        raw: RawMail,
        session: Session,
        describe: Callable[[Fetched], tuple[RawKey, RawMetadata]],
        *,
        note: Callable[[int], None] | None = None,
        over: bool = False,
    ) -> None:
        self._uploads = uploads
        self._raw = raw
        self._describe = describe
        self._settle = note
        self._over = over
        self._puts = raw.puts()
        self._parts: list[Future[Part]] = []
        self._held: dict[int, int] = {}  # bytes by UID
        self._outcomes: deque[tuple[int, int, Outcome]] = deque()  # UID, size
        session.mailbox.client.meanwhile(self._puts.until)

    @property
    def underway(self) -> int:
        return len(self._held) + len(self._outcomes)

    @property
    def unsent(self) -> int:
        """Bytes that S3 would not get if the process ended now."""
        return self._puts.unsent

    def put(self, mail: Fetched) -> None:
        """Waits for room; a stream is read to its end. Raises AccountFault when its session broke
        before that: then nothing of it is kept."""
        key, metadata = self._describe(mail)
        uid, size, body = mail.uid, mail.size, mail.body
        if isinstance(body, Stream):
            is_new = self._put_stream(body, key, metadata)
            self._outcomes.append((uid, body.size, is_new))
            return
        self._make_room(size)
        self._held[uid] = size
        then = partial(self._end, uid)
        self._raw.start(self._puts, key, body, metadata, then, over=self._over)

    def _end(self, uid: int, outcome: Outcome) -> None:
        size = self._held.pop(uid)
        self._uploads.give(size)
        self._outcomes.append((uid, size, outcome))

    def settled(self, *, wait: bool = False) -> list[Settled]:
        """Since the last time; with `wait` at least one of what is underway. Raises what an upload
        raised."""
        while wait and self._held and not self._outcomes:
            self._puts.pump()
        found: list[Settled] = []
        while self._outcomes:
            uid, size, outcome = self._outcomes.popleft()
            found.append(Settled(uid, size, stored(outcome)))
            if self._settle:
                self._settle(uid)
        return found

    def abandon(self) -> None:
        """Wait for what is on its way, whatever becomes of it: nothing goes on behind our back."""
        try:
            self._puts.abandon()
        finally:
            self._uploads.give(sum(self._held.values()), len(self._held))
            self._held.clear()
            self._outcomes.clear()

    def _make_room(self, size: int) -> None:
        while not self._uploads.take(size, is_alone=not (self._held or self._open_parts())):
            if self._held:
                self._puts.pump()
            else:
                wait(self._open_parts(), return_when=FIRST_COMPLETED)

    def _open_parts(self) -> list[Future[Part]]:
        return [part for part in self._parts if not part.done()]

    def _put_stream(self, body: Stream, key: RawKey, metadata: RawMetadata) -> bool:
        """Its parts go up while the next ones are read."""
        self._parts = parts = []
        with self._raw.multipart(key, metadata) as upload:
            try:
                for number, piece in enumerate(body, 1):
                    self._make_room(len(piece))
                    parts.append(self._uploads.submit(self._part(upload, number, piece)))
            finally:
                wait(parts)  # a part that comes after the upload was aborted would stay for ever
            return upload.complete([part.result() for part in parts], over=self._over)

    def _part(self, upload: Multipart, number: int, piece: bytes) -> Callable[[], Part]:
        def put() -> Part:
            try:
                return upload.put(number, piece)
            finally:
                self._uploads.give(len(piece))

        return put
