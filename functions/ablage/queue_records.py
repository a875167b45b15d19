"""What a queue brings, each record in its own guard.

Powertools' batch utility does the same, and loads asyncio and a class for every event of AWS: a
tenth of a bare cold start.
"""

import traceback
from collections.abc import Callable, Iterable
from typing import Any

from aws_lambda_powertools import Logger

Record = dict[str, Any]


def answer_for(
    records: Iterable[Record], handle: Callable[[Record], None], logger: Logger
) -> dict[str, list[dict[str, str]]]:
    """What Lambda wants to hear (`ReportBatchItemFailures`): the ids of records `handle` raised
    for. They come again, alone."""
    failed = [record["messageId"] for record in records if not _is_done(record, handle, logger)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _is_done(record: Record, handle: Callable[[Record], None], logger: Logger) -> bool:
    try:
        handle(record)
    except Exception as error:
        logger.error("record_failed", extra={"fault": _place(error)})  # noqa: TRY400  see _place
        return False
    return True


def _place(error: Exception) -> str:
    """Type and line: an exception's text may quote a mail, a server or a receiver."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {last.name}:{last.lineno}"
