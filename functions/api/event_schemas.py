"""What each type of event tells, for docs/events.schema.json and the description's webhooks. A test
holds it to what `ablage.events.as_json` makes."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema

from ablage.webhooks import TEST
from api.schemas import absent

Text = str | SkipJsonSchema[None]
Id = Annotated[
    str,
    Field(
        pattern="^[0-9a-f]{32}$",
        description="The same whenever and wherever this is told: leave out what you know already.",
    ),
]
At = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
        json_schema_extra={"format": "date-time"},
        description="When it came into the feed: RFC 3339 UTC, to the millisecond.",
    ),
]
Message = Annotated[str, Field(description="GET /v1/messages/{message}, as it is then.")]
EntityType = Annotated[str, Field(description="contact, customer, or a type of your own.")]
EntityId = Annotated[str, Field(description="Your own id.")]
BATCH = "The job that did it, GET /v1/jobs/{job}."


class Told(BaseModel):
    id: Id
    at: At


class EmailFiled(Told):
    """A mail was filed at an entity."""

    type: Literal["EmailFiled"]
    message: Message
    entity_type: EntityType
    entity_id: EntityId
    by: Text = absent("Who filed it, where it was filed by hand.")
    batch: Text = absent(BATCH)


class EmailUnfiled(Told):
    """A mail was taken away from an entity."""

    type: Literal["EmailUnfiled"]
    message: Message
    entity_type: EntityType
    entity_id: EntityId
    by: Text = absent("Who took it away, by hand, by a private mark or a rejection.")
    batch: Text = absent(BATCH)


class EmailHeld(Told):
    """A mail waits for a person's verdict, GET /v1/review."""

    type: Literal["EmailHeld"]
    message: Message
    batch: Text = absent(BATCH)


class AccountStatusChanged(Told):
    """A mailbox has another status."""

    type: Literal["AccountStatusChanged"]
    account: str = Field(description="GET /v1/accounts/{account}: what to do about it.")
    status: str = Field(
        description="From now on: syncing, ok, throttled, degraded, reauth_required."
    )
    previous: str = Field(description="The one before.")
    code: Text = absent("Of a fault.")


class JobFinished(Told):
    """A job came to its end."""

    type: Literal["JobFinished"]
    job: str = Field(description="GET /v1/jobs/{job}: what came of it.")
    kind: str = Field(description="As of the job.")
    state: Literal["done", "failed", "undone"]
    account: Text = absent("The mailbox it was about, where it was about one.")
    code: Text = absent("Why it failed.")


class Test(Told):
    """Nothing happened: somebody asked for POST /v1/webhooks/{webhook}/test."""

    type: Literal["Test"]


MODELS: dict[str, type[Told]] = {
    "EmailFiled": EmailFiled,
    "EmailUnfiled": EmailUnfiled,
    "EmailHeld": EmailHeld,
    "AccountStatusChanged": AccountStatusChanged,
    "JobFinished": JobFinished,
    TEST: Test,
}


def schemas(template: str) -> dict[str, Any]:
    """By the type of event. `template` names where they stand: `#/$defs/{model}`."""
    return {name: model.model_json_schema(ref_template=template) for name, model in MODELS.items()}


def other() -> dict[str, Any]:
    """What a reader of today may meet tomorrow."""
    schema = Told.model_json_schema()
    schema["title"] = "OtherEvent"
    schema["description"] = "Of a type that came later."
    schema["properties"]["type"] = {"type": "string", "not": {"enum": list(MODELS)}}
    return schema | {"required": [*schema["required"], "type"]}


def sent(event_type: str, template: str) -> dict[str, Any]:
    """The body of a webhook."""
    return {
        "type": "object",
        "properties": {
            "type": {"const": event_type},
            "timestamp": {"type": "string", "format": "date-time", "description": "`data.at`"},
            "data": {"$ref": template.format(model=event_type)},
        },
        "required": ["type", "timestamp", "data"],
    }


def document() -> dict[str, Any]:
    """JSON Schema of an event; each type has its own below `$defs`."""
    template = "#/$defs/{model}"
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An event of Ablage",
        "description": "Of GET /v1/changes (but for what is null there), of `data` of a webhook, "
        "and, with the `tenant`, of `detail` on the event bus. Types and fields may come.",
        "oneOf": [{"$ref": template.format(model=name)} for name in MODELS],
        "$defs": schemas(template),
    }
