"""Routes in the template, in the code and in docs/openapi.json are the same, with their scopes."""

import ast
import itertools
import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from pydantic import BaseModel

from ablage.events import TYPES
from ablage.webhooks import TEST
from api.error_codes import TABLE
from api.operations import matches
from api.routes import OPERATIONS, ROUTES

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
    """The first scope of each: the gateway lets in who has any one, the door asks for all."""
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
    both = {(known.method, known.path, known.also) for known in OPERATIONS if known.also}

    assert listed(described["paths"]) == coded() | both


def test_the_committed_description_is_up_to_date(described):
    assert json.loads((ROOT / "docs" / "openapi.json").read_text()) == described


def operations(described):
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_operation_says_what_it_does(described):
    told = {tag["name"] for tag in described["tags"] if tag["description"]}
    for name, operation in operations(described):
        assert operation["summary"].endswith((".", ")", "?")), name
        assert set(operation["tags"]) <= told, name
        assert {"401", "403", "429", "500", "503"} <= set(operation["responses"]), name
        assert operation["x-limits"]["class"] in ("read", "write", "heavy"), name


def examples(described):
    """(where, example, its schema) of every parameter, body and answer."""
    for name, operation in operations(described):
        for parameter in operation.get("parameters", ()):
            given = parameter.get("example", parameter["schema"].get("default"))
            yield f"{name} {parameter['name']}", given, parameter["schema"]
        for content in operation.get("requestBody", {}).get("content", {}).values():
            yield f"{name} body", content.get("example"), content["schema"]
        for status, answer in operation["responses"].items():
            for content in answer.get("content", {}).values() if status < "3" else ():
                yield f"{name} {status}", content.get("example"), content["schema"]
    for name, webhook in described["webhooks"].items():
        for parameter in webhook["post"]["parameters"]:
            yield f"{name} {parameter['name']}", parameter["example"], parameter["schema"]
        content = webhook["post"]["requestBody"]["content"]["application/json"]
        yield name, content["example"], content["schema"]
    for name, example in described["components"]["examples"].items():
        yield name, example["value"], {"$ref": "#/components/schemas/Problem"}


def test_every_example_is_there_and_fits_its_schema(described):
    """Times too: a name that ends as one has the form of one."""
    wrong = {}
    for where, example, schema in examples(described):
        checker = jsonschema.Draft202012Validator(
            schema | {"components": described["components"]},
            format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
        )
        found = "no example" if example is None else next(checker.iter_errors(example), None)
        if found:
            wrong[where] = getattr(found, "message", found)

    assert wrong == {}


def test_a_bodys_example_is_taken_as_it_is(described):
    """Not only by the schema: also by what the models check besides."""
    for name, operation in operations(described):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            model = content["schema"]["$ref"].rpartition("/")[2]
            (known,) = {each for each in subclasses(BaseModel) if each.__name__ == model}
            assert known.model_validate(content["example"]), name


def subclasses(base):
    for each in base.__subclasses__():
        yield each
        yield from subclasses(each)


def test_each_type_of_event_is_a_webhook_of_its_own(described):
    """Its example tells of the type it stands for, and of no other."""
    for name, webhook in described["webhooks"].items():
        content = webhook["post"]["requestBody"]["content"]["application/json"]
        fitting = [
            other
            for other in described["webhooks"]
            if jsonschema.Draft202012Validator(
                {"$ref": f"#/components/schemas/{other}Event"}
                | {"components": described["components"]}
            ).is_valid(content["example"]["data"])
        ]
        assert fitting == [name]
        assert webhook["post"]["security"] == []
        assert {"2XX", "4XX", "410", "default"} <= set(webhook["post"]["responses"])
    assert list(described["webhooks"]) == [*TYPES, TEST]


def test_every_header_an_answer_may_have_is_described(described):
    known = set(described["components"]["headers"])
    for name, operation in operations(described):
        for answer in operation["responses"].values():
            found = answer.get("headers", {})
            assert ("$ref" in answer) != ("X-Request-Id" in found), name
            assert set(found) <= known


def test_only_codes_of_the_table_are_told_and_each_somewhere(described):
    text = json.dumps(described["paths"])
    told = set(re.findall(r"#/components/(?:examples|responses)/(\d{3}_\w+)", text))
    known = {f"{status}_{row.code}" for row in TABLE for status in row.statuses}

    assert told <= known
    # What no route is needed for, or only items of a batch have.
    assert known - told <= {"404_unknown_route", "405_method_not_allowed", "503_not_done"}


def spelt(file):
    """Every text a file passes on, with what its names may stand for put in."""
    tree = ast.parse(file.read_text())
    names = values(tree)
    for node in ast.walk(tree):
        for each in node.args if isinstance(node, ast.Call) else getattr(node, "elts", ()):
            yield from texts(each, names)


def values(tree):
    """name -> the texts it is given: as a name of the module, a default, or an argument."""
    pairs = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            pairs += [(t.id, node.value) for t in node.targets if isinstance(t, ast.Name)]
        if isinstance(node, ast.FunctionDef):
            taken = node.args.args
            defaults = node.args.defaults
            pairs += [(a.arg, d) for a, d in zip(taken[::-1], defaults[::-1], strict=False)]
        if isinstance(node, ast.Call):
            pairs += [(keyword.arg, keyword.value) for keyword in node.keywords]
    known = {}
    for name, value in pairs:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            known.setdefault(name, set()).add(value.value)
    return known


def texts(node, names):
    if isinstance(node, ast.Name):
        return names.get(node.id, ())
    if isinstance(node, ast.Constant):
        return (node.value,) if isinstance(node.value, str) else ()
    if not isinstance(node, ast.JoinedStr):
        return ()
    choices = [
        tuple(texts(getattr(part, "value", part), names)) or ("x",)
        if isinstance(part, ast.FormattedValue)
        else (part.value,)
        for part in node.values
    ]
    return ("".join(chosen) for chosen in itertools.islice(itertools.product(*choices), 100))


def test_every_route_is_spelt_in_a_test_of_its_own():
    """Beside those that walk all routes: no route is there that no test asks by its path."""
    found = {
        text.partition("?")[0]
        for file in sorted((ROOT / "tests" / "integration").glob("*.py"))
        for text in spelt(file)
        if text.startswith("/v1/") and "{" not in text
    }
    untested = [
        f"{known.method} {known.path}"
        for known in OPERATIONS
        if not any(matches(known.path, text) for text in found)
    ]

    assert untested == []


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


@pytest.mark.parametrize(
    ("path", "forms"),
    [
        ("/v1/contacts/batch", ["ContactItem", "DeletedItem"]),
        ("/v1/customers/batch", ["CustomerItem", "DeletedItem"]),
        ("/v1/records/batch", ["RecordItem", "DeletedItem"]),
    ],
)
def test_the_items_of_a_batch_are_those_of_the_single_calls(described, path, forms):
    """With their ids, and as strict: what one refuses does not fit the other."""
    schemas = described["components"]["schemas"]
    body = described["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    items = schemas[body["schema"]["$ref"].rpartition("/")[2]]["properties"]["items"]["items"]
    assert [form["$ref"].rpartition("/")[2] for form in items["anyOf"]] == forms

    single = schemas[forms[0].replace("Item", "Body")]["properties"]
    many = schemas[forms[0]]["properties"]
    checker = jsonschema.Draft202012Validator(items | {"components": described["components"]})

    assert set(many) - set(single) == {"id", "type", "delete"}
    assert {name: many[name] for name in single} == single
    known = {"type": forms[0].removesuffix("Item").lower(), "id": "x"}
    assert checker.is_valid(known)
    assert checker.is_valid(known | {"delete": True, "archive": "delete"})
    for wrong in ({"nonsense": 1}, {"delete": 1}, {"archive": "delete"}, {"id": 7}, {"type": None}):
        assert not checker.is_valid(known | wrong)


def test_a_delivery_tells_one_of_the_events_or_one_to_come(described):
    schemas = described["components"]["schemas"]
    event = schemas["DeliveryView"]["properties"]["event"]
    named = [choice["$ref"].rpartition("/")[2] for choice in event["oneOf"]]
    checker = jsonschema.Draft202012Validator(event | {"components": described["components"]})

    assert named == [*(f"{name}Event" for name in described["webhooks"]), "OtherEvent"]
    for webhook in described["webhooks"].values():
        content = webhook["post"]["requestBody"]["content"]["application/json"]
        known = content["example"]["data"]
        assert checker.is_valid(known)
        assert checker.is_valid(known | {"type": "OfTomorrow"})
        assert not checker.is_valid({"id": known["id"], "at": known["at"]})
    assert not checker.is_valid(event["examples"][0] | {"message": 7})


def test_a_password_is_write_only(described):
    bodies = described["components"]["schemas"]
    shown = {name for name, schema in bodies.items() if "password" in schema.get("properties", {})}

    assert shown == {"AccountBody", "AccountPatch"}
    assert bodies["AccountBody"]["properties"]["password"]["writeOnly"]


def test_every_path_is_found_in_the_modules_it_is_told_of() -> None:
    told = {path: set(modules) for path, modules in ROUTES.items()}
    found: dict[str, set[str]] = {}
    for known in OPERATIONS:
        assert known.handler is not None
        found.setdefault(known.path, set()).add(
            known.handler.__module__.removeprefix("api.routes.")
        )

    assert told == found
    assert list(ROUTES) == sorted(ROUTES)  # `find` asks literals before parameters
