"""Records as the tenant sends them: one at a time, in batches, as lines of an import."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, ValidationError

from ablage import limits, source_versions, tenancy
from ablage.errors import InvalidInput
from ablage.messages import Entity
from ablage.records import CONTACT, CUSTOMER, ItemsOf, Record, new_contact, new_record
from ablage.tenancy import TenantId

Fit = TypeVar("Fit", bound=BaseModel)

Label = Annotated[StrictStr, Field(max_length=limits.NAME_CHARACTERS)]
Texts = Annotated[
    list[Annotated[StrictStr, Field(max_length=600)]], Field(max_length=limits.LIST_ELEMENTS)
]
Url = Annotated[
    StrictStr,
    Field(
        max_length=limits.URL_CHARACTERS,
        description="Where your system shows it: http or https.",
        examples=["https://crm.example/contacts/7"],
    ),
]
Archived = Annotated[StrictBool, Field(description="No new filings; what is filed stays.")]
SourceVersion = Annotated[
    StrictInt | StrictStr | None,
    Field(
        description="How your system orders its writes: a whole number, or an RFC 3339 time. A "
        "write that is not newer than what stands changes nothing and answers `stale`.",
        examples=[17, "2026-11-26T10:00:00Z"],
    ),
]


class _Body(BaseModel):
    """Unknown fields are refused, types are not coerced."""

    model_config = ConfigDict(extra="forbid")


class ParentBody(_Body):
    type: Annotated[StrictStr, Field(max_length=32)]
    id: Annotated[StrictStr, Field(max_length=128)]


class RecordBody(_Body):
    label: Label = ""
    url: Url = ""
    addresses: Texts = Field(default=[], examples=[["max@kunde.de"]])
    parents: Annotated[list[ParentBody], Field(max_length=limits.PARENTS_PER_RECORD)] = Field(
        default=[], description="Its mail is filed at them too; they need not exist yet."
    )
    archived: Archived = False
    source_version: SourceVersion = None

    def record(self, tenant: TenantId, entity: Entity) -> Record:
        """Raises InvalidInput, with the pointer of the field."""
        return new_record(
            tenant,
            entity,
            self.label,
            self.addresses,
            [Entity(parent.type, parent.id) for parent in self.parents],
            url=self.url,
            archived=self.archived,
            source=source_versions.parse(self.source_version),
        )

    def shows(self, parent: Entity) -> bool:  # noqa: ARG002  as the others
        """Whether parents of this type are said here; a write leaves the others as they are."""
        return True


class ContactBody(_Body):
    name: Label = ""
    url: Url = ""
    addresses: Texts = Field(default=[], examples=[["max@kunde.de"]])
    customers: Texts = Field(
        default=[], description="Ids of customers; they need not exist yet.", examples=[["K-7"]]
    )
    archived: Archived = False
    source_version: SourceVersion = None

    def record(self, tenant: TenantId, entity: Entity) -> Record:
        """Raises InvalidInput, with the pointer of the field."""
        return new_contact(
            tenant,
            entity.entity_id,
            self.name,
            self.addresses,
            self.customers,
            url=self.url,
            archived=self.archived,
            source=source_versions.parse(self.source_version),
        )

    def shows(self, parent: Entity) -> bool:
        return parent.kind == CUSTOMER


class CustomerBody(_Body):
    name: Label = ""
    url: Url = ""
    addresses: Texts = Field(
        default=[], description="Addresses of the company itself.", examples=[["info@kunde.de"]]
    )
    archived: Archived = False
    source_version: SourceVersion = None

    def record(self, tenant: TenantId, entity: Entity) -> Record:
        """Raises InvalidInput, with the pointer of the field."""
        return new_record(
            tenant,
            entity,
            self.name,
            self.addresses,
            url=self.url,
            archived=self.archived,
            source=source_versions.parse(self.source_version),
        )

    def shows(self, parent: Entity) -> bool:  # noqa: ARG002  as the others
        return False


class DeleteBody(_Body):
    archive: Literal["keep", "delete"] = "keep"
    source_version: SourceVersion = None


class RecordWriting(Protocol):
    """What the three bodies have in common."""

    def record(self, tenant: TenantId, entity: Entity) -> Record: ...

    def shows(self, parent: Entity) -> bool: ...


BODIES: Mapping[str, type[RecordBody | ContactBody | CustomerBody]] = {
    "contacts": ContactBody,
    "customers": CustomerBody,
    "records": RecordBody,
}
_TYPES = {"contacts": CONTACT, "customers": CUSTOMER}


@dataclass(frozen=True)
class RecordItem:
    """One of many: `body` puts it; without, it is deleted."""

    entity: Entity
    body: RecordWriting | None = None
    with_archive: bool = False
    source: str | None = None

    @classmethod
    def parse(cls, of: ItemsOf, entity: Entity, raw: Mapping[str, Any]) -> "RecordItem":
        """From the fields of the single call, `delete`, and those `entity_of` reads. Raises
        InvalidInput with the pointer within the item."""
        more = {n: v for n, v in raw.items() if n not in ("id", "delete", "type")}
        if raw.get("delete", False) is False:
            return cls(entity, _fitting(BODIES[of], more))
        if raw["delete"] is not True:
            raise InvalidInput("invalid_request", "Send true, or leave it out.", "/delete")
        body = _fitting(DeleteBody, more)
        source = source_versions.parse(body.source_version)
        return cls(entity, None, body.archive == "delete", source)


def object_of(raw: object) -> Mapping[str, Any]:
    """Raises InvalidInput `invalid_item`."""
    if not isinstance(raw, dict):
        raise InvalidInput("invalid_item", "Each item is a JSON object.", "")
    return raw


def entity_of(of: ItemsOf, raw: Mapping[str, Any], kind: str = "") -> Entity:
    """By `id`, and `type` for records that are not all of `kind`. Raises InvalidInput
    `invalid_entity`, `other_type`."""
    known = _TYPES.get(of, kind)
    named = raw.get("type", known)
    if known and named != known:
        raise InvalidInput("other_type", f"Only items of the type '{known}' go here.", "/type")
    return Entity(
        _checked(named, tenancy.entity_type, "/type"),
        _checked(raw.get("id"), tenancy.entity_id, "/id"),
    )


def _checked(value: object, check: Any, pointer: str) -> str:
    try:
        text: str = check(value if isinstance(value, str) else "")
    except InvalidInput as error:
        raise InvalidInput(error.code, error.detail, pointer) from error
    return text


def _fitting(model: type[Fit], value: dict[str, Any]) -> Fit:
    """The first thing that does not fit is told."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[0]
        path = "".join("/" + str(p).replace("~", "~0").replace("/", "~1") for p in found["loc"])
        unknown = "This field is not known here; remove it."
        detail = unknown if found["type"] == "extra_forbidden" else found["msg"]
        raise InvalidInput("invalid_request", detail, path) from None
