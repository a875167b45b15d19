"""WebhookQueue: a hook may have something to be told.

A message is a hint and says nothing of what: whoever comes late, or twice, finds nothing to do."""

import json
import traceback
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from ablage.observability import Summary, service_logger
from ablage.tenancy import TenantId
from webhook.tell import tell
from webhook.tools import tools

logger = service_logger("webhook")


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    summary = Summary()
    failed = [
        {"itemIdentifier": record["messageId"]}
        for record in event["Records"]
        if not _done(record["body"], summary)
    ]
    summary.log(logger)
    return {"batchItemFailures": failed}


def _done(body: str, summary: Summary) -> bool:
    try:
        message = json.loads(body)
        tell(tools(), TenantId(message["tenant"]), message["webhook"], summary)
    except Exception as error:  # the queue's boundary: it comes again
        last = traceback.extract_tb(error.__traceback__)[-1]
        fault = f"{type(error).__name__} at {last.name}:{last.lineno}"
        logger.error("record_failed", extra={"fault": fault})  # noqa: TRY400  a text may quote a receiver
        return False
    return True
