"""Routes in the template, in the code and in docs/openapi.json are the same, with their scopes."""

import json
import re
from pathlib import Path

import pytest
import yaml

from api.routes import OPERATIONS

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "infra" / "template.yaml"


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short tags as plain values."""


def _plain(loader, _, node):
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node)
    return loader.construct_mapping(node)


Loader.add_multi_constructor("!", _plain)


@pytest.fixture(scope="module")
def template_paths():
    template = yaml.load(TEMPLATE.read_text(), Loader)
    return template["Resources"]["HttpApi"]["Properties"]["DefinitionBody"]["paths"]


@pytest.fixture(scope="module")
def described():
    from api.openapi import description  # noqa: PLC0415

    return description()


def coded():
    return {(known.method, known.path, known.scope) for known in OPERATIONS}


def listed(paths):
    return {
        (method.upper(), path, re.sub(r"^\$\{ScopePrefix}", "", scope))
        for path, methods in paths.items()
        for method, operation in methods.items()
        for security in operation["security"]
        for scope in security["jwt"]
    }


def test_the_template_has_the_routes_of_the_code(template_paths):
    assert listed(template_paths) == coded()


def test_the_description_has_the_routes_of_the_code(described):
    assert listed(described["paths"]) == coded()


def test_the_committed_description_is_up_to_date(described):
    assert json.loads((ROOT / "docs" / "openapi.json").read_text()) == described


def test_every_operation_says_what_it_does(described):
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"].endswith((".", ")", "?")), (method, path)
            assert "4XX" in operation["responses"]


def test_every_reference_leads_somewhere(described):
    text = json.dumps(described)
    names = set(re.findall(r"#/components/schemas/([^\"]+)", text))

    assert names <= set(described["components"]["schemas"])


def test_every_request_body_refuses_unknown_fields(described):
    for methods in described["paths"].values():
        for operation in methods.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                name = content["schema"]["$ref"].rpartition("/")[2]
                schema = described["components"]["schemas"][name]
                assert schema["additionalProperties"] is False


def test_a_password_is_write_only(described):
    bodies = described["components"]["schemas"]
    shown = {name for name, schema in bodies.items() if "password" in schema.get("properties", {})}

    assert shown == {"AccountBody", "AccountPatch"}
    assert bodies["AccountBody"]["properties"]["password"]["writeOnly"]
