"""A mail whose body cannot be had, from the mail server to who reads the API: what is wrong, what
to do, and its body once it comes."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.integration.test_sync_parked import HEADER, poison
from tests.support.events import context, s3_created, sqs_event
from tests.support.hostile_imap import HostileImap, Script, Talk
from tests.support.http_events import Answer, Client
from tests.support.mailboxes import OTHER, TENANT, connect_mailbox, raw_keys, tools_for
from tests.support.odd_inbox import Hook, asked, inbox
from tests.support.polling import poll_once
from tests.support.tenants import index_contact

from ablage.limits import MESSAGE_BYTES
from ablage.store.storage import Storage
from match.handler import lambda_handler

Hostile = Callable[[Script], HostileImap]
FLAGS = ["body_not_stored", "limited"]
BODY = "at last"
acme = Client(TENANT)


class World:
    """One mailbox; mail 1 of it is handed out once `moods` says so."""

    def __init__(self, where: Storage, hostile: Hostile, hook: Hook, moods: dict[str, object]):
        self.where, self.moods, self.last = where, moods, 2
        self.server = hostile(inbox(lambda: self.last, hook))
        self.account = connect_mailbox(
            where,
            self.server,
            "u@example.com",
            filing_enabled=True,
            filing_since="2020-01-01T00:00:00Z",
        )
        index_contact(where, TENANT, "a@kunde.de", "c1", ["k1"])
        self.now = tools_for(where, self.server).now()
        self.seen: set[tuple[str, str]] = set()

    def look(self, days: int = 0) -> None:
        """A poll and what S3 tells match of it, then new mail."""
        at = self.now + days * 86400
        poll_once(tools_for(self.where, self.server, now=lambda: at), self.account)
        s3 = self.where.raw._client
        found = {
            (key, s3.head_object(Bucket=self.where.raw.bucket, Key=key)["ETag"])
            for key in raw_keys(self.where)
        }
        created = [s3_created(self.where.raw.bucket, key) for key, _ in found - self.seen]
        self.seen |= found
        assert lambda_handler(sqs_event(*created), context()) == {"batchItemFailures": []}
        self.last += 1

    def row(self, path: str) -> dict[str, Any]:
        (found,) = [row for row in acme("GET", path).json["items"] if row["subject"] == "poison"]
        return found

    def overview_row(self) -> dict[str, Any]:
        return self.row("/v1/accounts/box/messages")

    def read(self, more: str = "") -> Answer:
        return acme("GET", f"/v1/messages/{self.overview_row()['message']}{more}")


def too_large(_moods: dict[str, object]) -> Hook:
    header = poison({"sick": True})

    def hook(talk: Talk, command: bytes) -> bool:
        if b"FETCH" not in command or b"BODY" in command:
            return header(talk, command)
        sizes = {uid: MESSAGE_BYTES + 1 if uid == 1 else 9 for uid in asked(command)}
        lines = [b"* %d FETCH (UID %d RFC822.SIZE %d)\r\n" % (n, n, s) for n, s in sizes.items()]
        talk.ok(b"".join(lines))
        return True

    return hook


@pytest.fixture(params=["unfetchable", "too_large"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(aws: Storage, hostile: Hostile, kind: str) -> World:
    """As it is shown once its header was asked for."""
    moods: dict[str, object] = {"sick": True}
    hook = poison(moods) if kind == "unfetchable" else too_large(moods)
    made = World(aws, hostile, hook, moods)
    for _ in range(3 if kind == "unfetchable" else 1):
        made.look()
    return made


def test_lists_show_it_where_it_belongs_and_flag_it(world: World) -> None:
    row, archived = world.overview_row(), world.row("/v1/archives/contact/c1")

    assert (row["flags"], row["filed"], row["party"]) == (FLAGS, True, "a@kunde.de")
    assert [f["entity_id"] for f in row["filings"]] == ["c1", "k1"]
    assert (archived["message"], archived["flags"]) == (row["message"], FLAGS)
    assert world.row("/v1/archives/customer/k1")["flags"] == FLAGS


def test_the_message_has_no_text_rather_than_an_empty_one(world: World) -> None:
    shown = world.read().json

    assert (shown["subject"], shown["sender"]) == ("poison", "a@kunde.de")
    assert shown["flags"] == FLAGS
    assert (shown["text"], shown["attachments"], shown["has_html"]) == (None, None, None)
    assert shown["problems"] == ["body_not_stored"]


@pytest.mark.parametrize("more", ["/html", "/attachments/1"])
def test_what_needs_the_body_says_why_it_is_not_there(world: World, more: str) -> None:
    refused = world.read(more)

    assert (refused.status, refused.code) == (410, "body_not_stored")
    assert "mailbox" in refused.json["detail"]


def test_its_raw_link_leads_to_the_header(world: World) -> None:
    link = world.read("/raw").json["url"]

    key = link.split("amazonaws.com/")[1].partition("?")[0]
    bucket = world.where.archive.bucket
    stored = world.where.raw._client.get_object(Bucket=bucket, Key=key)["Body"].read()
    assert stored == HEADER


def test_the_account_says_what_is_wrong_and_what_to_do(world: World, kind: str) -> None:
    account = acme("GET", "/v1/accounts/box").json

    (parked,) = account["parked"]
    assert (account["status"], account["parked_count"]) == ("ok", 1)
    assert (parked["uid"], parked["code"], parked["header_asked"]) == (1, kind, True)
    assert parked["given_up"] is (kind == "too_large")
    assert parked["detail"]
    assert "Open it in the mailbox" in parked["action"]
    (folder,) = acme("GET", "/v1/accounts/box/completeness").json["folders"]
    assert (folder["complete"], folder["parked"]) == (False, [parked])


def test_another_tenant_sees_nothing_of_it(world: World) -> None:
    message = world.overview_row()["message"]

    assert Client(OTHER)("GET", f"/v1/messages/{message}").code == "not_found"
    assert Client(OTHER)("GET", "/v1/accounts/box").code == "not_found"


@pytest.mark.parametrize("kind", ["unfetchable"], indirect=True)
def test_its_body_is_shown_once_it_comes(world: World) -> None:
    before = world.read().json
    world.moods["sick"] = False

    world.look(days=1)
    assert world.read().json["problems"] == ["body_not_stored"]
    world.look(days=8)

    shown = world.read().json
    assert (shown["id"], shown["text"].strip(), shown["flags"]) == (before["id"], BODY, [])
    assert (shown["size"], shown["snippet"]) == (len(HEADER) + len(BODY) + 2, BODY)
    assert shown["filings"] == before["filings"]
    assert len(shown["copies"]) == 1
    assert BODY in world.read("/html").json["html"]
    row = world.row("/v1/archives/contact/c1")
    assert (row["flags"], row["snippet"]) == ([], BODY)
    account = acme("GET", "/v1/accounts/box").json
    assert (account["parked"], account["parked_count"]) == ([], 0)
    assert (
        sum(r["subject"] == "poison" for r in acme("GET", "/v1/archives/contact/c1").json["items"])
        == 1
    )


@pytest.mark.parametrize("kind", ["unfetchable"], indirect=True)
def test_filing_by_hand_takes_what_there_is(world: World) -> None:
    message = world.overview_row()["message"]

    filed = acme("PUT", f"/v1/messages/{message}/filings/quote/Q-1")

    assert filed.status == 200
    assert world.row("/v1/archives/quote/Q-1")["flags"] == FLAGS
