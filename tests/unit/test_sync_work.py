"""Messages of SyncQueue and BackfillQueue: what is taken, and what is not."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from ablage.tenancy import TenantId
from sync.polls import ACCOUNTS_PER_MESSAGE, Poll
from sync.work import Job, More, work_of

ACME = TenantId("acme")
POLL = Poll(datetime(2026, 11, 20, 10, 5, tzinfo=UTC), 5, ACME, ["a", "b"], 23)


def body(**changes: Any) -> str:
    return json.dumps(POLL.body() | changes)


def test_a_poll_arrives_as_it_was_sent() -> None:
    assert work_of(body()) == POLL
    assert '"minute": "2026-11-20T10:05:00Z"' in body()


def test_jobs_and_leftover_work_arrive() -> None:
    job, more = {"kind": "job", "tenant": "acme", "job": "j"}, {"kind": "more", "tenant": "acme"}

    assert work_of(json.dumps(job)) == Job(ACME, "j")
    assert work_of(json.dumps(job | {"sent": None})) == Job(ACME, "j")
    assert work_of(json.dumps(job | {"sent": 7})) == Job(ACME, "j", 7)
    assert work_of(json.dumps(more | {"account": "a", "sent": 7})) == More(ACME, "a", 7)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        body(kind="other"),
        body(tenant="Not A Tenant"),
        body(tenant=None),
        body(minute="soon"),
        body(minute="2026-11-20T10:05:00"),
        body(minute=5),
        body(second=60),
        body(second=True),
        body(interval="5"),
        body(accounts="a"),
        body(accounts=["a", 1]),
        body(accounts=["a"] * (ACCOUNTS_PER_MESSAGE + 1)),
        json.dumps({"kind": "job", "tenant": "acme"}),
        json.dumps({"kind": "job", "tenant": "acme", "job": "j", "sent": "7"}),
        json.dumps({"kind": "more", "tenant": "acme", "account": "a"}),
    ],
)
def test_what_is_no_work_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        work_of(text)
