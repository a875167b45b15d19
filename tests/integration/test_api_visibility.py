"""Who sees what: (kind of viewer) x (route) x (visibility), and that hidden reads as not there."""

import json
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from tests.support.aws_calls import aws_calls
from tests.support.events import context, s3_created, sqs_event
from tests.support.http_events import Client
from tests.support.tenants import connect_account, index_contact

from ablage.messages import Entity
from ablage.store import keys, messages
from ablage.store.raw_mail import RawKey, RawMetadata
from ablage.tenancy import TenantId
from api.cursors import ARCHIVE
from match.handler import lambda_handler as match

TENANT, OTHER = TenantId("acme"), TenantId("other")
NOW = datetime.now(UTC).replace(microsecond=0)
NOT_THERE = "a" * 26
BODY = "Hello-body"
SERVER = Client("acme", subject="erp")
VIEWERS = {
    "owner": Client("acme", "read file", "anna"),
    "viewer": Client("acme", "read file", "vera"),
    "server": SERVER,
}
OTHERS = {
    "user": Client("acme", "read file", "otto"),
    "manager": Client("acme", "read file manage", "mara"),
    "nameless": Client("acme", "read file", ""),
}
MESSAGE = [
    ("GET", ""),
    ("GET", "?content=false"),
    ("GET", "/filings"),
    ("GET", "/raw"),
    ("GET", "/html"),
    ("GET", "/attachments/1"),
    ("PUT", "/filings/quote/q9"),
    ("PUT", "/filings"),
    ("DELETE", "/filings/quote/q8"),
    ("DELETE", "/private"),
]
CONTENT = {"/raw", "/html", "/attachments/1"}
ACCOUNT = [
    ("GET", "/messages"),
    ("GET", "/runs"),
    ("GET", "/completeness"),
    ("POST", "/sync"),
]
LEVELS = {"full": "full", "headers": "headers", "viewers": None}


def received(number):
    return (NOW - timedelta(days=3) + timedelta(minutes=number)).strftime("%Y-%m-%dT%H:%M:%SZ")


def arrive(aws, number, *, account="anna", sender="max@kunde.de", extra="", body=BODY, **more):
    """One mail into an account, matched: its id. `uid` tells several copies apart."""
    at = datetime.fromisoformat(received(number))
    raw = (
        f"From: {sender}\r\nTo: team@own.de\r\n{extra}Subject: Offer {number}\r\n"
        f"Message-ID: <m{number}@kunde.de>\r\nContent-Type: multipart/mixed; boundary=b\r\n"
        f"Date: {at.strftime('%a, %d %b %Y %H:%M:%S +0000')}\r\n\r\n--b\r\n\r\n{body}\r\n"
        "--b\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nx\r\n--b--\r\n"
    ).encode()
    role = more.get("role", "inbox")
    key = RawKey("30d", more.get("tenant", TENANT), account, f"{len(role)}" * 16, 1, number)
    aws.raw.put(key, raw, RawMetadata(received(number), role=role))
    match(sqs_event(s3_created(aws.raw.bucket, key.text)), context())
    query = {"limit": "100"}
    rows = Client(key.tenant)("GET", f"/v1/accounts/{account}/messages", query=query).json["items"]
    return next(row["message"] for row in rows if row["received_at"] == received(number))


@pytest.fixture
def house(aws):
    """Two tenants with equal ids; anna's mailbox, with a viewer, and ben's."""
    for tenant in (TENANT, OTHER):
        for name in ("anna", "ben"):
            connect_account(aws, tenant, name, f"{name}@own.de", filing=True)
        index_contact(aws, tenant, "max@kunde.de", "c-1", ["K1"])
    change("anna", owner="anna", viewers=["vera"])
    change("ben", owner="ben")
    return aws


def change(account, **settings):
    assert SERVER("PATCH", f"/v1/accounts/{account}", settings).status == 200


def ask(client, method, path):
    path, _, query = path.partition("?")
    kept = [{"entity_type": "contact", "entity_id": "c-1"}]
    bodies = {"/sync": {"folders": []}, "/filings": {"keep": kept}}
    body = next((b for end, b in bodies.items() if path.endswith(end) and method != "GET"), None)
    return client(method, path, body, query=dict([query.split("=")]) if query else None)


def archive(client, entity="contact/c-1", **query):
    answer = client("GET", f"/v1/archives/{entity}", query={"limit": "100"} | query)
    assert answer.status == 200
    return answer.json


def subjects(client, entity="contact/c-1"):
    return [row["subject"] for row in archive(client, entity)["items"]]


def same(hidden, absent):
    """Byte for byte, but for the id of the request."""
    each_its_own = {"X-Request-Id": "", "RateLimit": ""}
    told = [answer.headers | each_its_own for answer in (hidden, absent)]
    return (hidden.status, hidden.text, told[0]) == (absent.status, absent.text, told[1])


# ---- the matrix ----------------------------------------------------------------------------------


@pytest.mark.parametrize("visibility", LEVELS)
def test_every_route_shows_others_what_the_mailbox_allows_and_nothing_else(house, visibility):
    change("anna", visibility=visibility)
    filed = arrive(house, 1)
    unfiled = arrive(house, 2, sender="stranger@x.de")
    private = arrive(house, 3, sender="friend@x.de")
    SERVER("PUT", f"/v1/messages/{private}/filings/contact/c-1")
    SERVER("PUT", f"/v1/messages/{private}/private")
    levels = {filed: LEVELS[visibility], unfiled: None, private: None}

    wrong = [
        (kind, method, path, message == filed)
        for (kind, client), message in product(OTHERS.items(), levels)
        for method, path in MESSAGE
        if not fits(client, method, path, message, levels[message])
    ]
    wrong += [
        (kind, method, path)
        for (kind, client), (method, path) in product(OTHERS.items(), ACCOUNT)
        if not same(
            ask(client, method, f"/v1/accounts/anna{path}"),
            ask(client, method, f"/v1/accounts/nobody{path}"),
        )
    ]

    assert wrong == []
    shown = ["Offer 1"] if LEVELS[visibility] else []
    assert [subjects(client) for client in OTHERS.values()] == [shown] * 3
    assert [subjects(client) for client in VIEWERS.values()] == [["Offer 3", "Offer 1"]] * 3


def fits(client, method, path, message, level):
    answer = ask(client, method, f"/v1/messages/{message}{path}")
    if level is None:
        return same(answer, ask(client, method, f"/v1/messages/{NOT_THERE}{path}"))
    if path in CONTENT and level == "headers":
        return (answer.status, answer.code) == (403, "content_hidden")
    if not 200 <= answer.status < 300:
        return False
    if level == "headers":
        return BODY not in answer.text
    return path != "" or BODY in answer.json["text"]


def test_viewers_read_all_of_it_whatever_others_may_see(house):
    change("anna", visibility="viewers")
    for number, sender in ((1, "max@kunde.de"), (2, "stranger@x.de")):
        message = arrive(house, number, sender=sender)
        SERVER("PUT", f"/v1/messages/{message}/filings/contact/c-1")
        SERVER("PUT", f"/v1/messages/{message}/private")
        wrong = [
            (kind, method, path)
            for (kind, client), (method, path) in product(VIEWERS.items(), MESSAGE)
            if not fits(client, method, path, message, "full")
        ]
        assert wrong == []
    for client in VIEWERS.values():
        for method, path in ACCOUNT:
            assert ask(client, method, f"/v1/accounts/anna{path}").status in (200, 202)


def test_headers_show_no_word_of_the_mail_in_lists(house):
    arrive(house, 1)
    user = OTHERS["user"]

    ((theirs,), (own,)) = (archive(client)["items"] for client in (user, VIEWERS["owner"]))

    assert (theirs["access"], theirs["snippet"], theirs["subject"]) == ("headers", "", "Offer 1")
    assert (own["access"], own["snippet"]) == ("full", BODY)


@pytest.mark.parametrize(
    ("settings", "shown"),
    [({"owner": "anna"}, "headers"), ({"owner": None}, "full"), ({"visibility": "viewers"}, None)],
)
def test_where_nobody_chose_a_person_s_mailbox_shows_headers_a_shared_one_all(
    house, settings, shown
):
    arrive(house, 1)

    change("anna", **settings)

    assert [row["access"] for row in archive(OTHERS["user"])["items"]] == ([shown] if shown else [])


def test_without_owner_and_viewers_unfiled_mail_is_for_servers_alone(house):
    message = arrive(house, 1, sender="stranger@x.de")

    change("anna", owner=None, viewers=[])

    everybody = VIEWERS | OTHERS
    seeing = {k for k, c in everybody.items() if ask(c, "GET", f"/v1/messages/{message}").json
              and ask(c, "GET", f"/v1/messages/{message}").status == 200}  # fmt: skip
    assert seeing == {"server"}


def test_a_change_of_owner_viewers_or_visibility_counts_at_once(house):
    arrive(house, 1)
    user = OTHERS["user"]
    seen = []

    for settings in ({"visibility": "viewers"}, {"viewers": ["otto"]}, {"viewers": []},
                     {"owner": "otto"}, {"owner": "anna", "visibility": "full"}):  # fmt: skip
        change("anna", **settings)
        seen.append(len(subjects(user)))

    assert seen == [0, 1, 0, 1, 1]


def test_a_disconnected_mailbox_goes_on_ruling_its_mail(house):
    change("anna", visibility="viewers")
    arrive(house, 1)

    assert SERVER("DELETE", "/v1/accounts/anna").status == 204

    assert subjects(OTHERS["user"]) == []
    assert subjects(VIEWERS["owner"]) == ["Offer 1"]


def test_rights_of_one_tenant_are_none_in_another(house):
    arrive(house, 1, tenant=OTHER)

    assert subjects(Client("other", "read", "anna")) == ["Offer 1"]
    assert subjects(Client("acme", "read", "anna")) == []


# ---- several mailboxes ---------------------------------------------------------------------------


@pytest.mark.parametrize(("annas", "bens"), list(product(LEVELS, LEVELS)))
def test_a_message_shows_what_the_widest_contributing_mailbox_allows(house, annas, bens):
    change("anna", visibility=annas)
    change("ben", visibility=bens)
    message = arrive(house, 1)
    arrive(house, 1, account="ben")

    widest = next(
        level for level in ("full", "headers", None) if level in {LEVELS[annas], LEVELS[bens]}
    )

    assert [row["access"] for row in archive(OTHERS["user"])["items"]] == (
        [widest] if widest else []
    )
    answer = ask(OTHERS["user"], "GET", f"/v1/messages/{message}")
    assert answer.status == (200 if widest else 404)
    if widest:
        shown = {"anna": annas, "ben": bens}
        copies = {copy["account"] for copy in answer.json["copies"]}
        assert copies == {account for account, level in shown.items() if level != "viewers"}


def test_a_mailbox_that_does_not_file_widens_nothing(house):
    change("anna", visibility="viewers")
    change("ben", visibility="full", automatic_filing={"enabled": False})
    arrive(house, 1)
    message = arrive(house, 1, account="ben")

    assert subjects(OTHERS["user"]) == []
    ben = Client("acme", "read", "ben")
    assert subjects(ben) == ["Offer 1"]
    assert ask(ben, "GET", f"/v1/messages/{message}").json["text"].strip() == BODY


def test_a_forged_copy_opens_no_hidden_mail(house):
    change("anna", visibility="viewers")
    change("ben", visibility="full")
    message = arrive(house, 1)
    arrive(house, 1, account="ben", body="Forged")
    ben, user = Client("acme", "read", "ben"), OTHERS["user"]

    shown = [ask(ben, "GET", f"/v1/messages/{message}{end}").text for end in ("", "/html")]

    assert all(BODY not in text and "Forged" in text for text in shown)
    assert BODY not in ben("GET", "/v1/accounts/ben/messages").text
    assert subjects(ben) == subjects(user) == []
    assert same(
        ask(user, "GET", f"/v1/messages/{message}"), ask(user, "GET", f"/v1/messages/{NOT_THERE}")
    )


@pytest.mark.parametrize("annas", ["full", "viewers"])
def test_who_has_only_a_forged_copy_cannot_file_the_mail_and_so_open_it(house, annas):
    change("anna", visibility=annas)
    message = arrive(house, 1, sender="stranger@x.de")
    arrive(house, 1, account="ben", sender="stranger@x.de", body="Forged")
    ben = Client("acme", "read file", "ben")

    answers = [
        ben("PUT", f"/v1/messages/{message}/filings/quote/q1"),
        ben("DELETE", f"/v1/messages/{message}/filings/quote/q1"),
        ben("PUT", f"/v1/messages/{message}/filings", {"keep": []}),
        ben("PUT", f"/v1/messages/{message}/private"),
    ]

    assert {(answer.status, answer.code) for answer in answers} == {(403, "variant_only")}
    assert subjects(SERVER, "quote/q1") == []


def test_own_addresses_of_hidden_mailboxes_are_in_no_decision(house):
    index_contact(house, TENANT, "anna@own.de", "c-anna", [])
    change("anna", visibility="viewers")
    change("ben", visibility="full")
    message = arrive(house, 1)
    arrive(house, 1, account="ben")

    theirs = ask(OTHERS["user"], "GET", f"/v1/messages/{message}?content=false").text
    own = ask(VIEWERS["owner"], "GET", f"/v1/messages/{message}?content=false").text

    assert "anna@own.de" in own
    assert "anna@own.de" not in theirs


# ---- accounts ------------------------------------------------------------------------------------


def test_what_an_account_knows_of_its_mail_is_for_viewers_and_managers(house):
    index_contact(house, TENANT, "anna@own.de", "c-anna", [])
    arrive(house, 1, sender="stranger@x.de")

    def warned(client):
        return [w["code"] for w in client("GET", "/v1/accounts/anna").json["warnings"]]

    told = {kind for kind, client in (VIEWERS | OTHERS).items() if warned(client)}

    assert told == {"owner", "viewer", "server", "manager"}


def test_a_page_costs_one_read_of_rights_and_none_for_servers(house):
    for number in (1, 2, 3):
        arrive(house, number, account="anna" if number % 2 else "ben")
    costs = []

    for client in (OTHERS["user"], SERVER):
        with aws_calls() as calls:
            archive(client, labels="false")
        costs.append(calls)

    assert costs == [["dynamodb:Query", "dynamodb:BatchGetItem"], ["dynamodb:Query"]]


# ---- lists ---------------------------------------------------------------------------------------


def test_pages_are_full_and_no_cursor_names_a_hidden_row(house):
    change("anna", visibility="viewers")
    change("ben", visibility="full")
    hidden = {arrive(house, n, account="anna" if n % 5 else "ben") for n in range(1, 16) if n % 5}
    for number in (5, 10, 15):
        arrive(house, number, account="ben")

    found, cursors, cursor = [], [], {}
    while True:
        page = archive(OTHERS["user"], **{"limit": "2"} | cursor)
        found += [row["subject"] for row in page["items"]]
        if page["next"] is None:
            break
        assert len(page["items"]) == 2
        cursors.append(ARCHIVE.decode(page["next"]))
        cursor = {"cursor": page["next"]}

    assert found == ["Offer 15", "Offer 10", "Offer 5"]
    assert not any(message in cursor for message, cursor in product(hidden, cursors))


def test_long_runs_of_hidden_rows_end_a_page_before_a_whole_second(house):
    """600 hidden rows between two that are shown, written as change writes them."""
    change("anna", visibility="viewers")
    change("ben", visibility="full")
    start = NOW - timedelta(days=2)
    for number in range(602):
        owner = "ben" if number in (0, 601) else "anna"
        at = (start + timedelta(seconds=number // 3)).strftime("%Y-%m-%dT%H:%M:%SZ")
        message = f"{number:06d}".translate(str.maketrans("0123456789", "abcdefghij")) + "b" * 20
        row = {"m": message, "t": at, "s": str(number), "p": "", "w": "inbound", "sn": "",
               "k": "normal", "o": ["auto"], "ac": [owner]}  # fmt: skip
        house.table.put(keys.archive_entry(TENANT, "contact", "c-1", at, message), row)

    first = archive(OTHERS["user"], limit="25")
    second = archive(OTHERS["user"], limit="25", cursor=first["next"])
    stands_at = ARCHIVE.decode(first["next"])

    assert [row["subject"] for row in first["items"]] == ["601"]
    assert [row["subject"] for row in second["items"]] == ["0"]
    assert second["next"] is None
    assert stands_at.endswith("#" + "z" * 26)  # no message's id


def test_a_row_whose_accounts_have_no_room_asks_the_message(house):
    names = [f"{number:02d}{'x' * 60}" for number in range(4)]
    for name in names:
        connect_account(house, TENANT, name, f"{name[:2]}@own.de", filing=True)
        change(name, owner=f"o{name[:2]}", visibility="viewers")
        message = arrive(house, 1, account=name)
    stored = messages.read(house.table, TENANT, message)
    row = house.table.get(keys.archive_entry(TENANT, "contact", "c-1", stored.sort_time, message))

    assert row["ac"][-1] == "*"
    assert Entity("contact", "c-1") in stored.filings
    assert subjects(Client("acme", "read", "o03")) == ["Offer 1"]
    assert subjects(OTHERS["user"]) == []


def test_held_mail_is_reviewed_by_its_mailbox_s_viewers(house):
    forged = "Authentication-Results: mx.own.de; dmarc=fail header.from=own.de\r\n"
    message = arrive(house, 1, sender="anna@own.de", extra=forged)
    verdict = {"verdict": "accept"}

    listed = {
        kind: [row["message"] for row in client("GET", "/v1/review").json["items"]]
        for kind, client in (VIEWERS | OTHERS).items()
    }

    assert listed == {kind: [message] if kind in VIEWERS else [] for kind in listed}
    for client in OTHERS.values():
        hidden = client("PUT", f"/v1/review/{message}", verdict)
        assert same(hidden, client("PUT", f"/v1/review/{NOT_THERE}", verdict))


def test_trace_explain_previews_and_jobs_tell_others_nothing(house):
    message = arrive(house, 1, sender="stranger@x.de")
    headers = (
        f"From: stranger@x.de\r\nMessage-ID: <m1@kunde.de>\r\nDate: "
        f"{datetime.fromisoformat(received(1)).strftime('%a, %d %b %Y %H:%M:%S +0000')}\r\n"
    )
    job = SERVER("POST", "/v1/accounts/anna/sync", {"folders": []}).json["id"]
    preview = {"kind": "filing_on", "account": "anna"}

    def told(client):
        traced = client("GET", "/v1/trace", query={"message_id": "m1@kunde.de"})
        explained = client("POST", "/v1/explain", {"headers": headers}).json["message"]
        boxes = [box["account"] for box in traced.json["accounts"]]
        found = [
            client("POST", "/v1/previews", preview).status,
            client("GET", f"/v1/jobs/{job}").status,
        ]
        return [walk["message"] for walk in traced.json["items"]], boxes, explained, found

    assert told(VIEWERS["owner"]) == ([message], ["anna"], message, [200, 200])
    assert told(OTHERS["user"]) == ([], [], None, [404, 404])
    named = {"message_id": "m1@kunde.de", "account": "anna"}
    absent = OTHERS["user"]("GET", "/v1/trace", query=named | {"account": "nobody"})
    assert same(OTHERS["user"]("GET", "/v1/trace", query=named), absent)


def test_previews_over_every_mailbox_need_a_wide_token(house):
    asked = {"kind": "blocklist_entry", "entry": "kunde.de"}

    answers = {kind: c("POST", "/v1/previews", asked) for kind, c in (VIEWERS | OTHERS).items()}

    refused = {kind for kind, answer in answers.items() if answer.status == 403}
    assert refused == {"owner", "viewer", "user", "nameless"}
    assert {answers[kind].code for kind in refused} == {"insufficient_scope"}


# ---- Bcc -----------------------------------------------------------------------------------------


def test_bcc_leaves_no_trace_for_anybody_but_the_sender_s_viewers(house):
    index_contact(house, TENANT, "secret@k.de", "c-blind", ["K-blind"])
    change("anna", visibility="full")
    change("ben", visibility="full")
    message = arrive(
        house,
        1,
        sender="anna@own.de",
        extra="Cc: max@kunde.de\r\nBcc: secret@k.de\r\n",
        role="sent",
    )
    arrive(house, 1, account="ben", sender="anna@own.de", extra="Cc: max@kunde.de\r\n")
    plain = {f"/v1/messages/{message}{end}" for end in ("", "/filings", "/html", "?content=false")}
    lists = {"/v1/archives/contact/c-1", "/v1/archives/contact/c-blind",
             "/v1/archives/customer/K-blind", "/v1/trace?message_id=m1@kunde.de"}  # fmt: skip

    def told(client):
        texts = [ask(client, "GET", path).text for path in sorted(plain | lists)]
        return any("secret" in text or "blind" in text for text in texts)

    ben = Client("acme", "read file", "ben")
    assert {kind: told(client) for kind, client in VIEWERS.items()} == dict.fromkeys(VIEWERS, True)
    assert {kind: told(client) for kind, client in (OTHERS | {"ben": ben}).items()} == (
        dict.fromkeys([*OTHERS, "ben"], False)
    )
    overview = ben("GET", "/v1/accounts/ben/messages").text
    assert "blind" not in overview
    assert "c-1" in overview
    shown = ask(OTHERS["user"], "GET", f"/v1/messages/{message}").json
    assert shown["filings_count"] == len(shown["filings"]) > 0


def test_keeping_some_filings_leaves_those_alone_that_one_may_not_know(house):
    index_contact(house, TENANT, "secret@k.de", "c-blind", [])
    change("anna", visibility="full")
    message = arrive(
        house,
        1,
        sender="anna@own.de",
        extra="Cc: max@kunde.de\r\nBcc: secret@k.de\r\n",
        role="sent",
    )

    kept = {"keep": [{"entity_type": "contact", "entity_id": "c-1"}]}
    answer = OTHERS["user"]("PUT", f"/v1/messages/{message}/filings", kept)

    assert "blind" not in answer.text
    assert subjects(SERVER, "contact/c-blind") == ["Offer 1"]
    assert subjects(SERVER, "customer/K1") == []


def test_filing_by_hand_where_bcc_led_already_tells_nothing(house):
    index_contact(house, TENANT, "secret@k.de", "c-blind", [])
    change("anna", visibility="full")
    message = arrive(
        house,
        1,
        sender="anna@own.de",
        extra="Cc: max@kunde.de\r\nBcc: secret@k.de\r\n",
        role="sent",
    )

    filed = OTHERS["user"]("PUT", f"/v1/messages/{message}/filings/contact/c-blind").json

    assert (filed["origins"], filed["paths"]) == (["manual"], [])
    assert "secret" not in json.dumps(filed)
