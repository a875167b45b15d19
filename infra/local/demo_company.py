"""A tenant of the demo: set up through the API, read back through the API."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parseaddr

from infra.local.demo_client import Client, Json, RefusedError
from infra.local.demo_console import Console
from infra.local.demo_stack import connect
from infra.local.samples import Sample, Scenario
from infra.local.stack import LocalStack

FILING_SINCE = timedelta(days=14)  # filing counts from then on; one sample is older


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


def set_up(stack: LocalStack, console: Console, company: Company, now: datetime) -> bool:
    """Accounts first, so that a contact with an own address is warned of; then filing on, before
    any mail is there. False where a warning is missing."""
    scenario, api = company.scenario, company.api
    console.title(f"{scenario.tenant}: {', '.join(scenario.accounts.values())}")
    for account, address in scenario.accounts.items():
        connect(stack, api, account, address)
    written = _write_entities(company)
    for entry in scenario.blocklist:
        api.post("/v1/blocklist", {"entry": entry})
    since = f"{now - FILING_SINCE:%Y-%m-%dT%H:%M:%SZ}"
    switched = _switch_filing_on(company, since)
    console.line(
        f"{len(scenario.contacts)} contacts, {len(scenario.customers)} customers, blocked: "
        f"{', '.join(scenario.blocklist)}; filing on since {since}"
    )
    _tell(console, company, "on writing it", written)
    _tell(console, company, "on switching filing on", switched)
    return len(written) == len(switched) == len(_carried(scenario))


def _write_entities(company: Company) -> list[Json]:
    """The warnings that came back."""
    kinds = {"customers": company.scenario.customers, "contacts": company.scenario.contacts}
    warnings = []
    for kind, bodies in kinds.items():
        for entity_id, body in bodies.items():
            warnings += company.api.put(f"/v1/{kind}/{entity_id}", body)["warnings"]
    return warnings


def _switch_filing_on(company: Company, since: str) -> list[Json]:
    """The warnings that came back."""
    filing = {"automatic_filing": {"enabled": True, "since": since}}
    warnings = []
    for account in company.scenario.accounts:
        warnings += company.api.patch(f"/v1/accounts/{account}", filing)["warnings"]
    return warnings


def _carried(scenario: Scenario) -> set[str]:
    """Addresses of mailboxes that a contact or customer has, too."""
    bodies = (*scenario.contacts.values(), *scenario.customers.values())
    carried = {address for body in bodies for address in body.get("addresses", ())}
    return carried & set(scenario.accounts.values())


def _tell(console: Console, company: Company, when: str, warnings: list[Json]) -> None:
    for warning in warnings:
        entity = f"{warning['entity_type']}/{warning['entity_id']}"
        console.line(
            f"warning {warning['code']} {when}: {entity} ({company.scenario.name_of(entity)}) "
            f"carries {warning['address']}; every mail of account {warning['account']} is filed "
            "there"
        )


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
