"""Many records in one call: what their items and the results are, told in full."""

from types import UnionType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, StrictStr, TypeAdapter
from pydantic.json_schema import JsonSchemaValue, SkipJsonSchema
from pydantic_core import CoreSchema

from ablage import limits
from ablage.record_bodies import ContactBody, CustomerBody, DeleteBody, RecordBody
from api.schemas import Body, Warning_, absent

ItemId = Annotated[
    StrictStr, Field(max_length=128, description="Letters, digits, '.', '_', '-', ':'.")
]
ItemType = Annotated[
    StrictStr, Field(max_length=32, description="contact, customer, or any type of your own.")
]
NotDeleted = Annotated[Literal[False], Field(description="true: the other form.")]


_FOR_DESCRIPTION = ConfigDict(defer_build=True)  # no function builds them: 20 ms of a cold start


class ContactItem(ContactBody):
    model_config = _FOR_DESCRIPTION

    id: ItemId
    type: Literal["contact"] = "contact"
    delete: NotDeleted = False


class CustomerItem(CustomerBody):
    model_config = _FOR_DESCRIPTION

    id: ItemId
    type: Literal["customer"] = "customer"
    delete: NotDeleted = False


class RecordItem(RecordBody):
    model_config = _FOR_DESCRIPTION

    type: ItemType
    id: ItemId
    delete: NotDeleted = False


class DeletedItem(DeleteBody):
    model_config = _FOR_DESCRIPTION

    id: ItemId
    type: ItemType | SkipJsonSchema[None] = absent("Needed for records, whose types differ.")
    delete: Literal[True]


class _Described:
    """Taken as any object, and described as one of `forms`, a union: each item is read, and
    refused, by itself."""

    def __init__(self, forms: UnionType) -> None:
        self._forms = forms

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(TypeAdapter(self._forms).core_schema)


_MANY = Field(
    min_length=1,
    max_length=limits.RECORDS_PER_BATCH,
    description="Applied in their order: the fields of the single PUT, or a deletion.",
)


class ContactItems(Body):
    items: Annotated[list[Annotated[dict[str, Any], _Described(ContactItem | DeletedItem)]], _MANY]


class CustomerItems(Body):
    items: Annotated[list[Annotated[dict[str, Any], _Described(CustomerItem | DeletedItem)]], _MANY]


class RecordItems(Body):
    items: Annotated[list[Annotated[dict[str, Any], _Described(RecordItem | DeletedItem)]], _MANY]


class ItemResult(BaseModel):
    type: str | None = Field(None, description="null where the item names none that can be read.")
    id: str | None = Field(None, description="null where the item names none that can be read.")
    status: int = Field(
        description="As the single call would answer: 200, 201 created, 204 deleted, 202 its "
        "archive is taken apart by `job`; 409, 410, 422 with `code`; 503 where not done."
    )
    outcome: Literal["created", "updated", "unchanged", "stale", "deleted"] | None = Field(
        None, description="null where refused. stale: what stands is as new or newer."
    )
    version: int | None = Field(None, description="Of what stands after a PUT.")
    job: str | None = Field(
        None, description="The job that files earlier mail, or takes an archive apart."
    )
    code: str | None = Field(None, description="Why not; `not_done`: there was no time for it.")
    detail: str | None = Field(None, description="What to change.")
    pointer: str | None = Field(None, description="Into the request, as /items/3/addresses/0.")
    warnings: list[Warning_] = Field([], description="As of the single PUT.")


class ItemResults(BaseModel):
    items: list[ItemResult] = Field(description="One each, in the order of the request.")
