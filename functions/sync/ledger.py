"""What a run met, into the ledger."""

from dataclasses import asdict

from ablage.accounts import Account
from ablage.runs import Run
from ablage.store import runs
from sync.folder_run import FolderRun
from sync.tools import Tools, rfc3339

POLL, MORE, FOLLOW = "poll", "more", "follow"  # or a job's id


def write_run(tools: Tools, account: Account, ran: FolderRun, why: str) -> None:
    """Of a run that met nothing no row is written."""
    run = Run(at=rfc3339(tools.time()), why=why, **asdict(ran))
    runs.write(tools.storage.table, account.tenant, account.account_id, run, tools.epoch())
