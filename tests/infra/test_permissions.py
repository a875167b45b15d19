"""Each function is allowed what it really calls: moto itself asks no role.

A walk through the whole house with the real handlers, every AWS call noted with the function that
made it, then held against the role in the template.
"""

import functools
import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

import botocore.client
import pytest
from infra.local.intrinsics import references
from infra.local.stack import LocalStack
from infra.local.translate import translate
from tests.support.hooks import add_hook, happened, receiving
from tests.support.receiver import OK, Receiver, status

from ablage.store import webhooks
from ablage.store.feed import moment
from ablage.store.storage import storage
from ablage.tenancy import TenantId
from ablage.webhooks import Delivery, trial
from api.handler import lambda_handler as api
from deliver.handler import lambda_handler as deliver
from match.handler import lambda_handler as match
from sync.dispatch import lambda_handler as dispatch
from sync.handler import lambda_handler as sync
from webhook.handler import lambda_handler as webhook

FUNCTIONS = (
    "DispatchFunction",
    "SyncFunction",
    "MatchFunction",
    "ApiFunction",
    "DeliverFunction",
    "WebhookFunction",
)
DATA_ROLE = "DataRole"  # the API's, for one tenant
USER = "anna@own.example"
MAIL = (
    b"From: Bert <bert@customer.example>\r\nTo: anna@own.example\r\nSubject: Offer\r\n"
    b"Message-ID: <offer@customer.example>\r\nContent-Disposition: attachment; filename=a.txt\r\n"
    b"\r\nHi\r\n"
)
# AWS asks for another permission than the operation is called.
PERMISSIONS = {
    "s3:HeadObject": "s3:GetObject",
    "s3:HeadBucket": "s3:PutObject",  # never sent: `store.s3_endpoint` takes its URL for a PUT
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:ListObjectsV2": "s3:ListBucket",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}
TRANSACTED = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}

Used = set[tuple[str, str, str]]  # function, permission, logical id of the resource


class Notebook:
    """Who called what, and which partitions were read."""

    def __init__(self) -> None:
        self.function = ""
        self.calls: list[tuple[str, str, str, dict[str, Any]]] = []

    def watching(self, function: str, handler: Callable[..., Any]) -> Callable[..., Any]:
        def watched(event: Any, context: Any) -> Any:
            outer, self.function = self.function, function
            try:
                return handler(event, context)
            finally:
                self.function = outer

        return watched

    def note(self, service: str, operation: str, request: dict[str, Any], *, acting: bool) -> None:
        """`acting`: with the credentials of a session, not with the function's own."""
        if self.function:
            who = DATA_ROLE if acting else self.function
            self.calls.append((who, service, operation, request))


def handlers(notebook: Notebook) -> dict[str, Callable[..., Any]]:
    found = zip(FUNCTIONS, (dispatch, sync, match, api, deliver, webhook), strict=True)
    return {name: notebook.watching(name, handler) for name, handler in found}


class Walk:
    """One tenant's day: connect, sync, match, file by hand, unfile, disconnect."""

    def __init__(self, stack: LocalStack, receiver: Receiver) -> None:
        self.stack = stack
        self.receiver = receiver
        self.token = stack.token("acme")

    def call(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            self.stack.base_url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def go(self) -> str:
        """The id of the one filed message."""
        self.stack.imap.add_user(USER, "password")
        self.call("PUT", "/v1/customers/k1", {"name": "Customer"})
        contact = {"name": "Bert", "addresses": ["bert@customer.example"], "customers": ["k1"]}
        self.call("PUT", "/v1/contacts/c1", contact)
        self.call("POST", "/v1/blocklist", {"entry": "spam.example"})
        self.call("POST", "/v1/accounts", self.account())
        self.stack.drain()
        self.stack.imap.append(USER, "INBOX", MAIL)
        self.call("POST", "/v1/accounts/anna/check")
        self.stack.tick(datetime.now(UTC))
        self.stack.drain(delays=True)
        self.sync("INBOX")
        (entry,) = self.call("GET", "/v1/archives/customer/k1")["items"]
        self.by_hand(entry["message"])
        self.stack.drain(delays=True)
        self.export()
        self.post()
        self.look_back()
        self.import_contacts()
        self.hear()
        self.call("DELETE", "/v1/accounts/anna")
        return str(entry["message"])

    def read_as_a_person(self, message: str) -> None:
        """Who does not see every mailbox has rights to be read for."""
        wide, self.token = self.token, self.stack.token("acme", ("read", "file"))
        self.call("GET", "/v1/archives/customer/k1?subject=offer")
        self.call("GET", f"/v1/messages/{message}")
        counted = [{"entity_type": "customer", "entity_id": "k1"}]
        self.call("POST", "/v1/archives/counts", {"items": counted})
        self.call("GET", "/v1/review")
        link = self.call("GET", f"/v1/messages/{message}/raw")["url"]
        with urllib.request.urlopen(link, timeout=30) as answer:
            assert answer.read() == MAIL
        self.token = wide

    def export(self) -> None:
        asked = {"entity_type": "customer", "entity_id": "k1"}
        job = self.call("POST", "/v1/exports", asked)
        self.stack.drain()
        url = self.call("GET", f"/v1/jobs/{job['id']}")["result_url"]
        with urllib.request.urlopen(url, timeout=30) as answer:
            assert answer.read(4) == b"PK\x03\x04"

    def post(self) -> None:
        """A mail of the tenant's own system: announced, uploaded, matched, found."""
        mail = MAIL.replace(b"<offer@", b"<posted@")
        asked = {"external_id": "erp-1", "size": len(mail), "provider_message_id": "0102"}
        upload = self.call("POST", "/v1/messages", asked)["upload"]
        put = urllib.request.Request(
            upload["url"], data=mail, method="PUT", headers=upload["headers"]
        )
        with urllib.request.urlopen(put, timeout=30) as answer:
            assert answer.status == 200
        self.stack.drain()
        assert self.call("GET", "/v1/messages?external_id=erp-1")["items"]
        assert self.call("GET", "/v1/messages?message_id=0102")["items"]

    def look_back(self) -> None:
        """Previews, a batch that only dispatch finds, its undoing, a merge, an archive deleted."""
        self.call("POST", "/v1/previews", {"kind": "filing_on", "account": "anna"})
        self.call("POST", "/v1/previews", {"kind": "blocklist_entry", "entry": "spam.example"})
        address = {"contact": "c1", "address": "bert@customer.example"}
        self.call("POST", "/v1/previews", {"kind": "contact_address"} | address)
        asked = {"kind": "reevaluate", "since": "2020-01-01T00:00:00Z"}
        job = self.call("POST", "/v1/batches", asked)
        self.stack.tick(datetime.now(UTC) + timedelta(minutes=1))
        self.stack.drain()
        assert self.call("GET", f"/v1/jobs/{job['id']}")["state"] == "done"
        self.call("POST", f"/v1/batches/{job['id']}/undo")
        self.call("PUT", "/v1/contacts/c2", {"name": "Bert, too"})
        self.call("POST", "/v1/contacts/c1/merge", {"into": "c2"})
        self.stack.drain()
        self.call("DELETE", "/v1/contacts/c2?archive=delete")
        self.stack.drain()

    def import_contacts(self) -> None:
        """Uploaded and fetched by signed links; a snapshot that deletes what it does not name."""
        self.call("POST", "/v1/contacts/batch", {"items": [{"id": "c3"}, {"id": "c4"}]})
        lines = b'{"id": "c4", "addresses": ["b@customer.example"]}\n'
        asked = {"type": "contacts", "mode": "snapshot", "size": len(lines), "confirm": True}
        made = self.call("POST", "/v1/imports", asked)
        upload = made["upload"]
        request = urllib.request.Request(
            upload["url"], method=upload["method"], data=lines, headers=upload["headers"]
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200
        self.call("POST", f"/v1/imports/{made['id']}/start")
        self.stack.drain()
        done = self.call("GET", f"/v1/jobs/{made['id']}")
        assert (done["state"], done["result"]["deleted"]) == ("done", 1)
        with urllib.request.urlopen(done["result_url"], timeout=30) as answer:
            assert len(answer.read().splitlines()) == done["total"]

    def hear(self) -> None:
        """A hook that an event of a minute ago waits for, refused once and taken then."""
        self.receiver.tls = self.stack.certificates.server_context()
        hook = add_hook(storage(), TenantId("acme"), self.receiver.url)
        test = Delivery(trial("t1", moment(0)))
        webhooks.ask(storage().table, hook.tenant, hook.webhook_id, [test], 0)
        event_id = happened(storage(), hook.tenant, "job1", now=datetime.now(UTC).timestamp())
        self.stack.tick(datetime.now(UTC) + timedelta(minutes=2))
        self.stack.drain(delays=True)
        webhooks.change(storage().table, hook.tenant, hook.config, 0)
        self.stack.tick(datetime.now(UTC) + timedelta(minutes=3))
        self.stack.drain(delays=True)
        assert self.receiver.ids[:3] == ["t1", event_id, event_id]

    def account(self) -> dict[str, Any]:
        return {
            "id": "anna",
            "address": USER,
            "host": "localhost",
            "port": self.stack.imap.port,
            "username": USER,
            "password": "password",
            "automatic_filing": {"enabled": True},
        }

    def sync(self, name: str) -> None:
        folders = self.call("GET", "/v1/accounts/anna/folders")["items"]
        wanted = [folder["id"] for folder in folders if folder["name"] == name]
        job = self.call("POST", "/v1/accounts/anna/sync", {"folders": wanted})
        self.stack.drain()
        assert self.call("GET", f"/v1/jobs/{job['id']}")["state"] == "done"

    def by_hand(self, message: str) -> None:
        self.call("PUT", f"/v1/messages/{message}/filings/quote/q1")
        self.call("DELETE", f"/v1/messages/{message}/filings/contact/c1")
        self.call("PUT", f"/v1/messages/{message}/private")
        self.call("DELETE", f"/v1/messages/{message}/private")
        self.call("GET", "/v1/changes")
        self.call("GET", "/v1/trace?message_id=offer@customer.example")
        one = {"message": message, "entity_type": "quote", "entity_id": "q2", "action": "file"}
        self.call("POST", "/v1/filings/batch", {"items": [one, one | {"entity_id": "q3"}]})
        self.read_as_a_person(message)
        self.call("POST", "/v1/explain", {"message": MAIL.decode(), "account": "anna"})
        assert self.call("GET", f"/v1/messages/{message}")["attachments"]
        part = self.call("GET", f"/v1/messages/{message}/attachments/1")["url"]
        with urllib.request.urlopen(part, timeout=30) as answer:
            assert answer.headers["Content-Disposition"].startswith("attachment;")
            assert answer.read() == b"Hi\r\n"
        link = self.call("GET", f"/v1/messages/{message}/raw")["url"]
        with urllib.request.urlopen(link, timeout=30) as answer:
            assert answer.read() == MAIL


@pytest.fixture(scope="module")
def walked() -> tuple[Notebook, dict[str, str]]:
    """Every call of the walk, and physical name -> logical id."""
    notebook = Notebook()
    answer = botocore.client.BaseClient._make_api_call

    def noted(self: Any, operation: str, request: dict[str, Any]) -> Any:
        acting = self._request_signer._credentials.get_frozen_credentials().token is not None
        notebook.note(self.meta.service_model.service_name, operation, request, acting=acting)
        return answer(self, operation, request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.client.BaseClient, "_make_api_call", noted)
        receiver = Receiver(None, OK, status(500), OK)
        local = [receiver.authority]
        with (
            receiving(receiver),
            LocalStack(handlers=handlers(notebook), local_hosts=local) as stack,
        ):
            Walk(stack, receiver).go()
            made = {name: logical for logical, name in stack.resources.resolver.made.items()}
    return notebook, made


def used(notebook: Notebook, made: dict[str, str]) -> Used:
    found: Used = set()
    for function, service, operation, request in notebook.calls:
        if operation == "TransactWriteItems":
            for action in request["TransactItems"]:
                ((kind, body),) = action.items()
                table = made[body["TableName"]]
                found.add((function, f"dynamodb:{TRANSACTED[kind]}", table))
            continue
        permission = f"{service}:{operation}"
        permission = PERMISSIONS.get(permission, permission)
        if operation == "CopyObject":
            found.add((function, "s3:GetObject", made[request["CopySource"].split("/")[0]]))
            permission = "s3:PutObject"
        if operation == "AssumeRole":
            found |= {
                (function, f"sts:{action}", DATA_ROLE) for action in (operation, "TagSession")
            }
            continue
        if operation == "Decrypt":  # the sealed text names the key; there is only one
            found.add((function, permission, "SecretsKey"))
            continue
        suffix = f"/{request['IndexName']}" if "IndexName" in request else ""
        found |= {(function, permission, made[name] + suffix) for name in targets(request)}
    return found


def targets(request: dict[str, Any]) -> list[str]:
    """Physical names of what a request works on."""
    if "RequestItems" in request:
        return list(request["RequestItems"])
    if "Entries" in request and "QueueUrl" not in request:
        return list({entry["EventBusName"] for entry in request["Entries"]})
    (name,) = {"TableName", "Bucket", "QueueUrl", "KeyId"} & request.keys()
    return [str(request[name])]


@functools.cache
def granted() -> Used:
    found: Used = set()
    resources = translate()["Resources"]
    for function in (*FUNCTIONS, DATA_ROLE):
        role = resources[function.replace("Function", "Role")]["Properties"]
        for statement in role["Policies"][0]["PolicyDocument"]["Statement"]:
            if statement["Effect"] != "Allow":
                continue
            actions = statement["Action"]
            for action in [actions] if isinstance(actions, str) else actions:
                found |= {(function, action, target) for target in resources_of(statement)}
    return found


def resources_of(statement: dict[str, Any]) -> list[str]:
    """Logical ids; a table's index is `Table/index`."""
    if "role/${AWS::StackName}-DataRole-*" in str(statement["Resource"]):
        return [DATA_ROLE]
    index = re.search(r"/index/(\w+)", str(statement["Resource"]))
    suffix = f"/{index[1]}" if index else ""
    return [target + suffix for target in references(statement["Resource"])]


def test_the_walk_went_through_every_function(
    walked: tuple[Notebook, dict[str, str]],
) -> None:
    assert {function for function, *_ in walked[0].calls} == {*FUNCTIONS, DATA_ROLE}


def test_every_call_is_allowed(walked: tuple[Notebook, dict[str, str]]) -> None:
    assert used(*walked) - granted() == set()


def test_a_call_nobody_allowed_would_be_found(walked: tuple[Notebook, dict[str, str]]) -> None:
    notebook, made = walked
    forbidden = ("MatchFunction", "kms", "Decrypt", {})
    more = Notebook()
    more.calls = [*notebook.calls, forbidden]

    assert used(more, made) - granted() == {("MatchFunction", "kms:Decrypt", "SecretsKey")}


def test_the_data_role_s_conditions_hold_for_every_call_of_the_walk(
    walked: tuple[Notebook, dict[str, str]],
) -> None:
    """moto asks no role: here its conditions are asked of what was called."""
    acting = [
        (service, request) for who, service, _, request in walked[0].calls if who == DATA_ROLE
    ]
    partitions = {pk for service, request in acting if service == "dynamodb"
                  for pk in partitions_of(request)}  # fmt: skip
    objects = {request["Key"] for service, request in acting if service == "s3"}
    objects |= {copied.partition("/")[2] for _, request in acting
                if (copied := request.get("CopySource"))}  # fmt: skip

    assert partitions
    assert {pk for pk in partitions if not pk.startswith("T#acme#")} <= {"DISPATCH"}
    allowed = r"(raw/(30d|90d|365d)|archive|parts|imports|exports)/acme/.+"
    assert objects
    assert all(re.fullmatch(allowed, key) for key in objects)
    assert {service for service, _ in acting} == {"dynamodb", "s3"}


def partitions_of(request: Any) -> Iterator[str]:
    """Every partition key in a request, wherever it stands."""
    if isinstance(request, list):
        for each in request:
            yield from partitions_of(each)
    elif isinstance(request, dict):
        for name, value in request.items():
            if name in ("pk", ":pk"):
                yield value["S"]
            else:
                yield from partitions_of(value)


def test_one_session_serves_a_tenant_s_every_request(
    walked: tuple[Notebook, dict[str, str]],
) -> None:
    assumed = [request for *_, operation, request in walked[0].calls if operation == "AssumeRole"]

    assert [request["Tags"] for request in assumed] == [[{"Key": "tenant", "Value": "acme"}]]


def test_only_sync_reads_items_of_secrets(walked: tuple[Notebook, dict[str, str]]) -> None:
    reads = ("GetItem", "BatchGetItem", "Query")
    readers = {
        function
        for function, _, operation, request in walked[0].calls
        if operation in reads and "#SECRET#" in json.dumps(request, default=str)
    }

    assert readers == {"SyncFunction", "WebhookFunction"}


BOUND = {  # roles of a policy that names partitions; as in the template, see test_template
    "DeliverFunction": ["T#*#WEBHOOKS"],
    "WebhookFunction": [
        "T#*#WEBHOOKS",
        "T#*#WEBHOOK#*",
        "T#*#FEED#*",
        "T#*#SECRET#@webhook-*",
    ],
}


@pytest.mark.parametrize("function", BOUND)
def test_who_is_bound_to_partitions_touches_no_other(
    walked: tuple[Notebook, dict[str, str]], function: str
) -> None:
    touched = {
        pk
        for who, service, operation, request in walked[0].calls
        if who == function and service == "dynamodb"
        for pk in partitions_of(request)
    }

    assert touched
    assert [pk for pk in touched if not any(fnmatchcase(pk, p) for p in BOUND[function])] == []


def test_dispatch_touches_no_item_but_its_checkpoint(
    walked: tuple[Notebook, dict[str, str]],
) -> None:
    touched = {
        (request.get("Key") or request.get("Item"))["pk"]["S"]
        for function, service, operation, request in walked[0].calls
        if function == "DispatchFunction" and service == "dynamodb" and operation != "Query"
    }

    assert touched == {"DISPATCH"}


def test_secrets_are_sealed_and_opened_with_tenant_account_and_kind(
    walked: tuple[Notebook, dict[str, str]],
) -> None:
    contexts = [
        request["EncryptionContext"].keys()
        for _, service, _, request in walked[0].calls
        if service == "kms"
    ]

    assert contexts
    assert all(context == {"tenant", "account", "kind"} for context in contexts)
