"""Who calls: from the claims API Gateway verified, and from nothing else of the request."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Request
from aws_lambda_powertools.event_handler.depends import Depends

from ablage.errors import InvalidInput
from ablage.settings import Settings
from ablage.tenancy import TenantId, tenant_id
from api.problems import Refused

SUBJECT_CHARACTERS = 128

ClientTenant = Callable[[str], TenantId | None]


@dataclass(frozen=True)
class Caller:
    """`subject` is who acts within the tenant: a user or a server; `scopes` without prefix."""

    tenant: TenantId
    subject: str
    scopes: frozenset[str]


def caller_of(event: dict[str, Any], settings: Settings, tenant_of_client: ClientTenant) -> Caller:
    """Raises Refused 401 `unauthorized` without verified claims, 403 `no_tenant` where they name
    no tenant and their client is not known to speak for one."""
    claims = _claims(event)
    tenant = _tenant(claims, settings.tenant_claim, tenant_of_client)
    subject = str(claims.get("sub") or _client(claims))
    return Caller(tenant, _person(subject), _scopes(claims, settings.scope_prefix))


def _tenant(claims: dict[str, Any], name: str, tenant_of_client: ClientTenant) -> TenantId:
    """The claim, if there is one at all: a broken one is no reason to look elsewhere."""
    named = claims.get(name)
    if named is None:
        known = tenant_of_client(_client(claims))
        if known is None:
            detail = f"The token has no claim '{name}', and its client is not known here."
            raise Refused(403, "no_tenant", detail)
        return known
    try:
        return tenant_id(str(named))
    except InvalidInput as error:
        raise Refused(
            403, "no_tenant", f"The token names no tenant in its claim '{name}'."
        ) from error


def _client(claims: dict[str, Any]) -> str:
    """RFC 9068 calls it client_id, OpenID Connect azp."""
    return str(claims.get("client_id") or claims.get("azp") or "")


def _person(subject: str) -> str:
    """As owner and viewers are written; a longer one is nobody else's beginning."""
    if len(subject) <= SUBJECT_CHARACTERS:
        return subject
    return f"sha256:{hashlib.sha256(subject.encode()).hexdigest()}"


def require_scope(caller: Caller, scope: str) -> None:
    """Raises Refused 403 `insufficient_scope`."""
    if scope not in caller.scopes:
        raise Refused(403, "insufficient_scope", f"This needs a token with the scope '{scope}'.")


def _claims(event: dict[str, Any]) -> dict[str, Any]:
    authorizer = event.get("requestContext", {}).get("authorizer") or {}
    claims = (authorizer.get("jwt") or {}).get("claims")
    if not isinstance(claims, dict) or not claims:
        raise Refused(401, "unauthorized", "Send a valid token: Authorization: Bearer <token>.")
    return claims


def _scopes(claims: dict[str, Any], prefix: str) -> frozenset[str]:
    words = _words(claims.get("scope") or claims.get("scp") or "")
    return frozenset(word.removeprefix(prefix) for word in words if word.startswith(prefix))


def _words(claim: Any) -> list[str]:
    """API Gateway hands a list over as the text `[read file]`."""
    if isinstance(claim, list):
        return [str(word) for word in claim]
    return str(claim).removeprefix("[").removesuffix("]").split()


def _caller(request: Request) -> Caller:
    caller: Caller = request.context["caller"]
    return caller


def _seconds(request: Request) -> float:
    seconds: float = request.context["seconds"]
    return seconds


Calling = Annotated[Caller, Depends(_caller)]
SecondsLeft = Annotated[float, Depends(_seconds)]
