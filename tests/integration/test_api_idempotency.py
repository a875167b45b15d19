"""`Idempotency-Key`: done once, the same answer after, by tenant, user and route."""

import time
from types import SimpleNamespace

import pytest
from tests.support.http_events import Client

from ablage.store import idempotency, keys
from ablage.store.storage import acting_for
from ablage.tenancy import TenantId
from api.idempotency import _digest, once
from api.routes import OPERATIONS
from api.tenant import Caller

pytestmark = pytest.mark.usefixtures("aws")

acme, other = Client("acme"), Client("other")
ENTRY = {"entry": "kunde.de", "note": "first"}
BLOCK = "/v1/blocklist"


def block(client=acme, body=ENTRY, key="k-1", path=BLOCK):
    return client("POST", path, body, headers={"idempotency-key": key})


def test_a_repeat_gets_the_first_answer_and_does_nothing():
    first = block()
    acme("DELETE", f"{BLOCK}/{first.json['id']}")

    again = block()

    assert (again.status, again.json) == (201, first.json)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    assert acme("GET", BLOCK).json["items"] == []


def test_another_body_under_the_same_key_is_refused():
    block()

    refused = block(body={"entry": "other.de"})

    assert (refused.status, refused.code) == (422, "idempotency_key_reused")
    assert refused.json["errors"][0]["pointer"] == "Idempotency-Key"


def test_a_key_is_one_tenants_one_users_and_one_routes():
    made = [block(), block(other), block(Client("acme", subject="bert"))]

    assert [answer.headers.get("Idempotent-Replayed") for answer in made] == [None] * 3
    assert [answer.status for answer in made] == [201, 201, 200]
    assert block(path="/v1/batches", body={"kind": "x"}).code == "invalid_request"


def test_what_was_refused_may_be_sent_again_under_its_key():
    assert block(body={"entry": "com"}).status == 422

    assert block().status == 201


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "x" * 256, "a\n"])
def test_a_key_nobody_can_mean_is_refused(key):
    assert block(key=key).code == "invalid_idempotency_key"


def test_other_methods_take_no_notice_of_it():
    for name in ("Max", "Moritz"):
        put = acme("PUT", "/v1/contacts/c-1", {"name": name}, headers={"idempotency-key": "k"})
        assert put.json["name"] == name


def test_an_answer_that_holds_mail_is_not_kept_but_worked_out_again(aws):
    asked = {"headers": "From: max@kunde.de\nTo: anna@own.de"}

    first, again = (block(path="/v1/explain", body=asked) for _ in range(2))

    assert again.json == first.json
    assert "Idempotent-Replayed" not in again.headers
    assert block(path="/v1/explain", body={"headers": "From: x@y.de"}).status == 422
    place = keys.idempotency(TenantId("acme"), _digest("/v1/explain", "anna", "k-1"))
    assert "body" not in aws.table.get(place)


BLOCKING = next(known for known in OPERATIONS if (known.method, known.path) == ("POST", BLOCK))


def sent(table, work, seconds=30.0):
    event = {"headers": {"Idempotency-Key": "k"}, "rawPath": BLOCK, "body": "{}"}
    caller = Caller(TenantId("acme"), "anna", frozenset())
    with acting_for(caller.tenant):
        return once(table, event, BLOCKING, caller, seconds=seconds, work=work)


def answered(status=200):
    return {"statusCode": status, "headers": {"Content-Type": "application/json"}, "body": "{}"}


def test_a_repeat_meanwhile_is_told_to_wait(aws):
    def work():
        with pytest.raises(idempotency.InProgress) as caught:
            sent(aws.table, answered)
        assert (caught.value.status, caught.value.retry_after) == (409, 2)
        return answered()

    assert sent(aws.table, work) == answered()


def test_what_was_killed_is_done_by_the_next(aws):
    with pytest.raises(KeyboardInterrupt):
        sent(aws.table, lambda: (_ for _ in ()).throw(KeyboardInterrupt))

    assert sent(aws.table, answered) == answered()


def test_what_died_without_a_word_is_done_again_once_it_cannot_be_running(aws):
    place = keys.idempotency(TenantId("acme"), _digest(BLOCK, "anna", "k"))
    request = _digest("k", BLOCK, "", "{}")
    now = int(time.time())
    idempotency.claim(aws.table, place, request, now - 60, now - 30)

    assert sent(aws.table, answered) == answered()


def test_a_claim_taken_over_keeps_the_second_answer(aws):
    place = keys.idempotency(TenantId("acme"), "d")
    slow = idempotency.claim(aws.table, place, "r", 1000, 1010)
    fast = idempotency.claim(aws.table, place, "r", 1020, 1030)

    idempotency.keep(aws.table, fast, idempotency.Kept(200, {}, "second"))
    idempotency.keep(aws.table, slow, idempotency.Kept(200, {}, "first"))
    idempotency.give_back(aws.table, slow)

    assert idempotency.claim(aws.table, place, "r", 1040, 1050) == idempotency.Kept(
        200, {}, "second"
    )


def test_a_day_later_a_key_is_new(aws):
    place = keys.idempotency(TenantId("acme"), "d")
    held = idempotency.claim(aws.table, place, "r", 1000, 1010)
    idempotency.keep(aws.table, held, idempotency.Kept(200, {}, "x"))

    later = idempotency.claim(aws.table, place, "other", 1000 + 24 * 3600 + 1, 10**6)

    assert isinstance(later, idempotency.Claim)


def test_an_answer_too_long_to_keep_is_worked_out_again(aws):
    long = SimpleNamespace(count=0)

    def work():
        long.count += 1
        return answered() | {"body": "x" * 400_000}

    assert len(sent(aws.table, work)["body"]) == len(sent(aws.table, work)["body"])
    assert long.count == 2
