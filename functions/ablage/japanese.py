"""ISO-2022-JP as mailers write it: with the NEC and IBM characters that Python's codec refuses."""

import re

_SEGMENT = re.compile(rb"\x1b(\$[@B]|\([BJI])([^\x1b]*)")


def decode_japanese(data: bytes) -> str:
    """The text; what is no character is a replacement. Never raises."""
    try:
        return data.decode("iso2022_jp")
    except UnicodeDecodeError:
        shifted = _SEGMENT.sub(_as_shift_jis, data)
        return shifted.replace(b"\x1b", b"").decode("cp932", "replace")


def _as_shift_jis(segment: re.Match[bytes]) -> bytes:
    charset, codes = segment[1], segment[2]
    if charset == b"(I":
        return bytes(code | 0x80 for code in codes)  # half-width katakana
    if charset[:1] == b"(":
        return codes
    pairs = zip(codes[::2], codes[1::2], strict=False)
    return b"".join(_pair(row, cell) for row, cell in pairs)


def _pair(row: int, cell: int) -> bytes:
    """JIS X 0208 row and cell -> Shift_JIS (JIS X 0208:1997, appendix 1)."""
    lead = ((row - 0x21) >> 1) + (0x81 if row < 0x5F else 0xC1)
    trail = cell + ((0x1F if cell < 0x60 else 0x20) if row & 1 else 0x7E)
    return bytes((lead & 0xFF, trail & 0xFF))
