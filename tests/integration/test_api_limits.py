"""How much a tenant may ask for and have, and what is counted of it."""

import logging
import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from tests.support.http_events import Client

from ablage.errors import TooMany
from ablage.runs import Run
from ablage.settings import settings
from ablage.store import runs, usage
from ablage.store.storage import acting_for
from ablage.tenancy import TenantId
from api.allowances import Allowances, class_of
from api.routes import OPERATIONS

ACME, OTHER = TenantId("acme"), TenantId("other")
acme, other = Client("acme"), Client("other")
NOW = 1_795_489_200  # a full minute
BY_CLASS = {class_of(known): known for known in OPERATIONS}
SMALL = {"rate_read": 40, "rate_write": 10, "rate_heavy": 2}


def limited(aws):
    return Allowances(aws.table, replace(settings(), **SMALL))


def take(allowances, name, now=NOW, tenant=ACME):
    with acting_for(tenant):
        allowances.take(tenant, BY_CLASS[name], now)


def taken(allowances, name, now=NOW, tenant=ACME):
    """How many requests get in before one is refused."""
    count = 0
    try:
        while count < 1000:
            take(allowances, name, now, tenant)
            count += 1
    except TooMany:
        return count
    return count


@pytest.mark.parametrize(("name", "most"), [("read", 40), ("write", 10), ("heavy", 2)])
def test_each_class_of_route_has_its_limit_a_minute(aws, name, most):
    allowances = limited(aws)

    assert taken(allowances, name, NOW + 7) == most
    assert taken(allowances, name, NOW + 7) == 0
    assert taken(allowances, name, NOW + 60) == most


def test_a_refusal_says_when_the_minute_is_over(aws):
    allowances = limited(aws)
    taken(allowances, "heavy", NOW + 7)

    with pytest.raises(TooMany) as caught:
        take(allowances, "heavy", NOW + 7)

    assert caught.value.retry_after == 53


def test_tenants_and_classes_do_not_share(aws):
    allowances = limited(aws)

    assert taken(allowances, "heavy") == 2
    assert taken(allowances, "heavy", tenant=OTHER) == 2
    assert taken(allowances, "read") == 40


def test_all_functions_of_a_tenant_share_one_limit(aws):
    functions = [limited(aws) for _ in range(4)]

    assert sum(taken(each, "read") for each in functions) == 40


def test_a_limit_is_fetched_in_parts_not_at_each_request(aws):
    calls = []
    aws.table._client.meta.events.register("before-call.dynamodb", lambda **k: calls.append(k))
    allowances = Allowances(aws.table, settings())

    for _ in range(1200):
        take(allowances, "read")

    assert len(calls) <= 2 * 100


def test_the_api_says_when_to_come_back(aws, monkeypatch):
    monkeypatch.setenv("RATE_HEAVY", "1")
    settings.cache_clear()
    sent = [acme("POST", "/v1/explain", {"headers": "From: a@b.de"}) for _ in range(3)]

    refused = sent[-1]
    assert (refused.status, refused.code) == (429, "too_many_requests")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert other("POST", "/v1/explain", {"headers": "From: a@b.de"}).status == 200


def told(allowances, name, now=NOW, tenant=ACME):
    """(remaining, seconds) of the header."""
    found = allowances.headers(tenant, BY_CLASS[name], now)
    most = {"read": 40, "write": 10, "heavy": 2}[name]
    assert found["RateLimit-Policy"] == f'"{name}";q={most};w=60'
    parts = re.fullmatch(rf'"{name}";r=(\d+);t=(\d+)', found["RateLimit"])
    return int(parts[1]), int(parts[2])


@pytest.mark.parametrize(("name", "most"), [("read", 40), ("write", 10), ("heavy", 2)])
def test_what_is_left_is_told_with_each_answer(aws, name, most):
    allowances = limited(aws)
    left = []
    for _ in range(most):
        take(allowances, name, NOW + 7)
        left.append(told(allowances, name, NOW + 7))

    with pytest.raises(TooMany):
        take(allowances, name, NOW + 8)
    refused = told(allowances, name, NOW + 8)
    take(allowances, name, NOW + 60)

    assert left == [(most - number, 53) for number in range(1, most + 1)]
    assert refused == (0, 52)
    assert told(allowances, name, NOW + 60) == (most - 1, 60)


def test_what_other_functions_took_is_told_when_the_next_part_is_fetched(aws):
    one, another = limited(aws), limited(aws)
    take(one, "read")
    for _ in range(9):
        take(another, "read")

    assert told(one, "read")[0] == 39
    take(one, "read")
    assert told(one, "read")[0] == 29


def test_telling_what_is_left_asks_for_nothing(aws):
    allowances = limited(aws)
    take(allowances, "read")
    calls = []
    aws.table._client.meta.events.register("before-call.dynamodb", lambda **k: calls.append(k))

    told(allowances, "read")

    assert calls == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/contacts", None, 200),
        ("GET", "/v1/contacts/nobody", None, 404),
        ("GET", "/v1/contacts?x=1", None, 422),
        ("PUT", "/v1/contacts/c-1", "{", 400),
        ("PUT", "/v1/contacts/c-1", {"x": 1}, 422),
    ],
)
def test_every_answer_behind_the_door_tells_it(aws, method, path, body, status):
    path, _, query = path.partition("?")
    asked = dict([query.split("=")]) if query else None

    answer = acme(method, path, body, query=asked)

    assert answer.status == status
    name = "read" if method == "GET" else "write"
    assert answer.headers["RateLimit"].startswith(f'"{name}";r=')
    denied = Client("acme", "none")(method, path, body, query=asked)
    assert "RateLimit" not in denied.headers


def test_without_its_counter_everybody_gets_in_and_it_is_logged(aws, caplog):
    boto3.client("dynamodb").delete_table(TableName=aws.table.name)

    with caplog.at_level(logging.WARNING):
        take(limited(aws), "read")

    assert "allowance_unread" in caplog.text


def test_a_full_blocklist_says_so_and_has_room_after_a_removal(aws, monkeypatch):
    monkeypatch.setenv("QUOTA_BLOCKLIST", "2")
    settings.cache_clear()
    made = [acme("POST", "/v1/blocklist", {"entry": f"x{n}.de"}) for n in range(2)]

    refused = acme("POST", "/v1/blocklist", {"entry": "x9.de"})

    assert (refused.status, refused.code) == (409, "quota_exceeded")
    assert acme("POST", "/v1/blocklist", {"entry": "x1.de"}).status == 200
    assert other("POST", "/v1/blocklist", {"entry": "x9.de"}).status == 201
    acme("DELETE", f"/v1/blocklist/{made[0].json['id']}")
    acme("DELETE", f"/v1/blocklist/{made[0].json['id']}")
    assert acme("POST", "/v1/blocklist", {"entry": "x9.de"}).status == 201
    assert acme("POST", "/v1/blocklist", {"entry": "x8.de"}).code == "quota_exceeded"


def account(number):
    return {
        "id": f"a{number}", "address": f"a{number}@own.de", "host": "imap.own.de",
        "username": "a", "password": "p",
    }  # fmt: skip


def test_accounts_have_an_end_too(aws, monkeypatch):
    monkeypatch.setenv("QUOTA_ACCOUNTS", "1")
    settings.cache_clear()
    assert acme("POST", "/v1/accounts", account(1)).status == 201

    assert acme("POST", "/v1/accounts", account(2)).code == "quota_exceeded"
    assert acme("POST", "/v1/accounts", account(1)).status == 200
    acme("DELETE", "/v1/accounts/a1")
    assert acme("POST", "/v1/accounts", account(2)).status == 201


def test_mails_are_counted_once_by_day_and_tenant(aws):
    now = int(time.time())
    today = datetime.fromtimestamp(now, UTC).date().isoformat()
    run = Run("f", f"{today}T00:00:01Z", "poll", listed=3, stored=2, bytes=70)

    for _ in range(2):
        runs.write(aws.table, ACME, "anna", run, now)
    runs.write(aws.table, ACME, "anna", replace(run, at=f"{today}T00:05:01Z"), now)
    runs.write(aws.table, OTHER, "anna", run, now)

    shown = acme("GET", "/v1/usage").json
    assert (shown["total"]["mails"], shown["total"]["bytes"]) == (4, 140)
    assert other("GET", "/v1/usage").json["total"]["mails"] == 2


def test_usage_is_told_for_the_days_asked_for(aws):
    for day in range(5):
        usage.add(aws.table, ACME, NOW + day * 86400, mails=1, bytes=10, calls=100)
    first = datetime.fromtimestamp(NOW, UTC).date()

    def days(since, until):
        query = {
            "since": str(first + timedelta(days=since)),
            "until": str(first + timedelta(until)),
        }
        return [day["calls"] for day in acme("GET", "/v1/usage", query=query).json["days"]]

    assert days(0, 4) == [100] * 5
    assert days(1, 2) == [100] * 2
    assert days(9, 12) == []


@pytest.mark.parametrize("until", ["2026-01-01", "2030-01-01"])
def test_a_period_that_is_none_or_too_long_is_refused(aws, until):
    refused = acme("GET", "/v1/usage", query={"since": "2026-11-01", "until": until})

    assert (refused.status, refused.code) == (422, "invalid_period")


@pytest.mark.usefixtures("aws")
def test_the_first_day_there_is_may_be_asked_for():
    shown = acme("GET", "/v1/usage", query={"until": "0001-01-01"})

    assert (shown.status, shown.json["since"]) == (200, "0001-01-01")
