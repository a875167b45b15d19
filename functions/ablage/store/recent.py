"""The UIDs a folder showed last, as `3-7,9`: some servers show a mail only after one with a higher
UID [mailcore2#1256]."""

from collections.abc import Iterable, Sequence

UIDS = 200
TEXT_BYTES = 500  # in the cursor's item


def with_shown(recent: str, uids: Iterable[int]) -> str:
    """The highest of both, as many as fit."""
    text = ""
    for low, high in _ranges(sorted({*_uids(recent), *uids})[-UIDS:])[::-1]:
        part = str(low) if low == high else f"{low}-{high}"
        if len(part) + len(text) >= TEXT_BYTES:
            break
        text = f"{part},{text}" if text else part
    return text


def floor(recent: str) -> int | None:
    """What lies above it is known: shown, or not there. None while nothing is."""
    return min(_uids(recent), default=0) or None


def late(recent: str, uids: Sequence[int], top: int) -> list[int]:
    """Of `uids` those up to `top` that were not there before."""
    shown = _uids(recent)
    return [uid for uid in uids if min(shown, default=top) < uid <= top and uid not in shown]


def _uids(recent: str) -> set[int]:
    pairs = (part.partition("-") for part in recent.split(",") if part)
    return {uid for low, _, high in pairs for uid in range(int(low), int(high or low) + 1)}


def _ranges(uids: Sequence[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for uid in uids:
        if found and found[-1][1] == uid - 1:
            found[-1] = found[-1][0], uid
        else:
            found.append((uid, uid))
    return found
