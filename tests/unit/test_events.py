"""What is told, and that the docs name exactly that."""

import json
import re
from pathlib import Path
from typing import Any

from ablage.events import TYPES, as_json, told

DOCS = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
KEY = {"pk": "T#acme#FEED#2026-11-26", "sk": "2026-11-26T10:15:02.123Z#0123456789abcdef"}
MAIL = KEY | {"m": "m" * 26, "v": 2, "b": "job-1"}
ROWS: list[dict[str, Any]] = [
    MAIL | {"e": [["filed", "contact#c1", "anna"], ["unfiled", "quote#q1", "eva"]]},
    MAIL | {"e": [["held", "!review#list"]]},
    KEY
    | {
        "t": "AccountStatusChanged",
        "n": "account#anna#1",
        "f": {"account": "anna", "status": "degraded", "previous": "ok", "code": "host_down"},
    },
    KEY
    | {
        "t": "JobFinished",
        "n": "job#j1",
        "f": {"job": "j1", "kind": "check", "state": "failed", "account": "anna", "code": "x"},
    },
]
EVENTS = [as_json(event) for row in ROWS for event in told(row)]


def test_the_docs_name_every_type_and_its_fields() -> None:
    lines = [line.split("|") for line in DOCS.splitlines() if line.startswith("| `")]
    named = {line[1].strip(" `"): set(re.findall(r"`(\w+)`", line[3])) for line in lines}
    named["JobFinished"] -= {"done", "failed", "undone"}
    found = {event["type"]: event.keys() - {"id", "type", "at"} for event in EVENTS}

    assert set(named) == set(TYPES)
    assert named == found


def test_the_docs_example_is_an_event() -> None:
    (example, *_) = (json.loads(text) for text in re.findall(r"```json\n(.*?)```", DOCS, re.S))

    assert example.keys() <= EVENTS[0].keys()
    assert len(example["id"]) == len(EVENTS[0]["id"])
    assert len(example["message"]) == 26


def test_ids_tell_events_apart_and_stay() -> None:
    again = [as_json(event) for row in ROWS for event in told(row | {"sk": "later#x"})]

    assert len({event["id"] for event in EVENTS}) == len(EVENTS)
    assert [event["id"] for event in again] == [event["id"] for event in EVENTS]


def test_a_void_row_tells_nothing() -> None:
    assert list(told(KEY)) == []
