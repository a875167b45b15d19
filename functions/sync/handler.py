"""SyncQueue and BackfillQueue: polls of many accounts, leftover work, jobs."""

import ablage.starting  # noqa: F401  before all else

# isort: split
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from ablage.observability import POLL_LAG, service_logger
from ablage.queue_records import Record, answer_for
from sync.poll import more, poll_each
from sync.polls import AccountKey, Poll
from sync.tools import Tools, tools
from sync.work import Job, work_of

BACKFILL_SECONDS = 60  # older messages of BackfillQueue are dropped: dispatch arms them again

logger = service_logger("sync")


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    working = tools()
    batch = Batch(working)
    batch.poll_all(event["Records"])
    answer = answer_for(event["Records"], batch.handle, logger)
    working.summary.log(logger)
    return answer


class Batch:
    """The polls of all messages run side by side, in one pool; then each message is answered
    for."""

    def __init__(self, working: Tools) -> None:
        self._tools = working
        self._errors: dict[AccountKey, BaseException] = {}

    def poll_all(self, records: list[Record]) -> None:
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

    def handle(self, record: Record) -> None:
        work = work_of(record["body"])
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
