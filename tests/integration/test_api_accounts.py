"""Accounts, their warnings, and jobs through the API."""

import json
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from tests.support.aws import received_bodies
from tests.support.http_events import Client

from ablage.accounts import ALL_MAIL
from ablage.settings import settings
from ablage.store import address_index, keys
from ablage.store.table import DUE_INDEX
from ablage.tenancy import TenantId
from api.clock import utc_text

acme = Client("acme")
other = Client("other")
ACME = TenantId("acme")

pytestmark = pytest.mark.usefixtures("aws")

BODY = {
    "id": "anna",
    "address": "Anna@Firma.DE",
    "host": "imap.firma.de",
    "username": "anna",
    "password": "canary-5d1f",
}


def due_accounts(aws, tenant="acme", account="anna"):
    state = aws.table.get(keys.account_state(TenantId(tenant), account)) or {}
    return aws.table.query(state["due"], index=DUE_INDEX) if "due" in state else []


def test_a_connected_mailbox_waits_for_its_first_poll():
    created = acme("POST", "/v1/accounts", BODY)

    assert created.status == 201
    shown = acme("GET", "/v1/accounts/anna").json
    assert shown == created.json
    assert shown["status"] == "syncing"
    assert shown["automatic_filing"] == {"enabled": False, "since": None}
    assert (shown["port"], shown["sync"], shown["retention"]) == (993, True, "30d")


FAULTY = {
    "status": "degraded",
    "code": "connect_failed",
    "detail": "No connection to the mail server.",
    "not_before": 4_000_000_000,
}


def set_state(aws, tenant, **values):
    place = keys.account_state(tenant, "anna")
    aws.table.put(place, (aws.table.get(place) or {}) | values)


@pytest.mark.parametrize(
    ("hours", "kind", "action"),
    [
        (23, "transient", "Nothing; it is tried again by itself."),
        (25, "config", "Check the host; ask"),
    ],
)
def test_a_fault_shows_since_when_and_what_to_do(aws, hours, kind, action):
    acme("POST", "/v1/accounts", BODY)
    other("POST", "/v1/accounts", BODY)
    since = utc_text(datetime.now(UTC) - timedelta(hours=hours))
    set_state(aws, ACME, **FAULTY, since=since)

    shown = acme("GET", "/v1/accounts/anna").json

    assert (shown["status"], shown["status_code"]) == ("degraded", "connect_failed")
    assert (shown["status_class"], shown["status_since"]) == (kind, since)
    assert shown["status_action"].startswith(action)
    assert shown["retry_at"] == "2096-10-02T07:06:40Z"
    assert other("GET", "/v1/accounts/anna").json["status_code"] is None


@pytest.mark.parametrize("status", ["syncing", "ok", "throttled", "degraded", "reauth_required"])
def test_every_state_is_shown_and_a_switched_off_mailbox_is_paused(aws, status):
    acme("POST", "/v1/accounts", BODY)
    set_state(aws, ACME, status=status, not_before=9_999_999_999)

    shown = acme("GET", "/v1/accounts/anna").json
    acme("PATCH", "/v1/accounts/anna", {"sync": False})

    assert (shown["status"], shown["retry_at"]) == (status, None)
    assert acme("GET", "/v1/accounts/anna").json["status"] == "paused"


def test_only_a_new_login_is_a_new_login(aws):
    acme("POST", "/v1/accounts", BODY)
    versions = []
    for change in ({"aliases": ["x@firma.de"]}, {"password": "new"}, {"owner": "bob"}):
        acme("PATCH", "/v1/accounts/anna", change)
        item = aws.table.get(keys.account(ACME, "anna"))
        versions.append((item["version"], item["login_version"]))

    assert versions == [(2, 1), (3, 3), (4, 3)]


def test_an_id_is_made_where_none_is_given():
    body = {name: value for name, value in BODY.items() if name != "id"}

    first, second = acme("POST", "/v1/accounts", body), acme("POST", "/v1/accounts", body)

    assert first.json["id"] != second.json["id"]
    assert acme("GET", f"/v1/accounts/{first.json['id']}").status == 200


def test_connecting_makes_the_account_due_and_polls_it_at_once(aws):
    acme("POST", "/v1/accounts", BODY)

    assert [item["due_sk"] for item in due_accounts(aws)] == ["acme#anna"]
    (poll,) = [json.loads(b) for b in received_bodies(settings().sync_queue_url)]
    assert (poll["kind"], poll["tenant"], poll["accounts"]) == ("poll", "acme", ["anna"])


def test_the_password_is_sealed_for_its_account_and_never_shown(aws, caplog):
    answers = [
        acme("POST", "/v1/accounts", BODY),
        acme("PATCH", "/v1/accounts/anna", {"password": "canary-8e2a"}),
        acme("GET", "/v1/accounts/anna"),
        acme("GET", "/v1/accounts"),
        acme("PATCH", "/v1/accounts/anna", {"password": ["canary-9"]}),
        acme("POST", "/v1/accounts", BODY | {"port": "canary-7"}),
    ]

    assert not any("canary" in answer.text for answer in answers)
    assert "canary" not in str([record.__dict__ for record in caplog.records])
    sealed = aws.table.get(keys.secret(ACME, "anna"))
    opened = boto3.client("kms").decrypt(
        CiphertextBlob=sealed["sealed"],
        EncryptionContext={"tenant": "acme", "account": "anna", "kind": "password"},
    )
    assert opened["Plaintext"] == b"canary-8e2a"


def test_connecting_twice_with_one_id_is_one_account():
    body = BODY | {"automatic_filing": {"enabled": True}}
    first = acme("POST", "/v1/accounts", body)

    again = acme("POST", "/v1/accounts", body)

    assert (again.status, again.json) == (200, first.json)


def test_a_different_mailbox_under_the_same_id_is_a_conflict():
    acme("POST", "/v1/accounts", BODY)

    refused = acme("POST", "/v1/accounts", BODY | {"host": "imap.other.de"})

    assert (refused.status, refused.code) == (409, "account_exists")


def test_equal_ids_of_two_tenants_are_two_mailboxes(aws):
    acme("POST", "/v1/accounts", BODY)
    other("POST", "/v1/accounts", BODY | {"address": "bob@other.de"})

    other("DELETE", "/v1/accounts/anna")

    assert acme("GET", "/v1/accounts/anna").json["address"] == "Anna@Firma.DE"
    assert other("GET", "/v1/accounts").json["items"] == []
    assert aws.table.get(keys.secret(ACME, "anna")) is not None


def test_another_tenants_mailbox_looks_like_none_at_all():
    acme("POST", "/v1/accounts", BODY)

    for method, path, body in [
        ("GET", "", None),
        ("PATCH", "", {}),
        ("DELETE", "", None),
        ("POST", "/check", None),
        ("POST", "/sync", {}),
        ("GET", "/folders", None),
    ]:
        theirs = other(method, f"/v1/accounts/anna{path}", body)
        nobodys = other(method, f"/v1/accounts/nobody{path}", body)
        assert (theirs.status, theirs.text) == (404, nobodys.text)


def test_switching_sync_off_takes_the_account_from_the_schedule(aws):
    acme("POST", "/v1/accounts", BODY)

    off = acme("PATCH", "/v1/accounts/anna", {"sync": False})

    assert (off.json["sync"], off.json["status"]) == (False, "paused")
    assert due_accounts(aws) == []
    acme("PATCH", "/v1/accounts/anna", {"sync": True})
    assert len(due_accounts(aws)) == 1


@pytest.mark.parametrize(
    ("change", "polls"),
    [
        ({"password": "new"}, 1),
        ({"host": "imap2.firma.de", "password": "new"}, 1),
        ({"owner": "bob"}, 0),
    ],
)
def test_a_changed_login_is_tried_at_once(change, polls):
    acme("POST", "/v1/accounts", BODY)
    received_bodies(settings().sync_queue_url)

    acme("PATCH", "/v1/accounts/anna", change)

    assert len(received_bodies(settings().sync_queue_url)) == polls


@pytest.mark.parametrize(
    "change", [{"host": "imap.evil.example"}, {"port": 994}, {"username": "bob"}]
)
def test_a_stored_password_goes_to_no_other_login(aws, change):
    acme("POST", "/v1/accounts", BODY)

    refused = acme("PATCH", "/v1/accounts/anna", change)

    assert (refused.status, refused.json["code"]) == (422, "password_needed")
    assert acme("GET", "/v1/accounts/anna").json["host"] == BODY["host"]
    unchanged = {name: BODY.get(name, 993) for name in change}
    assert acme("PATCH", "/v1/accounts/anna", unchanged).status == 200
    assert acme("PATCH", "/v1/accounts/anna", change | {"password": "new"}).status == 200


def test_another_mailbox_is_listed_anew_at_once(aws):
    acme("POST", "/v1/accounts", BODY)
    state = keys.account_state(ACME, "anna")
    aws.table.update(state, "SET checked_at = :at", values={":at": "2026-11-24T00:00:00Z"})

    acme("PATCH", "/v1/accounts/anna", {"owner": "bob"})
    assert "checked_at" in aws.table.get(state)
    acme("PATCH", "/v1/accounts/anna", {"username": "bob", "password": "new", "sync": False})

    assert aws.table.get(state).keys().isdisjoint({"checked_at", "due", "due_sk"})


def test_filing_is_on_from_the_second_of_switching_on():
    acme("POST", "/v1/accounts", BODY)

    switched = acme("PATCH", "/v1/accounts/anna", {"automatic_filing": {"enabled": True}}).json

    since = datetime.fromisoformat(switched["automatic_filing"]["since"])
    assert (since.microsecond, since.utcoffset().total_seconds()) == (0, 0)
    again = acme("PATCH", "/v1/accounts/anna", {"automatic_filing": {"enabled": True}}).json
    assert again["automatic_filing"] == switched["automatic_filing"]
    assert again["version"] == switched["version"]


def test_a_moment_is_kept_as_utc_to_the_second():
    filing = {"enabled": True, "since": "2026-11-01T01:00:00.9+01:00"}

    created = acme("POST", "/v1/accounts", BODY | {"automatic_filing": filing})

    assert created.json["automatic_filing"]["since"] == "2026-11-01T00:00:00Z"


def test_only_the_fields_sent_are_changed():
    acme("POST", "/v1/accounts", BODY | {"viewers": ["bob"], "aliases": ["a@firma.de"]})

    changed = acme("PATCH", "/v1/accounts/anna", {"owner": "anna", "aliases": ["@FIRMA.de"]}).json

    assert (changed["owner"], changed["viewers"]) == ("anna", ["bob"])
    assert changed["aliases"] == ["@firma.de"]


def test_a_change_from_an_old_version_is_refused():
    acme("POST", "/v1/accounts", BODY)
    acme("PATCH", "/v1/accounts/anna", {"owner": "anna"})

    by_header = acme("PATCH", "/v1/accounts/anna", {"owner": "x"}, headers={"if-match": '"1"'})
    by_field = acme("PATCH", "/v1/accounts/anna", {"owner": "x", "version": 1})

    assert [by_header.code, by_field.code] == ["version_conflict", "version_conflict"]


def test_own_addresses_are_known_and_stay_known_after_deletion(aws):
    acme("POST", "/v1/accounts", BODY | {"aliases": ["team@firma.de", "@firma.eu"]})
    acme("PATCH", "/v1/accounts/anna", {"aliases": ["@firma.eu"]})

    assert acme("DELETE", "/v1/accounts/anna").status == 204

    addresses = ["anna@firma.de", "team@firma.de", "@firma.eu"]
    owners = address_index.read(aws.table, ACME, addresses)
    own = {address: set(found.own) for address, found in owners.items()}
    assert own == {"anna@firma.de": {"anna"}, "team@firma.de": set(), "@firma.eu": {"anna"}}
    assert address_index.read(aws.table, TenantId("other"), addresses) == {}


def test_a_deleted_mailbox_leaves_no_secret_and_no_schedule(aws):
    acme("POST", "/v1/accounts", BODY)

    acme("DELETE", "/v1/accounts/anna")

    assert acme("GET", "/v1/accounts/anna").code == "not_found"
    assert acme("GET", "/v1/accounts").json["items"] == []
    assert aws.table.get(keys.secret(ACME, "anna")) is None
    assert due_accounts(aws) == []


def test_a_deleted_mailbox_can_be_connected_again(aws):
    acme("POST", "/v1/accounts", BODY)
    acme("DELETE", "/v1/accounts/anna")

    again = acme("POST", "/v1/accounts", BODY)

    assert (again.status, len(due_accounts(aws))) == (201, 1)
    assert acme("POST", "/v1/accounts", BODY).status == 200


def add_mail(aws, count, account="anna"):
    for number in range(count):
        key = keys.overview(ACME, account, "2026-11-01T00:00:00Z", f"{number:026d}")
        aws.table.put(key, {"v": 1})


def test_an_own_address_at_a_contact_is_warned_of_at_all_three_places(aws):
    acme("POST", "/v1/accounts", BODY)
    add_mail(aws, 3)
    warning = {
        "code": "own_address",
        "entity_type": "contact",
        "entity_id": "c-1",
        "account": "anna",
        "address": "anna@firma.de",
        "messages": 3,
        "more": False,
    }

    written = acme("PUT", "/v1/contacts/c-1", {"addresses": ["ANNA@firma.de"]})
    switched = acme("PATCH", "/v1/accounts/anna", {"automatic_filing": {"enabled": True}})
    read = acme("GET", "/v1/accounts/anna")

    for answer in (written, switched, read):
        (shown,) = answer.json["warnings"]
        assert {name: shown[name] for name in warning} == warning
    customer = acme("PUT", "/v1/customers/K1", {"addresses": ["anna@firma.de"]})
    assert [w["entity_type"] for w in customer.json["warnings"]] == ["customer"]


def test_a_strangers_address_is_not_warned_of(aws):
    acme("POST", "/v1/accounts", BODY | {"aliases": ["team@firma.de"]})

    contact = acme("PUT", "/v1/contacts/c-1", {"addresses": ["max@kunde.de", "team@firma.de"]})
    theirs = other("PUT", "/v1/contacts/c-1", {"addresses": ["anna@firma.de"]})

    assert contact.json["warnings"] == theirs.json["warnings"] == []


def test_a_check_is_a_job_that_sync_gets_at_once(aws):
    acme("POST", "/v1/accounts", BODY)
    received_bodies(settings().sync_queue_url)

    started = acme("POST", "/v1/accounts/anna/check")

    assert (started.status, started.json["state"]) == (202, "queued")
    job = started.json["id"]
    (sent,) = [json.loads(b) for b in received_bodies(settings().sync_queue_url)]
    assert sent == {"kind": "job", "tenant": "acme", "job": job}
    assert acme("GET", f"/v1/jobs/{job}").json == started.json
    assert len(aws.table.query(keys.DUE_MORE, index=DUE_INDEX)) == 1


def test_another_tenants_job_looks_like_none_at_all():
    acme("POST", "/v1/accounts", BODY)
    job = acme("POST", "/v1/accounts/anna/check").json["id"]

    theirs = other("GET", f"/v1/jobs/{job}")

    assert (theirs.status, theirs.text) == (404, other("GET", "/v1/jobs/none").text)


def with_folders(aws, *more, gmail=False):
    folders = [{"id": "0123456789abcdef", "name": "Projekte", "role": "", "raw": "Projekte"}, *more]
    key = keys.account_state(ACME, "anna")
    update = "SET folder_list = :folders, gmail = :gmail"
    aws.table.update(key, update, values={":folders": folders, ":gmail": gmail})


def test_a_named_folder_is_synced_on_demand(aws):
    acme("POST", "/v1/accounts", BODY)
    with_folders(aws)
    folder = acme("GET", "/v1/accounts/anna/folders").json["items"][0]

    body = {"folders": [folder["id"]], "since": "2026-11-01T00:00:00Z"}
    started = acme("POST", "/v1/accounts/anna/sync", body)

    assert folder["id"] == "0123456789abcdef"
    assert (started.status, started.json["kind"]) == (202, "sync")
    item = aws.table.get(keys.job(ACME, started.json["id"]))
    assert (item["folders"], item["since"]) == ([folder["id"]], "2026-11-01T00:00:00Z")


def test_folders_show_what_they_are_for_and_how_they_are_read(aws):
    acme("POST", "/v1/accounts", BODY | {"sync_folders": "all"})
    counted = {"uidnext": 8, "uidvalidity": 1, "messages": 7}
    with_folders(
        aws,
        {"id": "1" * 16, "name": "INBOX", "role": "inbox", "raw": "INBOX"} | counted,
        {"id": "2" * 16, "name": "Papierkorb", "role": "trash", "raw": "Papierkorb"},
        {"id": "3" * 16, "name": "Privat", "role": "private", "raw": "Privat"},
        {"id": "4" * 16, "name": "Other/anna", "role": "", "raw": "Other/anna", "foreign": True},
    )

    folders = acme("GET", "/v1/accounts/anna/folders").json["items"]

    assert folders[1] == {
        "id": "1" * 16,
        "name": "INBOX",
        "role": "inbox",
        "mode": "auto",
        "synced": True,
        "shared": False,
        "messages": 7,
    }
    shown = [(f["name"], f["mode"], f["synced"], f["shared"], f["messages"]) for f in folders]
    assert shown[0] == ("Projekte", "auto", True, False, None)
    assert shown[2:] == [
        ("Papierkorb", "never", False, False, None),
        ("Privat", "private", False, False, None),
        ("Other/anna", "on_demand", False, True, None),
    ]


def test_a_folders_mode_is_set_alone_and_taken_back(aws):
    acme("POST", "/v1/accounts", BODY)
    with_folders(aws, {"id": "1" * 16, "name": "Spam", "role": "junk", "raw": "Spam"})
    received_bodies(settings().sync_queue_url)

    def change(modes):
        return acme("PATCH", "/v1/accounts/anna", {"folder_modes": modes}).json["folder_modes"]

    assert change({"0123456789abcdef": "private"}) == {"0123456789abcdef": "private"}
    assert change({"1" * 16: "auto"}) == {"0123456789abcdef": "private", "1" * 16: "auto"}
    assert change({"0123456789abcdef": None}) == {"1" * 16: "auto"}
    modes = [f["mode"] for f in acme("GET", "/v1/accounts/anna/folders").json["items"]]
    assert modes == ["on_demand", "auto"]
    assert len(received_bodies(settings().sync_queue_url)) == 3  # polled at once each time


def test_a_mode_is_set_for_folders_of_the_mailbox_alone(aws):
    acme("POST", "/v1/accounts", BODY)
    with_folders(aws)

    unknown = acme("PATCH", "/v1/accounts/anna", {"folder_modes": {"f" * 16: "auto"}})
    taken_back = acme("PATCH", "/v1/accounts/anna", {"folder_modes": {"f" * 16: None}})

    assert (unknown.status, unknown.code) == (422, "unknown_folder")
    assert unknown.json["errors"][0]["pointer"] == "/folder_modes/" + "f" * 16
    assert taken_back.status == 200


def test_modes_are_bounded():
    acme("POST", "/v1/accounts", BODY)
    half = {f"{n:016x}": "never" for n in range(150)}
    acme("PATCH", "/v1/accounts/anna", {"folder_modes": half})

    more = {f"{n:016x}": "never" for n in range(100, 250)}
    refused = acme("PATCH", "/v1/accounts/anna", {"folder_modes": more})

    assert (refused.status, refused.code) == (422, "too_many_folders")
    assert len(acme("GET", "/v1/accounts/anna").json["folder_modes"]) == 150


def test_a_folder_that_is_never_read_is_not_synced_on_demand(aws):
    acme("POST", "/v1/accounts", BODY)
    with_folders(aws, {"id": "1" * 16, "name": "Spam", "role": "junk", "raw": "Spam"})
    body = {"folders": ["0123456789abcdef", "1" * 16]}

    refused = acme("POST", "/v1/accounts/anna/sync", body)
    acme("PATCH", "/v1/accounts/anna", {"folder_modes": {"1" * 16: "on_demand"}})
    taken = acme("POST", "/v1/accounts/anna/sync", body)

    assert (refused.status, refused.code, taken.status) == (422, "folder_never_synced", 202)
    assert refused.json["errors"][0]["pointer"] == "/folders/1"


def test_gmail_that_hides_all_mail_warns(aws):
    acme("POST", "/v1/accounts", BODY)
    inbox = {"id": "1" * 16, "name": "INBOX", "role": "inbox", "raw": "INBOX"}
    all_mail = {"id": ALL_MAIL, "name": "Alle Nachrichten", "role": "all", "raw": "x"}

    def codes():
        return [w["code"] for w in acme("GET", "/v1/accounts/anna").json["warnings"]]

    with_folders(aws, inbox, gmail=True)
    hidden = codes()
    with_folders(aws, inbox, all_mail, gmail=True)
    assert (hidden, codes()) == (["all_mail_hidden"], [])


def test_a_folder_the_mailbox_does_not_have_is_refused(aws):
    acme("POST", "/v1/accounts", BODY)
    with_folders(aws)

    body = {"folders": ["0123456789abcdef", "f" * 16]}
    refused = acme("POST", "/v1/accounts/anna/sync", body)

    assert (refused.status, refused.code) == (422, "unknown_folder")
    assert refused.json["errors"][0]["pointer"] == "/folders/1"


@pytest.mark.parametrize(
    ("change", "code", "pointer"),
    [
        ({"address": "nobody"}, "invalid_address", "/address"),
        ({"host": "imap firma.de"}, "invalid_host", "/host"),
        ({"host": "imap.firma.de\r\nA1 LOGOUT"}, "invalid_host", "/host"),
        ({"port": 0}, "invalid_request", "/port"),
        ({"port": "993"}, "invalid_request", "/port"),
        ({"username": "anna\r\nA1 LOGOUT"}, "invalid_request", "/username"),
        ({"sync_since": "2199-01-01T00:00:00Z"}, "since_in_future", "/sync_since"),
        ({"username": ""}, "invalid_request", "/username"),
        ({"password": ""}, "invalid_request", "/password"),
        ({"password": None}, "invalid_request", "/password"),
        ({"sync": "yes"}, "invalid_request", "/sync"),
        ({"automatic_filing": True}, "invalid_request", "/automatic_filing"),
        ({"automatic_filing": {}}, "invalid_request", "/automatic_filing/enabled"),
        (
            {"automatic_filing": {"enabled": True, "since": "yesterday"}},
            "invalid_request",
            "/automatic_filing/since",
        ),
        (
            {"automatic_filing": {"enabled": True, "since": "0001-01-01T00:00:00+14:00"}},
            "invalid_request",
            "/automatic_filing/since",
        ),
        ({"sync_since": 1795489200}, "invalid_request", "/sync_since"),
        ({"sync_since": "2026-11-01T00:00:00"}, "invalid_request", "/sync_since"),
        ({"aliases": ["@gmail.com"]}, "free_mail_domain", "/aliases/0"),
        ({"aliases": ["@de"]}, "free_mail_domain", "/aliases/0"),
        ({"aliases": ["a@firma.de", "team"]}, "invalid_address", "/aliases/1"),
        ({"sync_folders": "some"}, "invalid_request", "/sync_folders"),
        ({"folder_modes": {"INBOX": "auto"}}, "invalid_request", "/folder_modes/INBOX"),
        ({"folder_modes": {"1" * 16: "often"}}, "invalid_request", "/folder_modes/" + "1" * 16),
        ({"retention": "7d"}, "invalid_request", "/retention"),
        ({"tenant": "other"}, "invalid_request", "/tenant"),
        ({"id": "a/b"}, "invalid_entity", None),
        ({"version": 3}, "invalid_request", "/version"),
        ({"secret": "x"}, "invalid_request", "/secret"),
    ],
)
def test_a_bad_mailbox_is_refused_by_field(change, code, pointer):
    refused = acme("POST", "/v1/accounts", BODY | change)

    assert (refused.status, refused.code) == (422, code)
    assert pointer is None or refused.json["errors"][0]["pointer"] == pointer
    assert acme("GET", "/v1/accounts").json["items"] == []


def test_mailboxes_are_paged_through_without_loss():
    ids = [f"a-{number}" for number in range(5)]
    for account in ids:
        acme("POST", "/v1/accounts", BODY | {"id": account})

    first = acme("GET", "/v1/accounts", query={"limit": "3"}).json
    rest = acme("GET", "/v1/accounts", query={"limit": "3", "cursor": first["next"]}).json

    assert [a["id"] for a in first["items"] + rest["items"]] == ids
    assert rest["next"] is None
