"""Who calls: from the claims API Gateway verified, and from nothing else of the request."""

from dataclasses import dataclass
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Request
from aws_lambda_powertools.event_handler.depends import Depends

from ablage.errors import InvalidInput
from ablage.settings import Settings
from ablage.tenancy import TenantId, tenant_id
from api.problems import Refused


@dataclass(frozen=True)
class Caller:
    """`subject` is who acts within the tenant: a user or a server; `scopes` without prefix."""

    tenant: TenantId
    subject: str
    scopes: frozenset[str]


def caller_of(event: dict[str, Any], settings: Settings) -> Caller:
    """Raises Refused 401 `unauthorized` without verified claims, 403 `no_tenant` where they name
    no tenant."""
    claims = _claims(event)
    try:
        tenant = tenant_id(str(claims.get(settings.tenant_claim, "")))
    except InvalidInput as error:
        detail = f"The token names no tenant in its claim '{settings.tenant_claim}'."
        raise Refused(403, "no_tenant", detail) from error
    subject = str(claims.get("sub") or claims.get("client_id") or "")[:128]
    return Caller(tenant, subject, _scopes(claims, settings.scope_prefix))


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
    words = str(claims.get("scope", "")).split()
    return frozenset(word.removeprefix(prefix) for word in words if word.startswith(prefix))


def _caller(request: Request) -> Caller:
    caller: Caller = request.context["caller"]
    return caller


def _seconds(request: Request) -> float:
    seconds: float = request.context["seconds"]
    return seconds


Calling = Annotated[Caller, Depends(_caller)]
SecondsLeft = Annotated[float, Depends(_seconds)]
