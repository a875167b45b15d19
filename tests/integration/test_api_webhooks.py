"""Webhooks through the API: made, shown, changed, asked for. What is sent has tests of its own."""

import base64
import json
import time
from dataclasses import replace
from typing import get_args

import pytest
from tests.support.api_world import queued
from tests.support.http_events import Client
from tests.support.told import hold_to_schema
from tests.support.webhooks import AT, URL, stored_delivery, stored_webhook

from ablage.events import TYPES
from ablage.settings import settings
from ablage.store import keys, webhook_deliveries, webhooks
from ablage.store.aws import client
from ablage.store.feed import moment
from ablage.tenancy import TenantId
from ablage.webhooks import CODES, FAILED, Failure, Progress
from api.webhook_schemas import EventType, WebhookView

ACME = TenantId("acme")
acme, other = Client("acme"), Client("other")
HOOKS = "/v1/webhooks"
HOUR = 3600


def made(who=acme, headers=None, **more):
    answer = who("POST", HOOKS, {"url": URL, **more}, headers=headers)
    assert answer.status == 201, answer.text
    return answer.json


def stands(aws, tenant=ACME, webhook_id="wh-1"):
    return webhooks.get(aws.table, tenant, webhook_id)


def progressed(aws, **changes):
    """As the webhook function leaves it."""
    held, lease = webhooks.claim(aws.table, stands(aws), 1000)
    now = replace(held, progress=replace(held.progress, **changes))
    webhooks.release(aws.table, now, lease, 0)


def opened(aws, webhook_id, name="sealed", tenant=ACME):
    item = aws.table.get(keys.webhook_secret(tenant, webhook_id), consistent=True)
    context = {"tenant": tenant, "account": f"@webhook-{webhook_id}", "kind": "webhook"}
    kms = client("kms")
    return kms.decrypt(CiphertextBlob=item[name], EncryptionContext=context)["Plaintext"].decode()


def asks_of_queue():
    return [json.loads(text) for text in queued().splitlines() if '"webhook"' in text]


# ---- making --------------------------------------------------------------------------------------


def test_a_webhook_is_made_with_a_secret_that_is_shown_once(aws):
    shown = made(types=["EmailUnfiled", "EmailFiled"], description="the shop")

    secret = shown.pop("secret")
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    assert opened(aws, shown["id"]) == secret
    assert acme("GET", f"{HOOKS}/{shown['id']}").json == shown
    assert acme("GET", HOOKS).json == {"items": [shown], "next": None}
    assert secret not in acme("GET", HOOKS).text
    assert (shown["types"], shown["description"], shown["status"], shown["version"]) == (
        ["EmailFiled", "EmailUnfiled"],
        "the shop",
        "enabled",
        1,
    )


def test_it_hears_of_what_happens_from_now_on(aws):
    before = moment(int(time.time() * 1000))

    shown = made()

    hook = stands(aws, webhook_id=shown["id"])
    assert before <= hook.progress.position <= moment(int(time.time() * 1000))
    assert shown["types"] is None
    assert hook.config.hears("JobFinished")


def test_a_repeat_by_its_key_makes_no_second_one_and_shows_no_secret(aws):
    key = {"idempotency-key": "k-1"}
    first = acme("POST", HOOKS, {"url": URL}, headers=key)

    again = acme("POST", HOOKS, {"url": URL}, headers=key)

    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json == first.json | {"secret": None}
    assert again.headers["ETag"] == first.headers["ETag"] == '"1"'
    assert len(acme("GET", HOOKS).json["items"]) == 1
    secret = first.json["secret"].encode()
    rows = aws.table._client.scan(TableName=aws.table.name)["Items"]
    assert rows
    assert secret not in str(rows).encode()


@pytest.mark.parametrize(
    "url",
    [
        "http://crm.example/x",
        "https://crm.example:8443/x",
        "https://anna:pw@crm.example/",
        "https://crm.example/#x",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://[::1]/",
        "https://localhost/",
        "https://crm.example\\@evil.example/",
        "https://crm.example/\r\nX: y",
        "ftp://crm.example/",
        "crm.example",
        "",
    ],
)
def test_what_is_no_public_https_url_is_refused(aws, url):
    stored_webhook(ACME, "wh-1")

    for refused in (
        acme("POST", HOOKS, {"url": url}),
        acme("PATCH", f"{HOOKS}/wh-1", {"url": url}),
    ):
        assert (refused.status, refused.code) == (422, "invalid_webhook_url")
        assert refused.json["errors"][0]["pointer"] == "/url"
    assert [hook.config.url for hook in webhooks.listed(aws.table, ACME)] == [URL]


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"types": []}, "/types"),
        ({"types": ["Test"]}, "/types/0"),
        ({"types": ["EmailFiled", "Nonsense"]}, "/types/1"),
        ({"description": "x" * 201}, "/description"),
        ({"secret": "whsec_mine"}, "/secret"),
        ({"url": "https://crm.example/" + "x" * 2000}, "/url"),
    ],
)
def test_a_field_that_does_not_fit_is_named(body, pointer):
    refused = acme("POST", HOOKS, {"url": URL} | body)

    assert (refused.status, refused.code) == (422, "invalid_request")
    assert refused.json["errors"][0]["pointer"] == pointer


def test_a_tenant_has_so_many_and_room_again_after_a_removal(aws, monkeypatch):
    monkeypatch.setenv("QUOTA_WEBHOOKS", "2")
    settings.cache_clear()
    first, _ = made(), made()

    refused = acme("POST", HOOKS, {"url": URL})

    assert (refused.status, refused.code) == (409, "quota_exceeded")
    assert made(other)["version"] == 1
    assert acme("DELETE", f"{HOOKS}/{first['id']}").status == 204
    assert made()["id"] != first["id"]


def test_nothing_of_it_is_for_tokens_that_do_not_see_every_mailbox(aws):
    stored_webhook(ACME, "wh-1")
    before = stands(aws)
    user = Client("acme", "read file manage", subject="eve")

    for method, path, body in (
        ("POST", HOOKS, {"url": URL}),
        ("GET", HOOKS, None),
        ("GET", f"{HOOKS}/wh-1", None),
        ("PATCH", f"{HOOKS}/wh-1", {"url": "https://evil.example/"}),
        ("DELETE", f"{HOOKS}/wh-1", None),
        ("POST", f"{HOOKS}/wh-1/secret", None),
        ("POST", f"{HOOKS}/wh-1/test", None),
        ("GET", f"{HOOKS}/wh-1/deliveries", None),
        ("POST", f"{HOOKS}/wh-1/replay", {"since": AT}),
    ):
        refused = user(method, path, body)
        assert (refused.status, refused.code) == (403, "insufficient_scope"), path
        assert "mailboxes:all" in refused.json["detail"]
    assert stands(aws) == before
    assert queued() == ""


# ---- how it goes ---------------------------------------------------------------------------------


def test_a_webhook_that_goes_well_says_so(aws):
    stored_webhook(ACME, "wh-1")
    progressed(aws, last_success_at=1_795_000_000)

    shown = acme("GET", f"{HOOKS}/wh-1").json

    assert shown["last_success_at"] == "2026-11-18T11:06:40Z"
    assert {shown[name] for name in ("status_code", "status_action", "status_since",
            "next_attempt_at", "last_failure", "waiting_since")} == {None}  # fmt: skip
    assert (shown["status"], shown["lag_seconds"]) == ("enabled", 0)


def test_a_webhook_that_fails_says_since_when_and_what_to_do(aws):
    stored_webhook(ACME, "wh-1")
    behind = moment(int((time.time() - HOUR) * 1000))
    failure = Failure(1_795_003_600, "server_error", 503)
    progressed(aws, failing_since=1_795_000_000, last_failure=failure, behind=behind,
               attempts=3, next_at=1_795_007_200)  # fmt: skip

    shown = acme("GET", f"{HOOKS}/wh-1").json

    assert (shown["status"], shown["status_code"]) == ("enabled", "server_error")
    assert (shown["status_detail"], shown["status_action"]) == CODES["server_error"]
    assert shown["status_since"] == "2026-11-18T11:06:40Z"
    assert shown["next_attempt_at"] == "2026-11-18T13:06:40Z"
    assert shown["last_failure"] == {
        "at": "2026-11-18T12:06:40Z",
        "code": "server_error",
        "detail": CODES["server_error"][0],
        "http_status": 503,
    }
    assert shown["waiting_since"] == behind
    assert HOUR <= shown["lag_seconds"] < HOUR + 600


@pytest.mark.parametrize("why", ["failing", "gone"])
def test_a_disabled_webhook_says_why_and_is_enabled_by_a_change(aws, why):
    stored_webhook(ACME, "wh-1")
    position = stands(aws).progress.position
    failure = Failure(1_795_003_600, "timeout")
    progressed(aws, disabled=why, disabled_since=1_795_003_600, failing_since=1_795_000_000,
               last_failure=failure)  # fmt: skip
    shown = acme("GET", f"{HOOKS}/wh-1").json
    queued()

    after = acme("PATCH", f"{HOOKS}/wh-1", {"status": "enabled"}).json

    assert (shown["status"], shown["status_code"]) == ("disabled", why)
    assert shown["status_since"] == "2026-11-18T12:06:40Z"
    assert shown["status_action"] == CODES[why][1]
    assert shown["last_failure"]["http_status"] is None
    assert (after["status"], after["status_code"]) == ("enabled", None)
    assert stands(aws).progress.position == position
    assert asks_of_queue() == [{"tenant": "acme", "webhook": "wh-1"}]


@pytest.mark.parametrize("code", CODES)
def test_every_code_of_a_failure_is_described(aws, code):
    stored_webhook(ACME, "wh-1")
    progressed(aws, failing_since=1, last_failure=Failure(1, code))

    assert acme("GET", f"{HOOKS}/wh-1").json["status_detail"] == CODES[code][0]
    assert code in (WebhookView.model_fields["status_code"].description or "")


# ---- changing ------------------------------------------------------------------------------------


def test_a_change_leaves_what_it_does_not_name(aws):
    stored_webhook(ACME, "wh-1", types=("EmailHeld",), description="x")
    stored_webhook(TenantId("other"), "wh-1")

    paused = acme("PATCH", f"{HOOKS}/wh-1", {"status": "paused", "url": None}).json
    moved = acme("PATCH", f"{HOOKS}/wh-1", {"url": f"{URL}/2", "description": ""}).json
    all_types = acme("PATCH", f"{HOOKS}/wh-1", {"types": None}).json

    assert (paused["status"], paused["url"], paused["types"]) == ("paused", URL, ["EmailHeld"])
    assert (moved["status"], moved["url"], moved["description"]) == ("paused", f"{URL}/2", "")
    assert (all_types["types"], all_types["version"]) == (None, 4)
    assert stands(aws, TenantId("other")).config.version == 1


def test_a_pause_shows_even_where_we_switched_it_off(aws):
    stored_webhook(ACME, "wh-1")
    progressed(aws, disabled="failing", disabled_since=1)

    assert acme("PATCH", f"{HOOKS}/wh-1", {"status": "paused"}).json["status"] == "paused"


def test_a_webhook_that_is_gone_is_gone_with_its_secret(aws):
    shown = made()
    path = f"{HOOKS}/{shown['id']}"

    assert acme("DELETE", path).status == 204

    assert acme("DELETE", path).code == acme("GET", path).code == "webhook_not_found"
    assert acme("PATCH", path, {"status": "paused"}).code == "webhook_not_found"
    assert aws.table.get(keys.webhook_secret(ACME, shown["id"]), consistent=True) is None


def test_a_new_secret_leaves_the_one_before_for_a_day(aws):
    shown = made()
    path = f"{HOOKS}/{shown['id']}/secret"

    first = acme("POST", path, headers={"idempotency-key": "k"})
    again = acme("POST", path, headers={"idempotency-key": "k"})

    assert again.json == first.json | {"secret": None}
    assert opened(aws, shown["id"]) == first.json["secret"] != shown["secret"]
    assert opened(aws, shown["id"], "former") == shown["secret"]
    until = aws.table.get(keys.webhook_secret(ACME, shown["id"]))["former_until"]
    assert 23 * HOUR < until - time.time() <= 24 * HOUR + 1
    assert first.json["former_until"][:10] == moment(until * 1000)[:10]
    assert (first.json["version"], first.headers["ETag"]) == (2, '"2"')


def test_one_that_somebody_keeps_changing_is_busy(aws, monkeypatch):
    stored_webhook(ACME, "wh-1")

    def overtake(**_):
        aws.table.update(keys.webhook(ACME, "wh-1"), "ADD version :one", values={":one": 1})

    client("dynamodb").meta.events.register("before-call.dynamodb.TransactWriteItems", overtake)

    for refused in (
        acme("PATCH", f"{HOOKS}/wh-1", {"status": "paused"}),
        acme("POST", f"{HOOKS}/wh-1/secret"),
        acme("DELETE", f"{HOOKS}/wh-1"),
    ):
        assert (refused.status, refused.code) == (409, "busy")
        assert refused.headers["Retry-After"] == "1"
    assert stands(aws).config.secret_version == 1


# ---- deliveries, tests, replays ------------------------------------------------------------------


def test_a_test_is_asked_for_and_not_sent_by_the_api(aws):
    stored_webhook(ACME, "wh-1")

    asked = acme("POST", f"{HOOKS}/wh-1/test")

    assert asked.status == 202
    hold_to_schema(asked.json["event"])
    assert (asked.json["event"]["type"], asked.json["status"]) == ("Test", "pending")
    assert acme("GET", f"{HOOKS}/wh-1/deliveries").json["items"] == [asked.json]
    ((delivery, refusals),) = webhook_deliveries.asked(aws.table, ACME, "wh-1")
    assert (delivery.delivery_id, refusals) == (asked.json["id"], 0)
    assert stands(aws).due_at <= time.time()
    assert asks_of_queue() == [{"tenant": "acme", "webhook": "wh-1"}]


def test_deliveries_are_listed_newest_first_by_pages_and_by_status(aws):
    stored_webhook(ACME, "wh-1")
    for number in range(7):
        more = {"status": FAILED, "code": "refused", "http_status": 404} if number % 2 else {}
        stored_delivery(ACME, "wh-1", number, attempts=5, ms=12, tried_at=1_795_000_000, **more)
    stored_delivery(TenantId("other"), "wh-1", 9)
    found, query = [], {"limit": "3"}
    while True:
        page = acme("GET", f"{HOOKS}/wh-1/deliveries", query=query).json
        found += page["items"]
        if page["next"] is None:
            break
        query |= {"cursor": page["next"]}

    failed = acme("GET", f"{HOOKS}/wh-1/deliveries", query={"status": "failed"}).json["items"]

    assert [int(each["event"]["id"], 16) for each in found] == [6, 5, 4, 3, 2, 1, 0]
    assert [int(each["event"]["id"], 16) for each in failed] == [5, 3, 1]
    assert failed[0] == {
        "id": f"{AT}.{5:032x}",
        "event": {"id": f"{5:032x}", "type": "EmailHeld", "at": AT, "message": "m" * 26},
        "status": "failed",
        "attempts": 5,
        "tried_at": "2026-11-18T11:06:40Z",
        "http_status": 404,
        "code": "refused",
        "detail": CODES["refused"][0],
        "ms": 12,
    }
    assert found[0]["http_status"] is None


@pytest.mark.parametrize("cursor", ["x", "RklMRUQ", base64.urlsafe_b64encode(b"2026").decode()])
def test_a_made_up_cursor_is_refused(aws, cursor):
    stored_webhook(ACME, "wh-1")

    refused = acme("GET", f"{HOOKS}/wh-1/deliveries", query={"cursor": cursor})

    assert (refused.status, refused.code) == (400, "invalid_cursor")


def test_deliveries_are_sent_again_each_once(aws):
    stored_webhook(ACME, "wh-1")
    first, second = (stored_delivery(ACME, "wh-1", n, status=FAILED, attempts=5) for n in (1, 2))

    asked = acme("POST", f"{HOOKS}/wh-1/replay", {"deliveries": [second, first, second]})

    assert (asked.status, asked.json) == (
        202,
        {"id": "wh-1", "since": None, "deliveries": [second, first]},
    )
    waiting = webhook_deliveries.asked(aws.table, ACME, "wh-1")
    again = [delivery.delivery_id for delivery, _ in waiting]
    assert again == [first, second]
    shown = acme("GET", f"{HOOKS}/wh-1/deliveries").json["items"]
    assert [(each["status"], each["attempts"]) for each in shown] == [("pending", 0)] * 2
    assert len(asks_of_queue()) == 1


def test_what_was_never_sent_is_not_sent_again(aws):
    stored_webhook(ACME, "wh-1")
    stored_webhook(ACME, "wh-2")
    known, elsewhere = stored_delivery(ACME, "wh-1", 1), stored_delivery(ACME, "wh-2", 2)
    stored_delivery(TenantId("other"), "wh-1", 3)

    for unknown in (elsewhere, f"{AT}.{3:032x}"):
        refused = acme("POST", f"{HOOKS}/wh-1/replay", {"deliveries": [known, unknown]})
        assert (refused.status, refused.code) == (404, "delivery_not_found")
        assert refused.json["errors"][0]["pointer"] == "/deliveries/1"
    assert webhook_deliveries.asked(aws.table, ACME, "wh-1") == []
    assert queued() == ""


def test_everything_since_a_moment_is_told_again(aws):
    stored_webhook(ACME, "wh-1")
    since = moment(int((time.time() - 29 * 86_400) * 1000))

    asked = acme("POST", f"{HOOKS}/wh-1/replay", {"since": since})

    assert (asked.status, asked.json["since"], asked.json["deliveries"]) == (202, since, [])
    assert stands(aws).progress.position == since
    assert stands(aws).due_at <= time.time()
    assert len(asks_of_queue()) == 1


def test_a_replay_takes_one_of_two_fields_and_thirty_days(aws):
    stored_webhook(ACME, "wh-1")
    before = stands(aws)
    path, days = f"{HOOKS}/wh-1/replay", 86_400
    old, future = (moment(int((time.time() + d * days) * 1000)) for d in (-31, 1))
    known = stored_delivery(ACME, "wh-1", 1)

    for body, code, pointer in (
        ({}, "since_or_deliveries", "/since"),
        ({"since": AT, "deliveries": [known]}, "since_or_deliveries", "/since"),
        ({"since": old}, "invalid_since", "/since"),
        ({"since": future}, "invalid_since", "/since"),
        ({"deliveries": []}, "invalid_request", "/deliveries"),
        ({"deliveries": [known] * 101}, "invalid_request", "/deliveries"),
        ({"deliveries": ["x"]}, "invalid_request", "/deliveries/0"),
        ({"deliveries": [f"{known}\n"]}, "invalid_request", "/deliveries/0"),
    ):
        refused = acme("POST", path, body)
        assert (refused.status, refused.code) == (422, code), body
        assert refused.json["errors"][0]["pointer"] == pointer
    assert stands(aws) == before
    assert queued() == ""


def test_what_was_removed_while_it_was_asked_for_is_not_there(aws):
    stored_webhook(ACME, "wh-1")
    known = stored_delivery(ACME, "wh-1", 1)

    def remove(**_):
        aws.table.delete(keys.webhook_progress(ACME, "wh-1"))

    client("dynamodb").meta.events.register("before-call.dynamodb.UpdateItem", remove)

    for path, body in (
        ("test", None),
        ("replay", {"deliveries": [known]}),
        ("replay", {"since": moment(int(time.time() * 1000) - HOUR * 1000)}),
    ):
        stored_progress(aws)
        refused = acme("POST", f"{HOOKS}/wh-1/{path}", body)
        assert (refused.status, refused.code) == (404, "webhook_not_found"), path


def stored_progress(aws):
    aws.table.put(keys.webhook_progress(ACME, "wh-1"), {"position": Progress("x").position})


def test_the_types_that_may_be_chosen_are_those_of_the_feed():
    assert get_args(EventType) == TYPES
