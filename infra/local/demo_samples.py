"""The demo over sample mails: the real API, IMAP, queues and functions, and a check of the end."""

from collections.abc import Iterator
from datetime import UTC, datetime

from infra.local import samples
from infra.local.demo_client import Client, Json
from infra.local.demo_company import Company, set_up
from infra.local.demo_console import Console
from infra.local.demo_stack import dead_letters, poll_all, raw_keys, to_match
from infra.local.samples import Sample, Scenario
from infra.local.stack import LocalStack


class SampleDemo:
    """`run` returns what is not as it should be; empty is right."""

    def __init__(self, stack: LocalStack, console: Console) -> None:
        self.stack = stack
        self.console = console
        self.now = datetime.now(UTC)
        self.companies = [
            Company(samples.load(tenant), Client(stack.base_url, stack.token(tenant)))
            for tenant in samples.TENANTS
        ]
        self.copies = 0
        self.wrong: list[str] = []

    def run(self) -> list[str]:
        self.bring_in()
        with self.console.step("folders synced on demand", self._progress):
            self.copies += sum(self._sync_moved(company) for company in self.companies)
        with self.console.step("filed and unfiled by hand, all synced again", self._progress):
            self._by_hand()
        self._expect(len(raw_keys(self.stack)) == self.copies, f"stored {self.copies} copies")
        self._expect(dead_letters(self.stack) == 0, "no dead letters")
        return self.wrong

    def bring_in(self) -> list[str]:
        """Tenants, accounts, contacts and mail, synced and filed: what needs nobody's hand."""
        for company in self.companies:
            self._expect(
                set_up(self.stack, self.console, company, self.now),
                f"{company.tenant}: a warning at each place for each own address",
            )
        with self.console.step("first look at the mailboxes"):
            self.stack.drain()
        with self.console.step("mail arrives"):
            self.copies = sum(self._deliver(company) for company in self.companies)
        with self.console.step("synced and filed", self._progress):
            poll_all(self.stack)
        return self.wrong

    def _progress(self) -> str:
        return f"{len(raw_keys(self.stack))} stored, {to_match(self.stack)} waiting to be matched"

    def _expect(self, is_so: bool, claim: str) -> None:
        if not is_so:
            self.wrong.append(f"expected: {claim}")

    # ---- mail ------------------------------------------------------------------------------------

    def _deliver(self, company: Company) -> int:
        """Over IMAP, as a mail server would put it there. How many copies; moved ones come
        later."""
        later = 0
        for account, address in company.scenario.accounts.items():
            with self.stack.imap.connect(address) as wire:
                for mail in company.scenario.mails:
                    if account not in mail.accounts:
                        continue
                    raw = company.scenario.raw(mail, account, self.now)
                    received = mail.received(self.now)
                    uid = wire.append(mail.folder, raw, received=received)
                    if mail.moved_to:
                        wire.create_folder(mail.moved_to)
                        wire.move(mail.folder, uid, mail.moved_to)
                        later += 1
        return sum(len(mail.accounts) for mail in company.scenario.mails) - later

    def _sync_moved(self, company: Company) -> int:
        """A mail moved away before the first look is not there; its folder, synced, brings it."""
        company.read()
        moved = [mail for mail in company.scenario.mails if mail.moved_to]
        for mail in moved:
            self._expect(company.message(mail) is None, f"{mail.id} not seen before its folder is")
            check = company.api.post(f"/v1/accounts/{mail.account}/check")
            self._finish(company, check)
            listed = company.folders(mail.account)
            folder = next(f["id"] for f in listed if f["name"] == mail.moved_to)
            self._sync(company, mail.account, [folder])
        return len(moved)

    def _sync(self, company: Company, account: str, folders: list[str]) -> None:
        path = f"/v1/accounts/{account}/sync"
        self._finish(company, company.api.post(path, {"folders": folders}))

    def _finish(self, company: Company, job: Json) -> None:
        """Until the queues are empty the job is done: synced, and its mails matched."""
        self.stack.drain()
        state = company.api.get(f"/v1/jobs/{job['id']}")["state"]
        self._expect(state == "done", f"{company.tenant}: job {job['kind']} done, it is {state}")

    # ---- by hand ---------------------------------------------------------------------------------

    def _by_hand(self) -> None:
        for company in self.companies:
            company.read()
            for mail, entity in _filed_by_hand(company.scenario):
                if message := company.message(mail):
                    company.api.put(f"/v1/messages/{message['id']}/filings/{entity}")
            for mail in company.scenario.mails:
                message = company.message(mail)
                if mail.unfiled and message:
                    company.api.delete(f"/v1/messages/{message['id']}/filings/{mail.unfiled}")
            self._sync_inboxes(company)
        self.stack.drain(delays=True)
        for company in self.companies:
            company.read()

    def _sync_inboxes(self, company: Company) -> None:
        """Every stored mail once more: what is decided stays."""
        for account in company.scenario.accounts:
            listed = company.folders(account)
            self._sync(company, account, [f["id"] for f in listed if f["role"] == "inbox"])


def _filed_by_hand(scenario: Scenario) -> Iterator[tuple[Sample, str]]:
    return ((mail, mail.by_hand) for mail in scenario.mails if mail.by_hand)
