"""The description's `webhooks`: what we send, how it is signed, what is made of the answer."""

from typing import Any

from api.event_schemas import MODELS, other, schemas, sent
from api.examples import EVENT_AT, EVENT_ID, JOB, MESSAGE

OTHER = "OtherEvent"
TEMPLATE = "#/components/schemas/{model}Event"
EXAMPLES: dict[str, dict[str, Any]] = {
    "EmailFiled": {
        "message": MESSAGE,
        "entity_type": "contact",
        "entity_id": "c-1",
        "by": "anna",
    },
    "EmailUnfiled": {
        "message": MESSAGE,
        "entity_type": "quote",
        "entity_id": "Q-17",
        "batch": JOB,
    },
    "EmailHeld": {"message": MESSAGE},
    "AccountStatusChanged": {
        "account": "anna",
        "status": "reauth_required",
        "previous": "ok",
        "code": "login_refused",
    },
    "JobFinished": {"job": JOB, "kind": "sync", "state": "done", "account": "anna"},
    "Test": {},
}
_SIGNATURE = (
    "`v1,` and the base64 of HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<body>`, by the "
    "secret (base64, after `whsec_`). Two with a blank between for a day after a new secret: one "
    "has to fit."
)
_HEADERS = {
    "webhook-id": ("The event's `id`: the same at each repeat and replay.", EVENT_ID),
    "webhook-timestamp": ("Of this try, in epoch seconds: refuse what is old.", "1795688112"),
    "webhook-signature": (_SIGNATURE, "v1,bm9uZSwgdGhpcyBpcyBhbiBleGFtcGxl"),
}
_ANSWERS = {
    "2XX": "Delivered, if the whole answer comes within ten seconds.",
    "3XX": "Not followed: an outage, as below.",
    "410": "Not wanted any more: the webhook is disabled at once.",
    "4XX": "Refused, 429 excepted: tried five times, then the next event follows.",
    "default": "An outage, as no answer is: tried again after 5 s, 30 s, 2, 10, 30 min, 1, 2 and "
    "each further 4 h, not before Retry-After (at most 4 h); disabled after three days.",
}


def event_schemas() -> dict[str, Any]:
    """By component name."""
    return {f"{name}Event": schema for name, schema in schemas(TEMPLATE).items()} | {OTHER: other()}


def event_sent() -> dict[str, Any]:
    """Any of them, as `data` of a body. Their `type` tells them apart: a discriminator would have
    readers stop at a type they do not know yet."""
    names = [TEMPLATE.format(model=name) for name in MODELS]
    return {
        "title": "Event",
        "description": "`data` of the body, see events.schema.json.",
        "oneOf": [{"$ref": name} for name in (*names, f"#/components/schemas/{OTHER}")],
        "examples": [_example("EmailFiled")["data"]],
    }


def webhooks() -> dict[str, Any]:
    return {name: {"post": _sent(name)} for name in MODELS}


def _sent(event_type: str) -> dict[str, Any]:
    return {
        "summary": MODELS[event_type].__doc__,
        "description": "Sent to each webhook of the tenant that hears this type, at least once, in "
        "the order of GET /v1/changes.",
        "operationId": f"receive_{event_type}",
        "tags": ["webhooks"],
        "security": [],
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": words,
                "schema": {"type": "string"},
                "example": example,
            }
            for name, (words, example) in _HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": sent(event_type, TEMPLATE),
                    "example": _example(event_type),
                }
            },
        },
        "responses": {status: {"description": words} for status, words in _ANSWERS.items()},
    }


def _example(event_type: str) -> dict[str, Any]:
    event = {"id": EVENT_ID, "type": event_type, "at": EVENT_AT, **EXAMPLES[event_type]}
    return {"type": event_type, "timestamp": EVENT_AT, "data": event}
