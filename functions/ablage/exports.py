"""Exports: everything filed at an entity as one zip file. What stands in it, line by line. Pure.

`messages/*.eml`, `manifest.jsonl` (a line a message), `SHA256SUMS` (for `sha256sum -c`).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from ablage.messages import Entity, Event
from ablage.visibility import Sight, Viewer

EXPORT = "export"
MANIFEST, SUMS = "manifest.jsonl", "SHA256SUMS"


@dataclass(frozen=True)
class ExportPlan:
    """`since` (included) and `until` (not) are RFC 3339 UTC, empty for no bound; `subject` and
    `all_mailboxes` say who asked, and so what is in it."""

    entity_type: str
    entity_id: str
    since: str
    until: str
    subject: str
    all_mailboxes: bool

    @property
    def entity(self) -> Entity:
        return Entity(self.entity_type, self.entity_id)

    @property
    def viewer(self) -> Viewer:
        return Viewer(self.subject, self.all_mailboxes)


@dataclass(frozen=True)
class Written:
    """A message in the zip: `file` is empty where its bytes are not there, `missing` says why.
    `redacted`: without the header fields that name other people's mailboxes."""

    file: str = ""
    sha256: str = ""
    size: int = 0
    redacted: bool = False
    missing: str = ""


def file_name(sort_time: str, message_id: str) -> str:
    """Sorts by time; nothing in it is the mail's own words."""
    return f"messages/{sort_time.replace(':', '')}_{message_id}.eml"


def manifest_line(
    entity: Entity, sight: Sight, written: Written, happened: Iterable[Event]
) -> dict[str, Any]:
    """What the viewer may know of the message, and how it came to be filed here."""
    message, facts = sight.message, sight.message.facts
    filing = message.filings.get(entity)
    decided = [d for d in message.decisions if str(entity) in d.hits]
    return {
        "message": message.message_id,
        **{name: value for name, value in asdict(written).items() if value},
        "message_id": facts.mail_id,
        "date": facts.date,
        "sort_time": message.sort_time,
        "subject": facts.subject,
        "from": facts.sender,
        "to": list(facts.to),
        "cc": list(facts.cc),
        "bcc": list(facts.bcc),
        "direction": facts.direction,
        "kind": facts.kind,
        "flags": sorted(message.flags),
        "access": sight.access,
        "filed": {
            "origins": sorted(filing.origins) if filing else [],
            "by": filing.by if filing else "",
            "at": filing.at if filing else "",
            "paths": list(filing.paths) if filing else [],
            "reasons": sorted({d.reason for d in decided}),
        },
        "history": [_told(asdict(event)) for event in happened if event.entity == entity],
    }


def _told(event: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in event.items() if name != "entity" and value}
    if "at" in told:
        moment = datetime.fromtimestamp(told["at"] / 1000, UTC)
        told["at"] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return told


def sums_line(written: Mapping[str, Any]) -> bytes:
    """Of a manifest line; empty without a file."""
    if "file" not in written:
        return b""
    return f"{written['sha256']}  {written['file']}\n".encode()


def line_bytes(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
