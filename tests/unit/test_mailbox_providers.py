"""A row for each provider's quirks: the right one is found, and kept to."""

from dataclasses import replace

import pytest

from ablage.mailbox.pace import Pace
from ablage.mailbox.providers import GB, PROVIDERS, provider_of


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("outlook.office365.com", "microsoft365"),
        ("OUTLOOK.office365.com.", "microsoft365"),
        ("imap.mail.yahoo.com", "yahoo"),
        ("imap.aol.com", "yahoo"),
        ("imap.gmail.com", "gmail"),
        ("imap.126.com", "netease"),
        ("imap.strato.de", "other"),
        ("imap.gmail.com.evil.example", "other"),
    ],
)
def test_a_host_finds_its_row(host: str, name: str) -> None:
    assert provider_of(host).name == name


def test_every_row_says_where_it_is_known_from_and_the_last_fits_all() -> None:
    assert all(row.source for row in PROVIDERS)
    assert PROVIDERS[-1].hosts == ("",)
    assert len({row.name for row in PROVIDERS}) == len(PROVIDERS)


def test_microsoft_and_yahoo_get_one_command_at_a_time() -> None:
    assert {row.name: row.depth for row in PROVIDERS if row.depth == 1}.keys() == {
        "microsoft365",
        "yahoo",
    }


def test_gmail_is_left_under_its_daily_limit_with_room_for_mail_programs() -> None:
    assert provider_of("imap.gmail.com").day_bytes <= 1.5 * GB


class Clock:
    def __init__(self, cost: float) -> None:
        self.now = 0.0
        self.cost = cost
        self.begun: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize(("cost", "seconds"), [(0.0, 24.0), (0.1, 24.0), (0.5, 50.0)])
def test_after_a_throttle_four_mails_a_second_are_asked_for(cost: float, seconds: float) -> None:
    rate = provider_of("outlook.office365.com").slow_rate
    clock = Clock(cost)
    pace = replace(Pace(1), per_second=rate, clock=clock, sleep=clock.sleep)

    asked: list[int] = []
    for portion in map(list, pace.portions(range(100))):
        clock.begun += [clock.now] * len(portion)
        asked += portion
        clock.now += cost * len(portion)

    assert rate == 4
    assert asked == list(range(100))
    assert clock.begun[-1] == pytest.approx(seconds - 2 * cost if cost == 0.5 else seconds, abs=1)
    for at in clock.begun:
        assert sum(at <= other < at + 1 for other in clock.begun) <= rate


def test_without_a_throttle_all_are_asked_for_at_once() -> None:
    assert list(Pace().portions(range(1000))) == [range(1000)]
