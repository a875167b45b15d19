"""The ledger and what is open, as callers read them."""

from typing import Literal

from pydantic import BaseModel, Field

from ablage.completeness import Open
from ablage.runs import Run
from ablage.store.cursors import Cursor

_AGAIN = (
    "Open it in the mailbox; if that fails too, ask the provider to repair it. It is tried again "
    "with new mail of its folder, after three times once a week."
)
REASONS = {  # what is wrong, and what to do
    "too_large": ("Larger than 150 MB; it is not read.", "Open it in the mailbox."),
    "unfetchable": ("The server does not hand it out.", _AGAIN),
    "connection_lost": ("Each time it is asked for the connection ends.", _AGAIN),
}
MAILS_SHOWN = 100
Why = Literal["poll", "more", "follow", "job"]
_WHY: dict[str, Why] = {"poll": "poll", "more": "more", "follow": "follow"}


class RunView(BaseModel):
    at: str
    folder: str
    why: Why = Field(description="more: leftover work; follow: searched for moved mail.")
    job: str | None
    uidvalidity: int
    listed: int = Field(description="Mails it got through: the sum of the next five.")
    stored: int
    already_had: int
    gone: int = Field(description="Vanished between their listing and their reading.")
    left_out: int = Field(description="Received before `sync_since`, or left out by its labels.")
    parked: int = Field(description="There, but could not be stored.")
    moved_before_sync: int = Field(
        description="Vanished before they were listed, and not found elsewhere."
    )
    bytes: int
    uid_low: int | None
    uid_high: int | None


class ParkedView(BaseModel):
    """A mail that is in the mailbox and could not be stored."""

    folder: str
    uid: int
    code: str
    detail: str
    action: str = Field(description="What to do.")
    tries: int
    given_up: bool = Field(description="Never tried again; else with new mail, then once a week.")
    header_asked: bool = Field(
        description="Where its header came, it is filed by that, flagged `body_not_stored`."
    )


class OpenView(BaseModel):
    code: str
    detail: str


class SumsView(BaseModel):
    """Of the runs since `since`."""

    runs: int
    listed: int
    stored: int
    already_had: int
    gone: int
    left_out: int
    parked: int
    moved_before_sync: int
    bytes: int
    more: bool = Field(description="There are older runs that were not counted.")


class FolderCompletenessView(BaseModel):
    folder: str
    name: str | None
    complete: bool
    open: list[OpenView] = Field(description="Why mail may be missing.")
    checked_at: str | None = Field(description="Of this folder; a run that met mail is a look too.")
    read_to: int | None = Field(
        description="Every UID up to it was looked at, but for those of an import that goes on."
    )
    parked: list[ParkedView]
    ledger: SumsView


class CompletenessView(BaseModel):
    account: str
    since: str
    until: str
    complete: bool
    checked_at: str | None = Field(description="The last look that was noted as gone well.")
    folders: list[FolderCompletenessView]


def run_view(run: Run) -> RunView:
    why = _WHY.get(run.why, "job")
    return RunView(
        at=run.at,
        folder=run.folder_id,
        why=why,
        job=run.why if why == "job" else None,
        uidvalidity=run.uidvalidity,
        listed=run.listed,
        stored=run.stored,
        already_had=run.already,
        gone=run.gone,
        left_out=run.left_out,
        parked=run.parked,
        moved_before_sync=run.moved_before_sync,
        bytes=run.bytes,
        uid_low=run.low or None,
        uid_high=run.high or None,
    )


def sums_view(sums: dict[str, int], *, more: bool) -> SumsView:
    return SumsView(already_had=sums["already"], more=more, **sums)


def parked_views(cursor: Cursor) -> list[ParkedView]:
    return [
        ParkedView(
            folder=cursor.folder_id,
            uid=problem.uid,
            code=problem.code,
            **_told(problem.code),
            tries=problem.tries,
            given_up=not problem.may_come,
            header_asked=problem.has_header,
        )
        for problem in cursor.problems
    ]


def _told(code: str) -> dict[str, str]:
    detail, action = REASONS.get(code, ("It could not be stored.", _AGAIN))
    return {"detail": detail, "action": action}


def open_view(found: Open) -> OpenView:
    return OpenView(code=found.code, detail=found.detail)
