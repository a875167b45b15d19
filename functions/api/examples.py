"""Examples of the description: a value for each name, a whole for each request body.

What has none here is told by name when the description is written, with where to add it."""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

TIME, DAY = "2026-11-26T10:00:00Z", "2026-11-26"
MESSAGE = "k5trg6zjbq3m2q7xw4ldyv5uoa"
JOB = "job-5f1d2c3b4a596877"
FOLDER = "0c0f1e6a9b7d4e21"
WEBHOOK, HOOK_URL = "wh-5f1d2c3b4a5968770011", "https://crm.example/hooks/ablage"
EVENT_ID, EVENT_AT = "6f3c2b0d9a5e4c1f8b7a6d5e4c3b2a19", "2026-11-26T10:15:02.123Z"
DELIVERY = f"{EVENT_AT}.{EVENT_ID}"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

# By the name of the field or parameter, whoever has it; `Schema.field` goes before.
VALUES: dict[str, Any] = {
    "account": "anna",
    "added_at": TIME,
    "added_by": "anna",
    "address": "max@kunde.example",
    "addresses": "max@kunde.example",
    "after": "now",
    "aliases": "vertrieb@firma.example",
    "at": TIME,
    "attachment": True,
    "auth": "password",
    "authorization_url": "https://accounts.google.com/o/oauth2/v2/auth?client_id=...&state=...",
    "backfill": JOB,
    "bcc": "chef@firma.example",
    "batch": JOB,
    "by": "anna",
    "cc": "eva@kunde.example",
    "checked_at": TIME,
    "client_id": "4711.apps.googleusercontent.com",
    "client_secret": "from-the-provider",
    "code": "not_found",
    "contact": "c-1",
    "contacts": "c-1",
    "content_security_policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'",
    "content_type": "application/pdf",
    "created_at": TIME,
    "cursor": "RklMRUQjMjAyNi0xMS0yNlQxMDowMDowMFojazV0cmc2empicTNtMnE3eHc0bGR5djV1b2E",
    "customer": "k-1",
    "customers": "k-1",
    "date": TIME,
    "day": "2026-11-26",
    "deliveries": DELIVERY,
    "description": "The shop's own",
    "delegate": "anna@firma.example",
    "detail": "There is no such message; unfiled mail expires.",
    "direction": "inbound",
    "directory": "common",
    "entity_id": "c-1",
    "entity_type": "contact",
    "entry": "kunde.example",
    "entry_id": "DOMAIN.kunde.example",
    "error": "access_denied",
    "expires_at": TIME,
    "explanation": "The sender's address is one of a contact: filed there, and at its customers.",
    "external_id": "shop-order-4711",
    "filed": False,
    "flags": "fan_out",
    "folder": FOLDER,
    "folder_modes": {FOLDER: "private"},
    "folders": FOLDER,
    "form": "plain",
    "found": "preset",
    "former_until": "2026-11-27T10:00:00Z",
    "from": "max@kunde.example",
    "headers": {"Content-Type": "application/x-ndjson"},
    "help": "Switch IMAP on in the settings, and send the mailbox's password.",
    "hits": "contact#c-1",
    "host": "imap.firma.example",
    "html": "<!doctype html><html><body><p>Guten Tag</p></body></html>",
    "id": "c-1",
    "if-match": '"3"',
    "images": "remote",
    "internal_addresses": "info@firma.example",
    "into": "c-2",
    "iss": "https://accounts.google.com",
    "job": JOB,
    "key": f"raw/30d/acme/anna/{FOLDER}/1/17.eml",
    "kind": "normal",
    "label": "Max Kunde",
    "last_due_at": TIME,
    "last_success_at": TIME,
    "message": MESSAGE,
    "message_explanation": "The sender's address is one of a contact.",
    "message_id": "20261126.1@kunde.example",
    "mode": "auto",
    "name": "Max Kunde",
    "next_attempt_at": TIME,
    "next": "RklMRUQjMjAyNi0xMS0yNlQxMDowMDowMFojazV0cmc2empicTNtMnE3eHc0bGR5djV1b2E",
    "note": "Newsletters only",
    "number": 1,
    "oauth": "google",
    "origin": "auto",
    "original_sender": "max@kunde.example",
    "origins": "auto",
    "outcome": "updated",
    "own_domains": "firma.example",
    "owner": "anna",
    "party": "max@kunde.example",
    "paths": "address",
    "pointer": "/addresses/0",
    "port": 993,
    "previous": "syncing",
    "preview": {"messages": 12},
    "problems": "text_limited",
    "provider": "google",
    "reached": TIME,
    "reason": "filed",
    "reauthorize": "anna",
    "received_at": TIME,
    "recipient": "gone@kunde.example",
    "redirect_uris": "https://crm.example/oauth",
    "reply_to": "max@kunde.example",
    "report": MESSAGE,
    "result": {"changed": 12, "unchanged": 3},
    "result_url": f"/v1/jobs/{JOB}",
    "retention": "30d",
    "retry_at": TIME,
    "role": "inbox",
    "scopes": "read",
    "secret": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "sender": "max@kunde.example",
    "sha256": SHA256,
    "since": TIME,
    "size": 48213,
    "snippet": "Guten Tag, anbei das Angebot",
    "sort_time": TIME,
    "source_version": 17,
    "state": "done",
    "status": "ok",
    "status_action": "Send the password again.",
    "status_code": "login_refused",
    "status_detail": "The server refused the login.",
    "status_since": TIME,
    "subject": "Angebot",
    "sync_folders": "inbox_and_sent",
    "sync_since": TIME,
    "tenant": "acme",
    "text": "Guten Tag,\nanbei das Angebot.",
    "title": "Not Found",
    "to": "anna@firma.example",
    "tried_at": TIME,
    "type": "contact",
    "undo_until": TIME,
    "undone_by": JOB,
    "waits_for": "day_bytes_used",
    "waits_until": TIME,
    "until": "2026-11-27T10:00:00Z",
    "types": "EmailFiled,EmailUnfiled",
    "uid": 17,
    "url": "https://crm.example/contacts/c-1",
    "username": "anna@firma.example",
    "value": "kunde.example",
    "version": 3,
    "via": "",
    "viewers": "bert",
    "waiting_since": EVENT_AT,
    "webhook": WEBHOOK,
    "where": "From",
    "DeliveryFailureView.status": "5.1.1",
    "EntryView.id": "DOMAIN.kunde.example",
    "FilingResult.status": 200,
    "ItemResult.status": 200,
    "ImportView.kind": "import",
    "JobView.kind": "sync",
    "ParkedView.action": "Open it in the mailbox.",
    "LinkView.url": "https://archive.s3.eu-central-1.amazonaws.com/...",
    "MailboxTraceView.status": "ok",
    "Me.subject": "anna",
    "MessageView.id": MESSAGE,
    "PostedView.id": "up-5f1d2c3b4a596877",
    "UploadView.method": "PUT",
    "UploadView.url": "https://archive.s3.eu-central-1.amazonaws.com/...",
    "UsageView.since": "2026-10-27",
    "UsageView.until": "2026-11-26",
    "SecretView.id": WEBHOOK,
    "WebhookMade.types": "EmailFiled",
    "WebhookView.types": "EmailFiled",
    "ReplayView.id": WEBHOOK,
    "WebhookMade.id": WEBHOOK,
    "WebhookMade.status_code": "server_error",
    "WebhookMade.url": HOOK_URL,
    "WebhookView.id": WEBHOOK,
    "WebhookView.status_code": "server_error",
    "WebhookView.url": HOOK_URL,
    "LastFailure.code": "server_error",
    "DeliveryView.code": "server_error",
    "DeliveryView.id": DELIVERY,
    "ParentView.type": "customer",
    "ParentView.id": "k-1",
}

_PLACE = {"entity_type": "quote", "entity_id": "Q-17"}
_MAILBOX = {"address": "anna@firma.example", "automatic_filing": {"enabled": True, "since": TIME}}
_RECORD = {"url": "https://crm.example/7", "addresses": ["max@kunde.example"], "source_version": 17}

# By the name of the schema: what somebody would send.
BODIES: dict[str, dict[str, Any]] = {
    "AccountBody": {"id": "anna", **_MAILBOX, "host": "imap.firma.example", "password": "..."},
    "AccountPatch": {"owner": "anna", "viewers": ["bert"], "visibility": "headers"},
    "AuthorizationBody": {
        "provider": "google",
        "redirect_uri": "https://crm.example/oauth",
        "account": {"id": "anna", **_MAILBOX},
    },
    "BatchBody": {"kind": "backfill_contact", "contact": "c-1", "days": 90},
    "CallbackBody": {"state": "as-it-came-back", "code": "as-it-came-back"},
    "ClientBody": {
        "client_id": "4711.apps.googleusercontent.com",
        "client_secret": "from-the-provider",
        "redirect_uris": ["https://crm.example/oauth"],
    },
    "ContactBody": {"name": "Max Kunde", **_RECORD, "customers": ["k-1"]},
    "ContactItems": {"items": [{"id": "c-1", **_RECORD}, {"id": "c-2", "delete": True}]},
    "CountsBody": {"items": [{"entity_type": "contact", "entity_id": "c-1"}]},
    "CustomerBody": {"name": "Kunde GmbH", "addresses": ["info@kunde.example"]},
    "CustomerItems": {"items": [{"id": "k-1", **_RECORD}, {"id": "k-2", "delete": True}]},
    "DiscoverBody": {"address": "anna@firma.example"},
    "EntryBody": {"entry": "kunde.example", "note": "Newsletters only"},
    "ExplainBody": {
        "account": "anna",
        "headers": "From: Max <max@kunde.example>\nTo: anna@firma.example",
    },
    "ExportBody": {**_PLACE, "since": TIME},
    "FilingBatchBody": {"items": [{"message": MESSAGE, **_PLACE, "action": "file"}]},
    "ImportBody": {"type": "contacts", "mode": "upsert", "size": 48213},
    "KeepBody": {"keep": [_PLACE]},
    "MergeBody": {"into": "c-2"},
    "PolicyBody": {"own_domains": ["firma.example"], "hold_fail": True},
    "PostBody": {
        "external_id": "shop-order-4711",
        "size": 48213,
        "direction": "outbound",
        "occurred_at": TIME,
        "filings": [_PLACE],
    },
    "PreviewBody": {"kind": "filing_on", "account": "anna", "days": 30},
    "RecordBody": {
        "label": "Angebot 17",
        **_RECORD,
        "parents": [{"type": "customer", "id": "k-1"}],
    },
    "RecordItems": {"items": [{"type": "quote", "id": "Q-17", **_RECORD}]},
    "SyncBody": {"folders": [FOLDER], "since": TIME},
    "ReplayBody": {"deliveries": [DELIVERY]},
    "VerdictBody": {"verdict": "accept"},
    "WebhookBody": {"url": HOOK_URL, "types": ["EmailFiled", "EmailUnfiled"]},
    "WebhookPatch": {"status": "enabled"},
}


class Examples:
    """`missing` collects what has none: `Schema.field`, or the name of a body or parameter."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self._schemas = schemas
        self.missing: set[str] = set()

    def body(self, schema: Schema) -> Any:
        name = schema["$ref"].rpartition("/")[2]
        if name not in BODIES:
            self.missing.add(f"BODIES[{name!r}]")
        return BODIES.get(name)

    def parameter(self, parameter: Schema) -> Any:
        return self._value(parameter["schema"], "", parameter["name"])

    def answer(self, schema: Schema) -> Any:
        return self._value(schema, "", "")

    def _value(self, schema: Schema, owner: str, name: str) -> Any:
        if "$ref" in schema:
            owner = schema["$ref"].rpartition("/")[2]
            return self._value(self._schemas[owner], owner, name)
        for ready in ("examples", "enum"):
            if schema.get(ready):
                return schema[ready][0]
        for choice in ("anyOf", "oneOf"):
            if choice in schema:
                return self._value(schema[choice][0], owner, name)
        if "const" in schema:
            return schema["const"]
        return self._by_type(schema, owner, name)

    def _by_type(self, schema: Schema, owner: str, name: str) -> Any:
        kind = schema.get("type")
        if kind == "array":
            return [self._value(schema["items"], owner, name)]
        if "properties" in schema:
            fields = schema["properties"].items()
            return {field: self._value(inner, owner, field) for field, inner in fields}
        known = VALUES.get(f"{owner}.{name}", VALUES.get(name))
        if kind == "null":
            return None
        if kind == "boolean":
            return known if isinstance(known, bool) else False
        if kind == "integer":
            return known if isinstance(known, int) else max(1, int(schema.get("minimum", 1)))
        return DAY if schema.get("format") == "date" else self._text(known, schema, owner, name)

    def _text(self, known: Any, schema: Schema, owner: str, name: str) -> Any:
        if known is None:
            self.missing.add(f"VALUES[{f'{owner}.{name}' if owner else name!r}]")
        return str(known) if schema.get("type") == "string" else known
