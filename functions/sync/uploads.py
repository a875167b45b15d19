"""Mails on their way to the raw bucket: side by side, behind a queue bounded in bytes.

The session's thread reads and puts; the queue full, it waits, the socket fills, and TCP stops the
server. A mail is settled when S3 has it; only then may a cursor pass it."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Condition
from typing import TypeVar

from ablage.mailbox.pull import Fetched
from ablage.mailbox.wire import Stream
from ablage.store.multipart import Multipart, Part
from ablage.store.raw_mail import RawKey, RawMail, RawMetadata

THREADS = 64  # messages a second x seconds of a PUT [imap-sync section 1]
QUEUE_BYTES = 12 * 1024 * 1024  # of all sessions of a process

T = TypeVar("T")


class Uploads:
    """A process's threads for uploads, begun as they are needed."""

    def __init__(self, threads: int = THREADS, queue_bytes: int = QUEUE_BYTES) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="upload")
        self._room = Condition()
        self._used = 0
        self._queue_bytes = queue_bytes

    def submit(self, size: int, work: Callable[[], T]) -> Future[T]:
        """Waits while the queue is full. One larger than the queue goes up alone."""
        with self._room:
            while self._used and self._used + size > self._queue_bytes:
                self._room.wait()
            self._used += size
        return self._pool.submit(self._run, size, work)

    def _run(self, size: int, work: Callable[[], T]) -> T:
        try:
            return work()
        finally:
            with self._room:
                self._used -= size
                self._room.notify_all()

    def close(self) -> None:
        self._pool.shutdown()


@dataclass(frozen=True)
class Settled:
    """In the bucket; `is_new` unless it was there before."""

    uid: int
    size: int
    is_new: bool


Outcome = tuple[int, int, "Future[bool]"]  # UID, size


class Deposit:
    """The mails of one folder. `describe` gives a mail's key and metadata; `note` hears of each UID
    that is settled; `over` as `RawMail.put`."""

    def __init__(
        self,
        uploads: Uploads,
        raw: RawMail,
        describe: Callable[[Fetched], tuple[RawKey, RawMetadata]],
        note: Callable[[int], None] | None = None,
        over: str = "",
    ) -> None:
        self._uploads = uploads
        self._raw = raw
        self._describe = describe
        self._settle = note
        self._over = over
        self._outcomes: SimpleQueue[Outcome] = SimpleQueue()
        self.underway = 0

    def put(self, mail: Fetched) -> None:
        """Waits for room; a stream is read to its end. Raises AccountFault when its session broke
        before that: then nothing of it is kept."""
        key, metadata = self._describe(mail)
        body = mail.body
        if isinstance(body, Stream):
            self._put_stream(mail.uid, body, key, metadata)
        else:
            future = self._uploads.submit(mail.size, lambda: self._put(key, body, metadata))
            self._note(mail.uid, mail.size, future)

    def _put(self, key: RawKey, body: bytes, metadata: RawMetadata) -> bool:
        return self._raw.put(key, body, metadata, self._over)

    def settled(self, *, wait: bool = False) -> list[Settled]:
        """Since the last time; with `wait` at least one of what is underway. Raises what an upload
        raised."""
        found: list[Settled] = []
        while self.underway and (not self._outcomes.empty() or (wait and not found)):
            uid, size, future = self._outcomes.get()
            self.underway -= 1
            found.append(Settled(uid, size, future.result()))
            if self._settle:
                self._settle(uid)
        return found

    def abandon(self) -> None:
        """Wait for what is underway, whatever becomes of it: nothing goes on behind our back."""
        while self.underway:
            self._outcomes.get()
            self.underway -= 1

    def _note(self, uid: int, size: int, future: "Future[bool]") -> None:
        self.underway += 1
        future.add_done_callback(lambda done: self._outcomes.put((uid, size, done)))

    def _put_stream(self, uid: int, body: Stream, key: RawKey, metadata: RawMetadata) -> None:
        """Its parts go up while the next ones are read."""
        parts: list[Future[Part]] = []
        with self._raw.multipart(key, metadata) as upload:
            try:
                for number, piece in enumerate(body, 1):
                    parts.append(self._uploads.submit(len(piece), _part(upload, number, piece)))
            finally:
                wait(parts)  # a part that comes after the upload was aborted would stay for ever
            is_new = upload.complete([part.result() for part in parts], self._over)
        done: Future[bool] = Future()
        done.set_result(is_new)
        self._note(uid, body.size, done)


def _part(upload: Multipart, number: int, piece: bytes) -> Callable[[], Part]:
    return lambda: upload.put(number, piece)
