"""OAuth through the API: what is begun ends once, by whom it was begun; no secret comes back."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.support.aws import received_bodies
from tests.support.aws_calls import aws_calls
from tests.support.http_events import Answer, Client

from ablage.oauth import challenge
from ablage.settings import settings
from ablage.store import grants, keys
from ablage.store.aws import client
from ablage.store.grants import Grants
from ablage.store.secrets import Secrets
from ablage.store.storage import Storage
from ablage.tenancy import TenantId

ACME = TenantId("acme")
REDIRECT = "https://crm.example/oauth"
ACCOUNT = {"id": "anna", "address": "anna@firma.de"}
SECRET, CODE = "canary-client-secret", "canary-c0de"

api = Client()


def register(provider: str = "google", caller: Client = api, **more: Any) -> Answer:
    body = {"client_id": "id-1", "client_secret": SECRET, "redirect_uris": [REDIRECT]} | more
    return caller("PUT", f"/v1/oauth/clients/{provider}", body)


def begin(caller: Client = api, **more: Any) -> Answer:
    body = {"provider": "google", "redirect_uri": REDIRECT, "account": ACCOUNT} | more
    return caller("POST", "/v1/oauth/authorizations", body)


def come_back(state: str, caller: Client = api, **more: Any) -> Answer:
    return caller("POST", "/v1/oauth/callbacks", {"state": state, "code": CODE} | more)


def everything(where: Storage) -> str:
    """All items, as text; blobs as latin-1."""
    items = client("dynamodb").scan(TableName=where.table.name)["Items"]
    return json.dumps(items, default=lambda blob: bytes(blob).decode("latin-1"))


# ---- clients -------------------------------------------------------------------------------------


def test_a_client_is_shown_without_its_secret(aws: Storage) -> None:
    put = register("microsoft", directory="00000000-1111-2222-3333-444444444444")

    got = api("GET", "/v1/oauth/clients/microsoft")

    assert (put.status, got.status) == (200, 200)
    assert got.json == {
        "provider": "microsoft",
        "client_id": "id-1",
        "directory": "00000000-1111-2222-3333-444444444444",
        "redirect_uris": [REDIRECT],
        "version": 1,
    }
    assert SECRET not in everything(aws)
    assert api("GET", "/v1/oauth/clients/google").status == 404
    assert Client("other")("GET", "/v1/oauth/clients/microsoft").status == 404


def test_a_client_is_changed_by_version_and_forgotten_with_its_secret(aws: Storage) -> None:
    register()

    assert api("PUT", "/v1/oauth/clients/google", {
        "client_id": "id-2", "client_secret": "x", "redirect_uris": [REDIRECT]
    }, headers={"If-Match": '"7"'}).status == 412  # fmt: skip
    assert register().json["version"] == 2
    assert api("DELETE", "/v1/oauth/clients/google").status == 204

    assert aws.table.get(keys.client_secret(ACME, "google")) is None
    assert api("DELETE", "/v1/oauth/clients/google").status == 404


@pytest.mark.parametrize(
    "change",
    [
        {"directory": "evil.example/common"},
        {"directory": "common/../x"},
        {"directory": ""},
        {"directory": "00000000-1111-2222-3333-44444444444"},
        {"redirect_uris": []},
        {"redirect_uris": ["http://crm.example/oauth"]},
        {"redirect_uris": ["https://crm.example/oauth#x"]},
        {"redirect_uris": ["javascript:alert(1)"]},
        {"client_secret": ""},
        {"token_url": "https://evil.example"},
    ],
)
def test_a_client_that_leads_elsewhere_is_refused(aws: Storage, change: dict[str, Any]) -> None:
    assert register("microsoft", **change).status == 422
    assert api("GET", "/v1/oauth/clients/microsoft").status == 404


def test_another_provider_is_no_route(aws: Storage) -> None:
    assert register("evil").status in {404, 422}


# ---- the way there -------------------------------------------------------------------------------


def test_the_person_is_sent_to_the_provider_with_pkce(aws: Storage) -> None:
    register()

    begun = begin()

    assert begun.status == 201
    url = urlsplit(begun.json["authorization_url"])
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert url._replace(query="").geturl() == "https://accounts.google.com/o/oauth2/v2/auth"
    assert query["code_challenge_method"] == "S256"
    assert (query["client_id"], query["redirect_uri"]) == ("id-1", REDIRECT)
    assert (query["state"], query["login_hint"]) == (begun.json["state"], "anna@firma.de")
    assert query["access_type"] == "offline"
    assert begun.json["state"] not in everything(aws)


def test_the_directory_of_the_client_is_that_of_the_page(aws: Storage) -> None:
    directory = "00000000-1111-2222-3333-444444444444"
    register("microsoft", directory=directory)

    begun = begin(provider="microsoft", account=ACCOUNT | {"delegate": "eva@firma.de"})

    url = begun.json["authorization_url"]
    start = f"https://login.microsoftonline.com/{directory}/oauth2/v2.0/authorize?"
    assert url.startswith(start)
    assert "login_hint=eva%40firma.de" in url


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"redirect_uri": REDIRECT + "/"}, "redirect_uri_not_allowed"),
        ({"redirect_uri": REDIRECT + "?next=x"}, "redirect_uri_not_allowed"),
        ({"redirect_uri": "https://CRM.example/oauth"}, "redirect_uri_not_allowed"),
        ({"provider": "microsoft"}, "client_missing"),
        ({"account": None}, "account_needed"),
        ({"reauthorize": "anna"}, "account_needed"),
        ({"account": {"address": "nobody"}}, "invalid_address"),
        ({"account": ACCOUNT | {"host": "imap.evil.example"}}, "invalid_request"),
        ({"account": ACCOUNT | {"id": "a/b"}}, "invalid_entity"),
    ],
)
def test_what_cannot_end_well_is_not_begun(aws: Storage, change: dict[str, Any], code: str) -> None:
    register()

    refused = begin(**change)

    assert (refused.status, refused.code) == (422, code)
    assert "OAUTHSTATE" not in everything(aws)


def test_only_an_account_that_is_there_is_reauthorized(aws: Storage) -> None:
    register()

    assert begin(account=None, reauthorize="anna").status == 404


# ---- and back ------------------------------------------------------------------------------------


def test_a_code_is_sealed_for_sync_and_the_account_connected(aws: Storage) -> None:
    register()
    begun = begin()

    with aws_calls() as calls:
        connected = come_back(begun.json["state"], iss="https://accounts.google.com")

    assert connected.status == 201
    shown = connected.json
    assert (shown["id"], shown["auth"], shown["status"]) == ("anna", "google", "syncing")
    assert (shown["host"], shown["port"]) == ("imap.gmail.com", 993)
    assert "kms:Encrypt" in calls
    assert "kms:Decrypt" not in calls
    assert CODE not in everything(aws)
    (poll,) = received_bodies(settings().sync_queue_url)
    assert json.loads(poll)["accounts"] == ["anna"]
    _, code = Grants(aws.table, ACME, "anna").read()
    assert code is not None
    opened = Secrets(aws.table, client("kms"))
    assert opened.unseal(ACME, "anna", grants.CODE, code.sealed) == CODE
    verifier = opened.unseal(ACME, "anna", grants.VERIFIER, code.verifier)
    assert challenge(verifier) in begun.json["authorization_url"]


@pytest.mark.parametrize(
    ("caller", "more", "code"),
    [
        (Client(subject="eve"), {}, "invalid_state"),
        (Client(tenant="other"), {}, "invalid_state"),
        (api, {"state": "unknown"}, "invalid_state"),
        (api, {"iss": "https://evil.example"}, "wrong_issuer"),
        (api, {"iss": "https://accounts.google.com.evil.example"}, "wrong_issuer"),
        (api, {"code": ""}, "authorization_denied"),
        (api, {"error": "access_denied"}, "authorization_denied"),
        (api, {"code": "", "error": "<script>"}, "authorization_denied"),
    ],
)
def test_what_does_not_fit_connects_nothing(
    aws: Storage, caller: Client, more: dict[str, str], code: str
) -> None:
    register()
    state = begin().json["state"]

    refused = come_back(**({"state": state, "caller": caller} | more))

    assert (refused.status, refused.code) == (422, code)
    assert "script" not in refused.text
    assert api("GET", "/v1/accounts/anna").status == 404
    assert Grants(aws.table, ACME, "anna").read() == (None, None)


def test_a_state_is_good_once(aws: Storage) -> None:
    register()
    state = begin().json["state"]
    assert come_back(state).status == 201

    again = come_back(state)

    assert (again.status, again.code) == (422, "invalid_state")


def test_a_state_is_used_up_by_what_does_not_fit(aws: Storage) -> None:
    register()
    state = begin().json["state"]
    come_back(state, error="access_denied")

    assert come_back(state).code == "invalid_state"


def test_a_state_is_good_for_ten_minutes(aws: Storage) -> None:
    register()
    state = begin().json["state"]
    item = next(i for i in _items(aws) if "OAUTHSTATE" in i["pk"]["S"])
    expires = int(item["expires"]["N"])

    key = item["pk"]["S"], item["sk"]["S"]
    aws.table.update(key, "SET expires = :past", values={":past": expires - 601})

    assert come_back(state).code == "invalid_state"


def _items(where: Storage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client("dynamodb").scan(TableName=where.table.name)["Items"]
    return found


def test_an_account_under_the_id_is_reauthorized_not_replaced(aws: Storage) -> None:
    register()
    come_back(begin().json["state"])

    assert begin().code == "account_exists"
    begun = begin(account=None, reauthorize="anna")
    before = api("GET", "/v1/accounts/anna").json
    after = come_back(begun.json["state"])

    assert after.status == 200
    assert after.json["version"] == before["version"] + 1
    assert {n: v for n, v in after.json.items() if n != "version"} == {
        n: v for n, v in before.items() if n != "version"
    }


@pytest.mark.parametrize(
    "change", [{"host": "imap.evil.example"}, {"port": 143}, {"username": "x"}, {"password": "x"}]
)
def test_where_a_token_goes_cannot_be_changed(aws: Storage, change: dict[str, Any]) -> None:
    register()
    come_back(begin().json["state"])

    refused = api("PATCH", "/v1/accounts/anna", change)

    assert (refused.status, refused.code) == (422, "connected_by_oauth")
    assert api("PATCH", "/v1/accounts/anna", {"owner": "eva"}).status == 200


def test_no_answer_holds_a_secret(aws: Storage) -> None:
    register()
    state = begin().json["state"]
    answers = [
        register(),
        api("GET", "/v1/oauth/clients/google"),
        come_back(state),
        come_back(state),
        api("GET", "/v1/accounts/anna"),
        api("GET", "/v1/accounts"),
        come_back("x" * 300, code=CODE * 400),
    ]

    assert not [answer.text for answer in answers if "canary" in answer.text]


def test_disconnecting_forgets_the_code_too(aws: Storage) -> None:
    register()
    come_back(begin().json["state"])

    assert api("DELETE", "/v1/accounts/anna").status == 204

    assert Grants(aws.table, ACME, "anna").read() == (None, None)
