"""The HTTP API's door: who calls, may they, can it be read; then the route."""

import ablage.starting  # noqa: F401  before all else

# isort: split
import functools
import logging
import time
import traceback
from typing import Any
from urllib.parse import quote

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.exceptions import (
    RequestValidationError,
    ResponseValidationError,
)
from aws_lambda_powertools.utilities.typing import LambdaContext

from ablage.errors import AblageError
from ablage.settings import settings
from ablage.store.aws import will_pass
from ablage.store.storage import acting_for, storage
from api import problems, routes
from api.allowances import allowances
from api.bodies import check_body, check_query
from api.clients import known_clients
from api.clock import now_epoch
from api.idempotency import once
from api.operations import Operation, app
from api.problems import Refused
from api.tenant import Caller, caller_of, require_scope

RESERVE_SECONDS = 4  # of the invocation, for the answer

logger = Logger(service="api")
# The resolver would log errors with their texts, which may hold what the caller sent.
logging.getLogger("aws_lambda_powertools.event_handler").setLevel(logging.CRITICAL + 1)


def _refused(error: AblageError) -> Response[str]:
    return problems.refusal(error)


def _does_not_fit(error: RequestValidationError) -> Response[str]:
    return problems.response(problems.of_validation(error.errors()))


def _our_fault(error: ResponseValidationError) -> Response[str]:
    places = [".".join(map(str, found["loc"])) for found in error.errors()]
    logger.error("answer does not fit its schema", extra={"places": places})
    return problems.response(_internal())


app.exception_handler(AblageError)(_refused)
app.exception_handler(RequestValidationError)(_does_not_fit)
app.exception_handler(ResponseValidationError)(_our_fault)


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    began = time.perf_counter()
    request_id = str(event.get("requestContext", {}).get("requestId", ""))
    logger.append_keys(api_request_id=request_id)
    result = _guarded(event, context, request_id)
    milliseconds = round((time.perf_counter() - began) * 1000)
    logger.info("request", extra={"status": result["statusCode"], "ms": milliseconds})
    result["headers"] = (result.get("headers") or {}) | {
        "X-Request-Id": request_id,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    }
    return result


def _guarded(event: dict[str, Any], context: LambdaContext, request_id: str) -> dict[str, Any]:
    try:
        return _answer(event, context)
    except AblageError as error:
        return problems.refused(error)
    except Exception as error:  # the boundary: nothing of it may reach the caller
        _log_unexpected(error)
        if will_pass(error):
            return problems.refused(Refused(503, "unavailable", "We are short of breath; repeat."))
        asked = {"pointer": "request_id", "detail": request_id}
        return problems.result(_internal() | {"errors": [asked]})


def _answer(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    http = event["requestContext"]["http"]
    operation = routes.find(http["method"].upper(), event["rawPath"])
    caller = caller_of(event, settings(), known_clients().tenant)
    logger.append_keys(tenant=caller.tenant, operation=f"{operation.method} {operation.path}")
    for scope in filter(None, (operation.scope, operation.also)):
        require_scope(caller, scope)
    with acting_for(caller.tenant):
        return _admitted(event, context, operation, caller)


def _admitted(
    event: dict[str, Any], context: LambdaContext, operation: Operation, caller: Caller
) -> dict[str, Any]:
    now = now_epoch()
    try:
        allowances().take(caller.tenant, operation, now)
        result = _worked_off(event, context, operation, caller)
    except AblageError as error:
        result = problems.refused(error)
    told = allowances().headers(caller.tenant, operation, now)
    return result | {"headers": (result.get("headers") or {}) | told}


def _worked_off(
    event: dict[str, Any], context: LambdaContext, operation: Operation, caller: Caller
) -> dict[str, Any]:
    check_body(event, operation.body_bytes, is_read=operation.has_body)
    check_query(event, operation.queries)
    left = context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
    app.context |= {"caller": caller, "seconds": left}
    # API Gateway hands paths over decoded; the resolver matches no path with odd characters.
    event["rawPath"] = quote(event["rawPath"], safe="/%:")
    seconds = left + RESERVE_SECONDS
    resolve = functools.partial(app.resolve, event, context)
    return once(storage().table, event, operation, caller, seconds=seconds, work=resolve)


def _internal() -> dict[str, Any]:
    return problems.problem(500, "internal", "Something failed on our side; try again.")


def _log_unexpected(error: Exception) -> None:
    """Type and places, no text: texts of AWS errors may quote parameters."""
    frames = [
        f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)
    ]
    extra = {"error": type(error).__name__, "frames": frames}
    logger.error("unexpected", extra=extra)
