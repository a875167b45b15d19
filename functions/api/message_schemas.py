"""Views of messages, filings and the rows of lists."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from ablage.messages import Entity, Message
from ablage.store.table import Item
from ablage.visibility import Access

Authentication = Literal["pass", "fail", "none"]
ACCESS = Field(
    description="headers: its mailbox shows you who wrote what when, not what it says: no text, "
    "snippet, attachments or bytes.",
)


FLAGS = Field(
    description="What is particular: body_not_stored (its server gives the header alone, or it has "
    "over 150 MB: open it in its mailbox; filed by the header), limited (not all of it could be "
    "read), variant (copies of other content exist), fan_out (filed at very many contacts), "
    "fan_out_limited (at more than are kept), date_implausible, delivery_failed."
)


class EntityView(BaseModel):
    entity_type: str
    entity_id: str
    label: str | None = Field(None, description="As put at /v1/records; null where nothing was.")
    url: str | None = None


class FilingView(EntityView):
    origins: list[str] = Field(description="auto, manual, or both.")
    paths: list[str] = Field(description="Why it was filed there automatically.")
    by: str = Field(description="Who filed it by hand.")
    at: str


class FilingsView(BaseModel):
    items: list[FilingView]
    unfiled: list[EntityView] = Field(
        description="Taken away by hand; never filed again by itself."
    )
    next: str | None = None


class Row(BaseModel):
    """What every list shows of a message."""

    message: str
    sort_time: str
    subject: str
    party: str = Field(description="The sender; of sent mail the recipients.")
    direction: str
    kind: str
    snippet: str
    attachments: int
    authentication: Authentication
    flags: Annotated[list[str], FLAGS]
    access: Annotated[Access, ACCESS] = "full"


class ArchiveRow(Row):
    origins: list[str]
    entity: EntityView


class OverviewRow(Row):
    received_at: str
    folders: list[str]
    filed: bool
    filings: list[EntityView] = Field(description="The first three.")
    filings_count: int
    reason: str = Field(description="Why it was filed, or why not.")


class LinkView(BaseModel):
    url: str
    expires_at: str


def entity_view(entity: Entity) -> EntityView:
    return EntityView(entity_type=entity.kind, entity_id=entity.entity_id)


def filing_views(message: Message) -> list[FilingView]:
    return [
        FilingView(
            entity_type=entity.kind,
            entity_id=entity.entity_id,
            origins=sorted(filing.origins),
            paths=list(filing.paths),
            by=filing.by,
            at=filing.at,
        )
        for entity, filing in sorted(message.filings.items())
    ]


def shown_row(row: Item) -> dict[str, object]:
    return {
        "message": row["m"],
        "sort_time": row["t"],
        "subject": row["s"],
        "party": row["p"],
        "direction": row["w"],
        "kind": row["k"],
        "snippet": row["sn"],
        "attachments": row.get("at", 0),
        "authentication": row.get("au", "none"),
        "flags": row.get("fl", []),
        "access": row.get("access", "full"),
    }


def archive_row(row: Item, entity: EntityView) -> ArchiveRow:
    return ArchiveRow.model_validate(shown_row(row) | {"origins": row["o"], "entity": entity})


def overview_row(row: Item) -> OverviewRow:
    filings = [entity_view(Entity.parse(text)).model_dump() for text in row.get("fi", ())]
    return OverviewRow.model_validate(
        shown_row(row)
        | {
            "received_at": row["c"],
            "folders": row["fo"],
            "filed": row["n"] > 0,
            "filings": filings,
            "filings_count": row["n"],
            "reason": row["r"],
        }
    )
