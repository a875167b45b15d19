"""A zip in parts: any reader takes it, however often its making was interrupted, however large."""

import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from ablage.errors import Conflict
from ablage.store.parted_zip import PARTS, PartedZip

TIME = "2026-11-20T10:00:01Z"
MAILS = {f"messages/{n}.eml": bytes([65 + n]) * (n * 700) for n in range(9)}


class Target:
    """Where parts go: each at its place, put again over what was there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.parts: dict[int, bytes] = {}

    def put(self, number: int, data: bytes) -> str:
        self.parts[number] = data
        return f"etag-{number}"

    def joined(self) -> Path:
        self.path.write_bytes(b"".join(self.parts[n] for n in sorted(self.parts)))
        return self.path


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return Target(tmp_path / "export.zip")


def unzipped(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("part_bytes", [7, 1000, 1 << 20])
def test_what_was_added_comes_out_again(target: Target, part_bytes: int) -> None:
    zip_ = PartedZip(target.put, [], 0, bytearray(), part_bytes)
    entries = [zip_.add(name, data, TIME) for name, data in MAILS.items()]
    entries.append(zip_.add_lines("SUMS", lambda: [b"one\n", b"two\n"], TIME))

    zip_.finish(lambda: entries, len(entries))

    assert unzipped(target.joined()) == MAILS | {"SUMS": b"one\ntwo\n"}
    assert {len(target.parts[n]) for n in list(target.parts)[:-1]} <= {part_bytes}


def test_it_goes_on_where_another_process_left_it(target: Target) -> None:
    entries = []
    kept: tuple[list[str], int, bytes] = ([], 0, b"")
    for name, data in MAILS.items():
        parts, offset, tail = kept
        killed = PartedZip(target.put, list(parts), offset, bytearray(tail), 1000)
        killed.add("never kept", b"x" * 5000, TIME)
        zip_ = PartedZip(target.put, list(parts), offset, bytearray(tail), 1000)
        entries.append(zip_.add(name, data, TIME))
        kept = (zip_.parts, zip_.offset, bytes(zip_.tail))

    zip_.finish(lambda: entries, len(entries))

    target.parts = {n: target.parts[n] for n in range(1, len(zip_.parts) + 1)}
    assert unzipped(target.joined()) == MAILS


def test_sizes_stand_before_the_bytes_so_that_a_stream_can_be_read(target: Target) -> None:
    zip_ = PartedZip(target.put, [], 0, bytearray())
    entry = zip_.add("a.eml", b"mail", TIME)
    zip_.finish(lambda: [entry], 1)

    with zipfile.ZipFile(target.joined()) as archive:
        (info,) = archive.infolist()

    assert (info.compress_type, info.flag_bits & 0x08) == (zipfile.ZIP_STORED, 0)
    assert info.date_time == (2026, 11, 20, 10, 0, 0)  # a zip counts seconds by two


def test_beyond_four_gigabytes_it_is_a_zip64(tmp_path: Path) -> None:
    path, far = tmp_path / "far.zip", 5 << 30
    with path.open("wb") as file:

        def put(number: int, data: bytes) -> str:
            file.write(data)
            return str(number)

        near = PartedZip(put, [], 0, bytearray(), 1)
        first = near.add("near.eml", b"near", TIME)
        file.seek(far)  # a hole: nothing of it is on the disk
        zip_ = PartedZip(put, [], far, bytearray())
        second = zip_.add("far.eml", b"far", TIME)
        zip_.finish(lambda: [first, second], 2)

    with zipfile.ZipFile(path) as archive:
        assert {n: archive.read(n) for n in archive.namelist()} == {
            "near.eml": b"near", "far.eml": b"far",
        }  # fmt: skip


@pytest.mark.skipif(not shutil.which("unzip"), reason="needs unzip")
def test_other_tools_read_it(target: Target) -> None:
    zip_ = PartedZip(target.put, [], 0, bytearray(), 1000)
    entries = [zip_.add(name, data, TIME) for name, data in MAILS.items()]
    zip_.finish(lambda: entries, len(entries))

    tested = subprocess.run(["unzip", "-tq", target.joined()], capture_output=True, check=False)

    assert tested.returncode == 0, tested.stdout


def test_more_parts_than_an_object_takes_are_refused(target: Target) -> None:
    zip_ = PartedZip(target.put, ["etag"] * PARTS, 0, bytearray())

    with pytest.raises(Conflict) as refused:
        zip_.add("a.eml", b"mail", TIME)

    assert refused.value.code == "export_too_large"
