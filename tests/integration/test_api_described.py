"""Requests that schemathesis makes of docs/openapi.json, over every route: never a failure of ours,
and every answer is one the description tells of.

A fixed few of each route here; SCHEMA_EXAMPLES=500 makes that many, others each time.
"""

import os

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.support.api_world import OWNER, api_world, unchanged_afterwards
from tests.support.door import Door, Wsgi
from tests.support.fitting import described

from api.routes import OPERATIONS

MORE = int(os.environ.get("SCHEMA_EXAMPLES", "0"))
IDS = [f"{known.method} {known.path}" for known in OPERATIONS]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
sampled = settings(
    max_examples=MORE or 6,
    derandomize=not MORE,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def world():
    with api_world() as made:
        yield made


@pytest.fixture(scope="module")
def schema():
    loaded = schemathesis.openapi.from_dict(described())
    door = Door()
    loaded.app = Wsgi(door)
    return loaded, {"Authorization": f"Bearer {door.tokens.mint(OWNER, subject='anna')}"}


@pytest.mark.parametrize("known", OPERATIONS, ids=IDS)
def test_every_answer_is_as_described(known, schema, world):
    loaded, headers = schema
    operation = loaded[known.path][known.method.lower()]
    real = world.cases(known.path)[-1].real

    @sampled
    @given(operation.as_strategy(), st.booleans())
    def ask(case, is_real):
        if is_real:
            case.path_parameters = {name: real[name] for name in case.path_parameters or {}}
        with unchanged_afterwards():
            case.call_and_validate(headers=headers, checks=CHECKS)

    ask()
