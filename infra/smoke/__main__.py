"""`python -m infra.smoke STACK`: every check, a line each, and how many held."""

import os
import sys
from collections.abc import Iterable, Mapping
from typing import TextIO

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from infra.smoke import isolation, paths, webhooks, wiring
from infra.smoke.live import CHECKS, Check, Failed, Live, NotShown

MODULES = (wiring, isolation, paths, webhooks)  # each registers its checks
USAGE = "Name the stack: make smoke STACK=ablage (and SMOKE_TOKEN, for the API)."
CREDENTIALS = "There are no AWS credentials, or no region: log in, as by `aws sso login`."


class Refused(Exception):
    """It cannot begin; the text says what to do."""


def main(arguments: list[str], environment: Mapping[str, str], out: TextIO = sys.stdout) -> int:
    """0 where everything held, 1 where something failed or was not shown, 2 where it cannot
    begin."""
    try:
        live = connect(arguments, environment)
    except Refused as refusal:
        print(refusal, file=out)
        return 2
    try:
        return run(live, CHECKS, out)
    finally:
        live.close()


def connect(arguments: list[str], environment: Mapping[str, str]) -> Live:
    """Raises Refused."""
    if len(arguments) != 1 or not arguments[0].strip():
        raise Refused(USAGE)
    session = boto3.session.Session()
    if session.get_credentials() is None or session.region_name is None:
        raise Refused(CREDENTIALS)
    return of_stack(session, arguments[0].strip(), environment.get("SMOKE_TOKEN", ""))


def of_stack(session: boto3.session.Session, stack: str, token: str) -> Live:
    """Raises Refused."""
    cloudformation = session.client("cloudformation")
    try:
        (found,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
        resources = {
            each["LogicalResourceId"]: each["PhysicalResourceId"]
            for page in pages
            for each in page["StackResourceSummaries"]
        }
    except (ClientError, BotoCoreError) as error:
        raise Refused(f"The stack {stack} cannot be read: {error}") from error
    outputs = {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}
    return Live(session, stack, resources, outputs, token)


def run(live: Live, checks: Iterable[tuple[str, Check]], out: TextIO) -> int:
    counts = {"held": 0, "FAILED": 0, "not shown": 0}
    for name, check in checks:
        verdict, why = verdict_of(live, check)
        counts[verdict] += 1
        print(f"{verdict:9}  {name}{f': {why}' if why else ''}", file=out, flush=True)
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()), file=out)
    return 0 if counts["held"] == sum(counts.values()) else 1


def verdict_of(live: Live, check: Check) -> tuple[str, str]:
    try:
        check(live)
    except NotShown as missing:
        return "not shown", str(missing)
    except (Failed, ClientError, BotoCoreError, OSError) as error:
        return "FAILED", str(error)
    except (KeyError, ValueError) as error:  # an answer of another shape than the stack's
        return "FAILED", f"unexpected answer: {error!r}"
    return "held", ""


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:], os.environ))
