"""One module per resource. Importing one registers its operations; the schemas of all of them are
half of a cold start, so a request loads those of its path alone."""

import functools
import importlib
from collections.abc import Iterable, Mapping

from api import operations
from api.operations import Operation, matches
from api.problems import Refused

# Modules of a path's methods; a literal stands before a parameter in its place.
ROUTES: Mapping[str, tuple[str, ...]] = {
    "/v1/accounts": ("accounts",),
    "/v1/accounts/discover": ("accounts",),
    "/v1/accounts/{account}": ("accounts",),
    "/v1/accounts/{account}/check": ("jobs",),
    "/v1/accounts/{account}/completeness": ("ledger",),
    "/v1/accounts/{account}/folders": ("accounts",),
    "/v1/accounts/{account}/messages": ("archives",),
    "/v1/accounts/{account}/runs": ("ledger",),
    "/v1/accounts/{account}/sync": ("jobs",),
    "/v1/archives/counts": ("counts",),
    "/v1/archives/{entity_type}/{entity_id}": ("archives",),
    "/v1/archives/{entity_type}/{entity_id}/count": ("counts",),
    "/v1/batches": ("batches",),
    "/v1/batches/{job}/undo": ("batches",),
    "/v1/blocklist": ("blocklist",),
    "/v1/blocklist/{entry_id}": ("blocklist",),
    "/v1/changes": ("changes",),
    "/v1/contacts": ("contacts",),
    "/v1/contacts/batch": ("record_batches",),
    "/v1/contacts/{contact}": ("contacts",),
    "/v1/contacts/{contact}/merge": ("contacts",),
    "/v1/customers": ("customers",),
    "/v1/customers/batch": ("record_batches",),
    "/v1/customers/{customer}": ("customers",),
    "/v1/customers/{customer}/contacts": ("customers",),
    "/v1/explain": ("explain",),
    "/v1/exports": ("exports",),
    "/v1/filings/batch": ("filing_batches",),
    "/v1/imports": ("imports",),
    "/v1/imports/{job}/start": ("imports",),
    "/v1/jobs/{job}": ("jobs",),
    "/v1/me": ("tenant",),
    "/v1/messages": ("posted_messages",),
    "/v1/messages/{message}": ("messages",),
    "/v1/messages/{message}/attachments/{number}": ("attachments",),
    "/v1/messages/{message}/filings": (
        "fan_out",
        "messages",
    ),
    "/v1/messages/{message}/filings/{entity_type}/{entity_id}": ("messages",),
    "/v1/messages/{message}/html": ("html",),
    "/v1/messages/{message}/private": ("messages",),
    "/v1/messages/{message}/raw": ("messages",),
    "/v1/oauth/authorizations": ("oauth",),
    "/v1/oauth/callbacks": ("oauth",),
    "/v1/oauth/clients/{provider}": ("oauth",),
    "/v1/policy": ("tenant",),
    "/v1/previews": ("previews",),
    "/v1/records/batch": ("record_batches",),
    "/v1/records/{entity_type}": ("records",),
    "/v1/records/{entity_type}/{entity_id}": ("records",),
    "/v1/review": ("review",),
    "/v1/review/{message}": ("review",),
    "/v1/trace": ("trace",),
    "/v1/usage": ("usage",),
    "/v1/webhooks": ("webhooks",),
    "/v1/webhooks/{webhook}": ("webhooks",),
    "/v1/webhooks/{webhook}/deliveries": ("deliveries",),
    "/v1/webhooks/{webhook}/replay": ("deliveries",),
    "/v1/webhooks/{webhook}/secret": ("webhooks",),
    "/v1/webhooks/{webhook}/test": ("deliveries",),
}


def find(method: str, path: str) -> Operation:
    """Raises Refused 404 `unknown_route`, 405 `method_not_allowed`."""
    there = [known for each in ROUTES if matches(each, path) for known in _operations(each)]
    if not there:
        raise Refused(404, "unknown_route", "There is no such route; see the API's description.")
    for known in there:
        if known.method == method:
            return known
    methods = ", ".join(sorted(known.method for known in there))
    raise Refused(405, "method_not_allowed", f"This route takes {methods}.", allow=methods)


@functools.cache
def _operations(path: str) -> list[Operation]:
    _load(ROUTES[path])
    return [known for known in operations.OPERATIONS if known.path == path]


def _load(names: Iterable[str]) -> None:
    for name in names:
        importlib.import_module(f"api.routes.{name}")


def __getattr__(name: str) -> list[Operation]:
    """OPERATIONS: of all modules, for who describes or tests them."""
    if name != "OPERATIONS":
        raise AttributeError(name)
    _load(sorted({module for names in ROUTES.values() for module in names}))
    return operations.OPERATIONS
