"""WebhookQueue: a hook may have something to be told.

A message is a hint and says nothing of what: whoever comes late, or twice, finds nothing to do."""

import json
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from ablage.observability import Summary, service_logger
from ablage.queue_records import Record, answer_for
from ablage.tenancy import TenantId
from webhook.tell import tell
from webhook.tools import tools

logger = service_logger("webhook")


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    summary = Summary()

    def handle(record: Record) -> None:
        message = json.loads(record["body"])
        tell(tools(), TenantId(message["tenant"]), message["webhook"], summary)

    answer = answer_for(event["Records"], handle, logger)
    summary.log(logger)
    return answer
