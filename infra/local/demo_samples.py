"""The demo over sample mails: the real API, IMAP, queues and functions, and a check of the end."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr

from infra.local import samples
from infra.local.demo_client import Client, Json, RefusedError
from infra.local.demo_console import Console
from infra.local.demo_stack import connect, dead_letters, poll_all, raw_keys, to_match
from infra.local.samples import Sample, Scenario
from infra.local.stack import LocalStack

FILING_SINCE = timedelta(days=14)  # filing counts from then on; one sample is older
FILER = "demo"


@dataclass
class Company:
    """One tenant of the demo, and the API as it sees it."""

    scenario: Scenario
    api: Client
    found: dict[str, Json] = field(default_factory=dict)

    @property
    def tenant(self) -> str:
        return self.scenario.tenant

    def message(self, sample: Sample) -> Json | None:
        """By its Message-ID; one that has none, by its subject."""
        if "Message-ID" in sample.without:
            subjects = (m for m in self.found.values() if m["subject"] == sample.subject)
            return next(subjects, None)
        return self.found.get(_mail_id(sample))

    def folders(self, account: str) -> list[Json]:
        listed: list[Json] = self.api.get(f"/v1/accounts/{account}/folders")["items"]
        return listed

    def read(self) -> None:
        """Every message of both mailboxes, as the API tells it now."""
        ids = {
            row["message"]: None
            for account in self.scenario.accounts
            for row in self.api.items(f"/v1/accounts/{account}/messages")
        }
        messages = [self.api.get(f"/v1/messages/{message}") for message in ids]
        self.found = {m["message_id"] or m["subject"]: m for m in messages}

    @property
    def ids(self) -> set[str]:
        return {message["id"] for message in self.found.values()}

    def entities(self) -> list[str]:
        """Every archive there can be."""
        kinds = (("contact", self.scenario.contacts), ("customer", self.scenario.customers))
        known = [f"{kind}/{entity_id}" for kind, bodies in kinds for entity_id in bodies]
        return [*known, *(mail.by_hand for mail in self.scenario.mails if mail.by_hand)]


def _mail_id(sample: Sample) -> str:
    domain = parseaddr(sample.sender)[1].partition("@")[2] or "localhost"
    return sample.message_id.strip("<>") or f"{sample.id}.1@{domain}"


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
        self.wrong: list[str] = []

    def run(self) -> list[str]:
        for company in self.companies:
            self._set_up(company)
        with self.console.step("first look at the mailboxes"):
            self.stack.drain()
        with self.console.step("mail arrives"):
            copies = sum(self._deliver(company) for company in self.companies)
        with self.console.step("synced and filed", self._progress):
            poll_all(self.stack)
        with self.console.step("folders synced on demand", self._progress):
            copies += sum(self._sync_moved(company) for company in self.companies)
        with self.console.step("filed and unfiled by hand, all synced again", self._progress):
            self._by_hand()
        self._expect(len(raw_keys(self.stack)) == copies, f"stored {copies} copies")
        self._expect(dead_letters(self.stack) == 0, "no dead letters")
        return self.wrong

    def _progress(self) -> str:
        return f"{len(raw_keys(self.stack))} stored, {to_match(self.stack)} waiting to be matched"

    def _expect(self, is_so: bool, claim: str) -> None:
        if not is_so:
            self.wrong.append(f"expected: {claim}")

    # ---- before any mail is there ----------------------------------------------------------------

    def _set_up(self, company: Company) -> None:
        """Accounts first, so that a contact with an own address is warned of; then filing on."""
        scenario, api = company.scenario, company.api
        self.console.title(f"{scenario.tenant}: {', '.join(scenario.accounts.values())}")
        for account, address in scenario.accounts.items():
            connect(self.stack, api, account, address)
        warnings = []
        for customer, body in scenario.customers.items():
            warnings += api.put(f"/v1/customers/{customer}", body)["warnings"]
        for contact, body in scenario.contacts.items():
            warnings += api.put(f"/v1/contacts/{contact}", body)["warnings"]
        for entry in scenario.blocklist:
            api.post("/v1/blocklist", {"entry": entry})
        since = f"{self.now - FILING_SINCE:%Y-%m-%dT%H:%M:%SZ}"
        for account in scenario.accounts:
            filing = {"automatic_filing": {"enabled": True, "since": since}}
            warnings += api.patch(f"/v1/accounts/{account}", filing)["warnings"]
        self.console.line(
            f"{len(scenario.contacts)} contacts, {len(scenario.customers)} customers, blocked: "
            f"{', '.join(scenario.blocklist)}; filing on since {since}"
        )
        self._tell_warnings(company, warnings)

    def _tell_warnings(self, company: Company, warnings: list[Json]) -> None:
        """Whoever carries the address of a mailbox: told when written, and when filing goes on."""
        own = set(company.scenario.accounts.values())
        scenario = company.scenario
        bodies = (*scenario.contacts.values(), *scenario.customers.values())
        carried = own & {address for body in bodies for address in body.get("addresses", ())}
        self._expect(len(warnings) == 2 * len(carried), f"{company.tenant}: own-address warnings")
        for warning in warnings:
            entity = f"{warning['entity_type']}/{warning['entity_id']}"
            self.console.line(
                f"warning {warning['code']}: {entity} ({company.scenario.name_of(entity)}) carries "
                f"{warning['address']}; every mail of account {warning['account']} is filed there"
            )

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


def leaks(companies: list[Company]) -> list[str]:
    """What one tenant can read of another; equal ids must not help."""
    return [
        f"{mine.tenant} reads {message_id} of {other.tenant}"
        for mine, other in zip(companies, reversed(companies), strict=True)
        for message_id in other.ids - mine.ids
        if _can_read(mine, message_id)
    ]


def _can_read(company: Company, message: str) -> bool:
    try:
        company.api.get(f"/v1/messages/{message}")
    except RefusedError as error:
        return error.status != 404
    return True
