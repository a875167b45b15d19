"""Thirty days of a virtual clock with a password that is no more: at most five refused logins, in
whatever weather [T16]."""

import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.walks import INFO

from ablage.accounts import NEVER, Account, AccountState
from ablage.faults import TABLE, fault
from sync.account_state import faulty, healthy, waits_until

BEGIN = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
DAYS = 30
TICK = 60  # seconds: the quickest tier
WEATHER = [row.code for row in TABLE if row.kind in ("transient", "throttle")]


def month(
    draw: random.Random, weather: float, account: Account = INFO, state: AccountState | None = None
) -> tuple[AccountState, Counter[str]]:
    """Every tick that is due; a look meets `weather`, or else a server that refuses the login."""
    state, met = state or AccountState("ok"), Counter[str]()
    now = int(BEGIN.timestamp())
    end = now + DAYS * 86400
    while now < end:
        code = draw.choice(WEATHER) if draw.random() < weather else "login_refused"
        met[code] += 1
        at = datetime.fromtimestamp(now, UTC)
        state = faulty(state, account, fault(code), at, draw.random())
        waits = waits_until(state, account)
        now = max(now + TICK, -(-waits // TICK) * TICK)
    return state, met


@pytest.mark.parametrize("seed", range(200))
def test_at_most_five_refused_logins_in_thirty_days(seed: int) -> None:
    draw = random.Random(seed)

    state, met = month(draw, weather=draw.choice([0.0, 0.1, 0.5, 0.9]))

    assert met["login_refused"] == state.refusals <= 5
    assert (state.refusals < 5) or state.not_before == NEVER
    assert sum(met.values()) > 5 or state.refusals == 5


def test_weather_alone_never_stops_it() -> None:
    state, met = month(random.Random(1), weather=1.0)

    assert state.refusals == 0
    assert state.not_before < NEVER
    assert met.total() > DAYS * 24 / 2


def test_a_new_password_has_its_own_five_and_a_good_look_forgives_all() -> None:
    stopped, _ = month(random.Random(1), weather=0.0)
    renewed = replace(INFO, login_version=2)

    again, met = month(random.Random(1), 0.0, renewed, stopped)
    well = healthy(again, (), BEGIN + timedelta(days=DAYS))

    assert met["login_refused"] == 5
    assert (well.refusals, well.not_before, well.code) == (0, 0, None)


def test_throttled_it_connects_at_most_twelve_times_an_hour() -> None:
    """In each of 24 hours, the first with its short waits too [R20]."""
    for seed in range(100):
        draw, now, state, hours = random.Random(seed), 0, AccountState("ok"), Counter[int]()
        while now < 24 * 3600:
            hours[now // 3600] += 1
            at = BEGIN + timedelta(seconds=now)
            state = faulty(state, INFO, fault("throttled"), at, draw.random())
            waits = waits_until(state, INFO) - int(BEGIN.timestamp())
            now = max(now + TICK, -(-waits // TICK) * TICK)
        assert max(hours.values()) <= 12
