"""Webhooks: what an answer means, how long is waited, how a hook stands."""

import pytest

from ablage.events import TYPES
from ablage.webhooks import (
    CODES,
    MOST_STATED,
    WAITS,
    Progress,
    Webhook,
    judged,
    status_of,
    wait_seconds,
)

HOOK = Webhook("h1", "https://kunde.de/")


@pytest.mark.parametrize(
    ("status", "verdict", "code"),
    [
        *((status, "delivered", "") for status in (200, 201, 202, 204, 299)),
        *((status, "outage", "redirected") for status in (300, 301, 302, 303, 307, 308)),
        *((status, "refused", "refused") for status in (400, 401, 403, 404, 409, 422, 451)),
        (410, "gone", "gone"),
        (429, "outage", "throttled"),
        *((status, "outage", "server_error") for status in (500, 502, 503, 504, 599)),
    ],
)
def test_an_answer_is_judged_by_its_status(status: int, verdict: str, code: str) -> None:
    found = judged(status)

    assert (found.verdict, found.code, found.http_status) == (verdict, code, status)
    assert not code or code in CODES


def test_waits_grow_to_four_hours_and_are_jittered_upwards() -> None:
    plain = [wait_seconds(attempts, 0) for attempts in range(1, 12)]

    assert plain == [*WAITS, *[4 * 3600] * 3]
    assert all(
        wait <= wait_seconds(attempts, 0.99) < 1.25 * wait + 1
        for attempts, wait in enumerate(plain, 1)
    )


def test_a_stated_wait_counts_where_it_is_longer_and_up_to_four_hours() -> None:
    assert wait_seconds(1, 0, stated=90) == 90
    assert wait_seconds(5, 0, stated=90) == 1800
    assert wait_seconds(1, 0, stated=10**9) == MOST_STATED


def test_without_types_all_are_heard() -> None:
    some = Webhook("h1", "https://kunde.de/", ("EmailFiled",))

    assert all(HOOK.hears(each) for each in TYPES)
    assert [each for each in TYPES if some.hears(each)] == ["EmailFiled"]


@pytest.mark.parametrize(
    ("wanted", "disabled", "status"),
    [
        ("enabled", "", "enabled"),
        ("enabled", "gone", "disabled"),
        ("paused", "", "paused"),
        ("paused", "failing", "paused"),
    ],
)
def test_a_hook_s_status_is_a_person_s_pause_before_our_switching_off(
    wanted: str, disabled: str, status: str
) -> None:
    hook = Webhook("h1", "https://kunde.de/", status=wanted)

    assert status_of(hook, Progress("", disabled=disabled)) == status
