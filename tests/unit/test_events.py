"""What is told, and that the docs name exactly that."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.support.told import hold_to_schema

from ablage.events import TYPES, as_json, told
from ablage.webhooks import TEST, trial
from api.event_schemas import MODELS
from api.routes.changes import EventView

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


@pytest.mark.parametrize("event", EVENTS, ids=[event["type"] for event in EVENTS])
def test_an_event_is_as_its_schema_says(event: dict[str, Any]) -> None:
    """With everything it may tell; and without any of what it need not."""
    model = MODELS[event["type"]]
    fields = model.model_fields.values()
    needed = {name for name, field in model.model_fields.items() if field.is_required()}

    hold_to_schema(event)
    hold_to_schema({name: value for name, value in event.items() if name in needed})
    assert len(event) == len(fields)
    for name in needed:
        with pytest.raises(jsonschema.ValidationError):
            hold_to_schema({field: value for field, value in event.items() if field != name})


def test_each_type_has_a_schema_and_the_feed_shows_no_other_fields() -> None:
    told = {name for model in MODELS.values() for name in model.model_fields}

    assert list(MODELS) == [*TYPES, TEST]
    assert told == set(EventView.model_fields)
    hold_to_schema(trial("0" * 32, "2026-11-26T10:15:02.123Z"))


def test_what_is_no_event_fits_no_schema() -> None:
    for wrong in ({"type": "Nonsense"}, {"id": "x"}, {"at": "yesterday"}, {"more": 1}):
        with pytest.raises(jsonschema.ValidationError):
            hold_to_schema(EVENTS[0] | wrong)


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
