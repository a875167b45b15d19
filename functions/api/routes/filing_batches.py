"""Filing and unfiling by hand, up to a hundred at once: a result each, as the single calls give."""

import time
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StrictStr

from ablage import limits, tenancy
from ablage.errors import AblageError, InvalidInput
from ablage.filings import file_by_hand, unfile
from ablage.messages import Entity
from api.changes import change_by_hand
from api.clock import now_text
from api.operations import operation
from api.schemas import Body
from api.tenant import Caller, Calling, SecondsLeft
from api.threads import side_by_side

THREADS = 8
ITEM_SECONDS = 3.0  # what one item may take; with less left, none is begun
NOT_DONE = "not_done"

Action = Literal["file", "unfile"]


class FilingItem(Body):
    message: Annotated[StrictStr, Field(max_length=64, description="Its id, as lists show it.")]
    entity_type: Annotated[
        StrictStr, Field(max_length=32, description="contact, customer, or a type of your own.")
    ]
    entity_id: Annotated[
        StrictStr,
        Field(max_length=128, description="Your own id: letters, digits, '.', '_', '-', ':'."),
    ]
    action: Action = Field(description="As PUT, or DELETE, of one filing.")


class FilingBatchBody(Body):
    items: Annotated[list[FilingItem], Field(min_length=1, max_length=limits.FILING_BATCH)]


class FilingResult(BaseModel):
    message: str
    entity_type: str
    entity_id: str
    action: Action
    status: int = Field(
        description="As the single call answers: 200 filed, 204 unfiled, 202 listed within minutes,"
        " 404, 410 or 409 with `code`; 503 for what there was no time for."
    )
    code: str | None = Field(
        None, description="Why not, as of the single call; not_done: send these items again."
    )
    detail: str | None = Field(None, description="What to change.")


class FilingBatchView(BaseModel):
    items: list[FilingResult] = Field(description="One for each item, in their order.")
    failed: int = Field(description="Refused; `not_done` are not counted here.")
    not_done: int


@operation("POST", "/v1/filings/batch", "file", is_replayed=False)
def file_messages(body: FilingBatchBody, caller: Calling, seconds: SecondsLeft) -> FilingBatchView:
    """File and unfile up to 100 messages by hand. Each item stands or fails alone.

    Safe to repeat: what is filed already stays as it is. Items of one message are done in their
    order."""
    entities = [_entity(number, item) for number, item in enumerate(body.items)]
    by_message: dict[str, list[int]] = {}
    for number, item in enumerate(body.items):
        by_message.setdefault(item.message, []).append(number)
    work = _Work(caller, body.items, entities, time.monotonic() + seconds)
    by_message_done = side_by_side(work.do, by_message.values(), THREADS)
    done = [one for results in by_message_done for one in results]
    results = [result for _, result in sorted(done, key=lambda one: one[0])]
    return FilingBatchView(
        items=results,
        failed=sum(r.status >= 400 and r.code != NOT_DONE for r in results),
        not_done=sum(r.code == NOT_DONE for r in results),
    )


def _entity(number: int, item: FilingItem) -> Entity:
    """Raises InvalidInput `invalid_entity`: then nothing is done."""
    for name, check in (("entity_type", tenancy.entity_type), ("entity_id", tenancy.entity_id)):
        try:
            check(getattr(item, name))
        except InvalidInput as error:
            raise InvalidInput(error.code, error.detail, f"/items/{number}/{name}") from error
    return Entity(item.entity_type, item.entity_id)


class _Work:
    def __init__(
        self, caller: Caller, items: list[FilingItem], entities: list[Entity], ends: float
    ) -> None:
        self._caller, self._items, self._entities, self._ends = caller, items, entities, ends

    def do(self, numbers: Iterable[int]) -> list[tuple[int, FilingResult]]:
        """Items of one message, one after the other."""
        return [(number, self._one(number)) for number in numbers]

    def _one(self, number: int) -> FilingResult:
        left = self._ends - time.monotonic()
        if left < ITEM_SECONDS:
            detail = "There was no time left for it; nothing was changed. Send it again."
            return self._result(number, 503, NOT_DONE, detail)
        try:
            return self._result(number, self._changed(number, left))
        except AblageError as error:
            return self._result(number, error.status, error.code, error.detail)

    def _changed(self, number: int, seconds: float) -> int:
        item, entity = self._items[number], self._entities[number]
        files, by = item.action == "file", self._caller.subject
        intent = file_by_hand(entity, by, now_text()) if files else unfile(entity, by)
        after = change_by_hand(self._caller, item.message, intent, seconds, archive_first=files)
        if not after.settled:
            return 202
        return 200 if files else 204

    def _result(
        self, number: int, status: int, code: str | None = None, detail: str | None = None
    ) -> FilingResult:
        item = self._items[number]
        return FilingResult(**item.model_dump(), status=status, code=code, detail=detail)
