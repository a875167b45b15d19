"""`make trace ID='<...>'`: a mail's whole walk by its Message-ID, a line a step.

Asks the API that `make serve` runs, or any other: ABLAGE_URL and ABLAGE_TOKEN (scopes read and
mailboxes:all).
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlencode

from infra.local.demo_client import Client, Json, RefusedError
from infra.local.tokens import SCOPES

SERVED = Path(".local") / "serve.json"


def lines(found: Json) -> Iterator[str]:
    """What a person reads of `GET /v1/trace`."""
    if not found["items"]:
        more = f", the newest down to {found['reached']}" if found["more"] else ""
        yield f"{found['message_id']}: in none of {found['rows_searched']} mails{more}"
    for item in found["items"]:
        yield f"{found['message_id']}: message {item['message']}, version {item['version']}"
        for step in item["steps"]:
            where = f" {step['account']}" if step["account"] else ""
            key = f" {step['key']}" if step["key"] else ""
            yield f"  {step['step']:9}{where} {step['explanation']}{key}"
    for mailbox in found["accounts"]:
        yield f"  mailbox {mailbox['account']}, {mailbox['status']}: {mailbox['explanation']}"


def clients(environment: Mapping[str, str], served: Path) -> Iterator[Client]:
    """The API named in the environment; else that of `make serve`, for each of its tenants."""
    if "ABLAGE_URL" in environment:
        yield Client(environment["ABLAGE_URL"], environment.get("ABLAGE_TOKEN", ""))
        return
    told = json.loads(served.read_text())
    for tenant in told["tenants"].values():
        yield Client(told["base_url"], tenant["tokens"]["+".join(SCOPES)])


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make trace", description=__doc__)
    parser.add_argument("message_id")
    query = {"message_id": parser.parse_args(arguments).message_id}
    found = False
    try:
        for client in clients(os.environ, SERVED):
            answer = client.get(f"/v1/trace?{urlencode(query)}")
            found = found or bool(answer["items"])
            sys.stdout.writelines(f"{line}\n" for line in lines(answer))
    except FileNotFoundError:
        sys.stderr.write("Nothing serves here: `make serve` first, or set ABLAGE_URL.\n")
        return 2
    except (RefusedError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
