"""What the sample demo shows in the end: each mail with its filings and why, each archive."""

from infra.local.demo_client import Json
from infra.local.demo_company import Company
from infra.local.demo_console import Console, cut
from infra.local.samples import Sample

SUBJECT = 60  # characters
_NO_FILING = "not filed"


def entity_of(given: Json) -> str:
    return f"{given['entity_type']}/{given['entity_id']}"


def why(message: Json) -> str:
    """The reason, and for each address looked at: where it stood, the gate, what it hit."""
    looked_at = [
        f"{d['where']} {d['address'] or '(none)'}: {d['reason']}{_entry(d)}"
        for d in message["decision"]["addresses"]
    ]
    return "; ".join([message["reason"], *looked_at])


def _carrier(warning: Json) -> str:
    return f": carried by {entity_of(warning)}" if warning["entity_type"] else ""


def _entry(decision: Json) -> str:
    return f" {decision['hits'][0]}" if decision["reason"] == "blocklist" else ""


class Report:
    """Prints a company and returns what differs from what its samples expect."""

    def __init__(self, console: Console, company: Company) -> None:
        self._console = console
        self._company = company
        self._wrong: list[str] = []

    def run(self) -> list[str]:
        self.accounts()
        self.mails()
        self.archives()
        return self._wrong

    def accounts(self) -> None:
        """The third place that warns of own addresses: the account itself."""
        self._console.title(f"{self._company.tenant}: the accounts")
        for account in self._company.scenario.accounts:
            found = self._company.api.get(f"/v1/accounts/{account}")
            self._console.line(f"{account}: {found['address']} is {found['status']}")
            for warning in found["warnings"]:
                messages = f", {warning['messages']} messages" if warning["messages"] else ""
                self._console.line(f"     warning {warning['code']}{_carrier(warning)}{messages}")
            if found["status"] != "ok":
                self._wrong.append(f"{self._company.tenant} {account}: {found['status_code']}")

    def mails(self) -> None:
        self._console.title(f"{self._company.tenant}: where each mail was filed, and why")
        for number, mail in enumerate(self._company.scenario.mails, 1):
            self._mail(number, mail)

    def _mail(self, number: int, mail: Sample) -> None:
        message = self._company.message(mail)
        if message is None:
            self._wrong.append(f"{self._company.tenant}/{mail.id}: not in the overview")
            return
        places = "+".join(mail.accounts)
        case = f"  [{mail.case}]" if mail.case else ""
        subject = cut(message["subject"], SUBJECT)
        self._console.line(f"{number:2} {places}/{mail.moved_to or mail.folder}: {subject}{case}")
        filed = [entity_of(filing) for filing in message["filings"]]
        named = ", ".join(f"{e} ({self._company.scenario.name_of(e)})" for e in filed)
        self._console.line(f"     {named or _NO_FILING}")
        self._console.line(f"     {why(message)}")
        if mail.unfiled:
            self._unfiled(mail, message)
        self._compare(mail, message, filed)

    def _unfiled(self, mail: Sample, message: Json) -> None:
        filings = self._company.api.get(f"/v1/messages/{message['id']}/filings")
        unfiled = [entity_of(entity) for entity in filings["unfiled"]]
        self._console.line(f"     unfiled by hand: {', '.join(unfiled)}")
        if unfiled != [mail.unfiled]:
            self._wrong.append(f"{self._company.tenant}/{mail.id}: unfiled at {unfiled}")

    def _compare(self, mail: Sample, message: Json, filed: list[str]) -> None:
        name = f"{self._company.tenant}/{mail.id}"
        if sorted(filed) != sorted(mail.expect):
            self._wrong.append(f"{name}: filed at {filed}, expected {list(mail.expect)}")
        if message["reason"] != mail.reason:
            self._wrong.append(f"{name}: reason {message['reason']}, expected {mail.reason}")
        if len(message["copies"]) != len(mail.accounts):
            self._wrong.append(f"{name}: {len(message['copies'])} copies")

    def archives(self) -> None:
        self._console.title(f"{self._company.tenant}: the archives, newest first")
        for entity in self._company.entities():
            rows = list(self._company.api.items(f"/v1/archives/{entity}"))
            named = self._company.scenario.name_of(entity)
            self._console.line(f"{entity} {named}: {len(rows)}")
            for row in rows:
                shown = cut(row["subject"], SUBJECT)
                by_hand = "  (by hand)" if "manual" in row["origins"] else ""
                self._console.line(
                    f"     {row['sort_time'][:16].replace('T', ' ')}  {row['direction']:8}  "
                    f"{shown}{by_hand}"
                )
            self._compare_archive(entity, rows)

    def _compare_archive(self, entity: str, rows: list[Json]) -> None:
        name = f"{self._company.tenant} {entity}"
        times = [row["sort_time"] for row in rows]
        if times != sorted(times, reverse=True):
            self._wrong.append(f"{name}: not newest first")
        wanted = [mail for mail in self._company.scenario.mails if entity in mail.expect]
        messages = [self._company.message(mail) for mail in wanted]
        expected = sorted(message["id"] for message in messages if message)
        if sorted(row["message"] for row in rows) != expected:
            self._wrong.append(f"{name}: {len(rows)} rows, expected {len(expected)}")
