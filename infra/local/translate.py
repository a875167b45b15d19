"""The template as CloudFormation sees it: SAM's own translator, offline."""

import copy
import functools
from pathlib import Path
from typing import Any

import boto3
import yaml
from infra.local.aws import REGION
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import intrinsics_multi_constructor

TEMPLATE = Path(__file__).parents[1] / "template.yaml"
_PACKAGED = "s3://local/code.zip"  # the translator wants what `sam package` would have written

Template = dict[str, Any]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """SAM's own is in Python: ten times the time."""


_Loader.add_multi_constructor("!", intrinsics_multi_constructor)


def read(path: Path = TEMPLATE) -> Template:
    """The template as written, short forms of functions in their long form."""
    return _parsed(path.read_text())


@functools.cache
def _parsed(text: str) -> Template:
    template: Template = yaml.load(text, _Loader)  # noqa: S506  a safe one
    return template


def translate(path: Path = TEMPLATE) -> Template:
    """Plain CloudFormation; raises InvalidDocumentException with every fault SAM finds."""
    return copy.deepcopy(_translated(path.read_text()))


@functools.cache
def _translated(text: str) -> Template:
    template = copy.deepcopy(_parsed(text))
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = _PACKAGED
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=REGION))
    translated: Template = translator.translate(
        sam_template=template, parameter_values={}, feature_toggle=None
    )
    translator.metrics.publish()  # to nobody: it warns at exit otherwise
    return translated


def code_folder(path: Path, logical_id: str) -> Path:
    """Where a function's code lies (`CodeUri`, relative to the template)."""
    uri = str(read(path)["Resources"][logical_id]["Properties"]["CodeUri"])
    return (path.parent / uri).resolve()


if __name__ == "__main__":
    translate()
