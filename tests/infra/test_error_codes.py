"""The codes that are raised and the table that explains them are the same; each names its field."""

import ast
import re
from pathlib import Path

import pytest

from ablage import errors
from ablage.errors import AblageError, InvalidInput
from api import problems
from api.cursors import InvalidCursor
from api.error_codes import TABLE

FUNCTIONS = Path(__file__).resolve().parents[2] / "functions"
RAISED = {known.__name__: known for known in (*vars(errors).values(), InvalidCursor)
          if isinstance(known, type) and issubclass(known, AblageError)}  # fmt: skip
RAISED |= {"Refused": problems.Refused, "InProgress": errors.Conflict}
FIXED = {"Merged": "merged"}  # codes their classes set
CODE_AT = {"Refused": 1, "problem": 1}
# Their code comes from a row that has it, or from an error that is raised again.
PASSED_ON = {"error.code", "fault.code", "code"}
BY_HAND = {"internal", "invalid_request"}  # api.handler, api.problems
NO_FIELD = {
    "invalid_tenant",  # of a token: the door tells it as no_tenant
    "secret_too_long",  # the bodies' own limits are stricter
}


def calls():
    """(file and line, name of what is called, its arguments) of every error that is made."""
    for file in sorted(FUNCTIONS.rglob("*.py")):
        if file.name in ("errors.py", "faults.py"):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                if name in RAISED and name not in ("AccountFault", "AblageError"):
                    yield f"{file.relative_to(FUNCTIONS)}:{node.lineno}", name, node


def code_of(name, node):
    """As it is spelt: one that is put together is none of the table, for nobody can look it up."""
    if name in FIXED:
        return FIXED[name]
    found = node.args[CODE_AT.get(name, 0)]
    return found.value if isinstance(found, ast.Constant) else ast.unparse(found)


def noted():
    """Codes of items and jobs, that nothing raises: `code=` of a result, `fail(..., code, ...)`."""
    for file in sorted(FUNCTIONS.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            name = getattr(
                getattr(node, "func", None), "attr", getattr(getattr(node, "func", None), "id", "")
            )
            given = node.keywords if name in ("Outcome", "ItemResult") else ()
            texts = [k.value for k in given if k.arg == "code"]
            texts += node.args if name == "fail" else []
            for text in texts:
                value = getattr(text, "value", None)
                if isinstance(value, str) and re.fullmatch("[a-z]+(_[a-z]+)*", value):
                    yield value, f"{file.relative_to(FUNCTIONS)}:{node.lineno}"


def raised():
    return {code_of(name, node): place for place, name, node in calls()} | dict(noted())


def test_every_code_that_is_raised_is_in_the_table():
    known = {row.code for row in TABLE} | PASSED_ON | NO_FIELD

    assert {code: at for code, at in raised().items() if code not in known} == {}


def test_every_code_of_the_table_is_raised():
    assert {row.code for row in TABLE} - set(raised()) - BY_HAND == set()


def test_no_code_is_told_twice():
    codes = [row.code for row in TABLE]

    assert len(codes) == len(set(codes))


def test_every_status_that_is_raised_is_in_the_table():
    statuses = {row.code: row.statuses for row in TABLE}
    wrong = {}
    for place, name, node in calls():
        code = code_of(name, node)
        status = node.args[0].value if name == "Refused" else RAISED[name].status
        if statuses.get(code) and status not in statuses[code]:
            wrong[place] = (code, status)

    assert wrong == {}


def test_every_bad_input_names_its_field():
    """A refusal at the door concerns the request as a whole, or names its header."""
    without = {
        place: code_of(name, node)
        for place, name, node in calls()
        if issubclass(RAISED[name], InvalidInput) and name != "Refused"
        and len(node.args) < 3 and not any(k.arg == "pointer" for k in node.keywords)
    }  # fmt: skip
    without = {at: code for at, code in without.items() if code not in NO_FIELD}

    # Callers know the field: api.problems.about, or the parameter of the path.
    assert set(without.values()) <= {"invalid_entity"}


@pytest.mark.parametrize("row", TABLE, ids=[row.code for row in TABLE])
def test_every_code_says_what_it_means_and_what_to_do(row):
    assert row.meaning.endswith((".", "?"))
    assert row.action.rstrip(":.-_ ") or row.action
    assert row.code == row.code.lower()
