"""A zip file written straight into S3, part by part, that can be gone on with in another process.

Entries are stored, not deflated, each with its size and checksum before its bytes: any reader takes
them. What is not yet a part (the tail) and the entries so far are the caller's to keep.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast
from zipfile import ZipFile, ZipInfo

from ablage.errors import Conflict

PART_BYTES = 16 * 1024 * 1024
PARTS = 9_900  # S3 takes 10,000: the directory still has room
_EARLIEST, _LATEST = 1980, 2107  # years a zip can tell
_MODE = 0o644 << 16

Entry = tuple[str, int, int, int, str]  # name, size, CRC-32, offset, time
PutPart = Callable[[int, bytes], str]  # number from 1, bytes -> ETag


@dataclass
class PartedZip:
    """`parts` are ETags in order, `offset` counts every byte so far, `tail` those of no part."""

    put_part: PutPart
    parts: list[str]
    offset: int
    tail: bytearray
    part_bytes: int = PART_BYTES

    def add(self, name: str, data: bytes, time: str) -> Entry:
        """`time` is RFC 3339 UTC. Raises Conflict `export_too_large`."""
        if len(self.parts) >= PARTS:
            detail = "An export has at most 150 GB; ask for a shorter time, with since and until."
            raise Conflict("export_too_large", detail)
        entry = (name, len(data), zlib.crc32(data), self.offset, time)
        self.write(_info(entry).FileHeader())
        self.write(data)
        return entry

    def add_lines(self, name: str, lines: Callable[[], Iterable[bytes]], time: str) -> Entry:
        """The lines are made twice, for their size stands before them."""
        size, checksum, start = 0, 0, self.offset
        for line in lines():
            size, checksum = size + len(line), zlib.crc32(line, checksum)
        entry = (name, size, checksum, start, time)
        self.write(_info(entry).FileHeader())
        for line in lines():
            self.write(line)
        return entry

    def finish(self, entries: Callable[[], Iterable[Entry]], count: int) -> None:
        """The directory, read entry by entry, and the last part."""
        archive = ZipFile(cast("Any", self), "w")
        archive.filelist = cast("list[ZipInfo]", _Directory(entries, count))
        archive.close()
        if self.tail:
            self._put(bytes(self.tail))
            self.tail.clear()

    # ---- as zipfile asks of a file that cannot seek ----

    def write(self, data: bytes) -> int:
        left = memoryview(data)
        while left:
            room = self.part_bytes - len(self.tail)
            self.tail += left[:room]
            left = left[room:]
            if len(self.tail) == self.part_bytes:
                self._put(bytes(self.tail))
                self.tail.clear()
        self.offset += len(data)
        return len(data)

    def tell(self) -> int:
        return self.offset

    def flush(self) -> None:
        """Nothing waits but the tail."""

    def _put(self, data: bytes) -> None:
        self.parts.append(self.put_part(len(self.parts) + 1, data))


class _Directory:
    """As a list of ZipInfo, made one by one."""

    def __init__(self, entries: Callable[[], Iterable[Entry]], count: int) -> None:
        self._entries, self._count = entries, count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[ZipInfo]:
        return map(_info, self._entries())


def _info(entry: Entry) -> ZipInfo:
    name, size, checksum, offset, time = entry
    year = min(max(int(time[:4]), _EARLIEST), _LATEST)
    rest = (int(time[5:7]), int(time[8:10]), int(time[11:13]), int(time[14:16]), int(time[17:19]))
    info = ZipInfo(name, (year, *rest))
    info.file_size = info.compress_size = size
    info.CRC, info.header_offset, info.external_attr = checksum, offset, _MODE
    return info
