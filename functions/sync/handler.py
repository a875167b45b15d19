"""SyncQueue and BackfillQueue: polls of many accounts, leftover work, jobs."""

import ablage.starting  # noqa: F401  before all else

# isort: split
import traceback
from typing import Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from ablage.observability import POLL_LAG, service_logger
from sync.poll import more, poll_each
from sync.polls import AccountKey, Poll
from sync.tools import Tools, tools
from sync.work import Job, work_of

BACKFILL_SECONDS = 60  # older messages of BackfillQueue are dropped: dispatch arms them again

logger = service_logger("sync")


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    working = tools()
    batch = Batch(working)
    batch.poll_all(event["Records"])
    response = process_partial_response(
        event=event,
        record_handler=batch.answer,
        processor=BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False),
        context=context,
    )
    working.summary.log(logger)
    return response


class Batch:
    """The polls of all messages run side by side, in one pool; then each message is answered
    for."""

    def __init__(self, working: Tools) -> None:
        self._tools = working
        self._errors: dict[AccountKey, BaseException] = {}

    def poll_all(self, records: list[dict[str, Any]]) -> None:
        accounts = [account for record in records for account in self._accounts(record["body"])]
        try:
            self._errors = poll_each(self._tools, accounts)
        except Exception as error:  # before any account was looked at
            self._errors = dict.fromkeys(accounts, error)

    def _accounts(self, body: str) -> list[AccountKey]:
        """None of a message that is no poll, or comes too late: the next tick has been sent by
        now."""
        try:
            work = work_of(body)
        except ValueError:
            return []  # `handle` reports it
        if not isinstance(work, Poll):
            return []
        summary, now = self._tools.summary, self._tools.now()
        summary.measure(POLL_LAG, work.lag(now))
        if work.is_stale(now):
            summary.count("polls_too_late")
            return []
        return work.account_keys()

    def answer(self, record: SQSRecord) -> None:
        try:
            self.handle(record)
        except Exception as error:
            logger.error("record_failed", extra={"fault": _place(error)})  # noqa: TRY400  see _place
            raise

    def handle(self, record: SQSRecord) -> None:
        work = work_of(record.body)
        if isinstance(work, Poll):
            for account in work.account_keys():
                if error := self._errors.get(account):
                    raise error
        elif work.sent is not None and self._tools.epoch() - work.sent > BACKFILL_SECONDS:
            self._tools.summary.count("backfill_too_late")
        elif not self._tools.can_start():
            self._tools.summary.count("not_started")  # its due key sends it to BackfillQueue
        elif isinstance(work, Job):
            from sync.jobs import run_job  # noqa: PLC0415  no part of most starts

            run_job(self._tools, work.tenant, work.job)
        else:
            more(self._tools, work.tenant, work.account)


def _place(error: BaseException) -> str:
    """Type and line: an exception's text may quote a mail or a server."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {last.name}:{last.lineno}"
