"""The memory of the UIDs a folder showed last."""

from hypothesis import given
from hypothesis import strategies as st

from ablage.store.recent import TEXT_BYTES, UIDS, floor, late, with_shown

UID = st.integers(min_value=1, max_value=2**32 - 1)


@given(st.sets(UID), st.sets(UID, max_size=30))
def test_the_highest_are_remembered_and_the_text_stays_small(
    first: set[int], then: set[int]
) -> None:
    recent = with_shown(with_shown("", first), then)

    lowest = floor(recent)
    assert len(recent) < TEXT_BYTES
    assert lowest is None or {uid for uid in first | then if uid >= lowest} <= shown_in(recent)


@given(st.sets(UID), UID)
def test_late_is_what_was_not_there_below_the_top(uids: set[int], odd: int) -> None:
    recent = with_shown("", uids)
    shown, top = shown_in(recent), max(uids, default=0)

    found = late(recent, sorted(shown | {odd}), top)

    assert found == ([odd] if shown and min(shown) < odd <= top and odd not in shown else [])


def test_a_full_folder_costs_ten_bytes() -> None:
    assert with_shown("", range(1, 5001)) == f"{5001 - UIDS}-5000"
    assert floor("") is None
    assert late("", [1, 2], 9) == []


def shown_in(recent: str) -> set[int]:
    ends = [part.split("-") for part in recent.split(",") if part]
    return {uid for end in ends for uid in range(int(end[0]), int(end[-1]) + 1)}
