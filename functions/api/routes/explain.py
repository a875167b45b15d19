"""What would happen to a mail, and why: decided as match decides, and nothing is kept of it."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StrictStr

from ablage import limits
from ablage.accounts import Account
from ablage.addresses import NORMALISER_VERSION
from ablage.copies import Arrival, add_copy
from ablage.errors import InvalidInput
from ablage.explanation import explain
from ablage.mail import Mail, read_mail
from ablage.mail_parties import mail_identity, parties_of
from ablage.mail_text import mail_bytes
from ablage.matching import Parties, decide
from ablage.messages import Copy, Facts, Message, sort_time, utc_text
from ablage.store import connections, messages
from ablage.store.knowledge import Case, knowledge, read_found
from ablage.store.policies import get_policy
from ablage.store.storage import storage
from api.clock import now, now_epoch
from api.decision_views import DecisionView, decision_view
from api.entity_labels import name_entities
from api.message_schemas import EntityView, entity_view
from api.operations import operation
from api.problems import about
from api.schemas import Body, Moment, Text
from api.tenant import Caller, Calling
from api.visibility import seen

Role = Literal["inbox", "sent", "drafts", "trash", "junk", "archive", "all", "private", ""]
FOLDER, COPY_NUMBER = "explained", 0  # of a copy that does not exist


class ExplainBody(Body):
    """Either `message` or `headers`."""

    message: Annotated[
        StrictStr | None, Field(description="A mail as its text (an .eml file), or that in base64.")
    ] = None
    headers: Annotated[StrictStr | None, Field(description="A header block alone.")] = None
    account: Annotated[
        Text | None,
        Field(description="The mailbox it would lie in; without: one that files automatically."),
    ] = None
    role: Annotated[Role, Field(description="Of the folder it would lie in.")] = "inbox"
    folder: Annotated[
        Text, Field(description="Its id, where the account marks folders private.")
    ] = ""
    received_at: Annotated[
        Moment | None,
        Field(description="When it came; without: as its topmost Received says, else now."),
    ] = None


class ReadAsView(BaseModel):
    """What we read in it: where a decision surprises, look here first."""

    sender: list[str] = Field(description="Addresses of From, as they are compared.")
    reply_to: list[str]
    original_sender: list[str]
    to: list[str]
    cc: list[str]
    bcc: list[str]
    message_id: str
    date: str
    sort_time: str
    problems: list[str]


class ExplainedView(BaseModel):
    would_file: list[EntityView] = Field(description="Where it would be filed that it is not yet.")
    explanation: str
    decision: DecisionView
    read_as: ReadAsView
    account: str | None
    received_at: str
    message: str | None = Field(description="The message it would join: the mail is here already.")
    message_explanation: str | None = Field(description="Why that one is filed as it is.")


@dataclass(frozen=True)
class _Question:
    mail: Mail
    parties: Parties
    account: Account
    received_at: str
    whole: bool


@operation("POST", "/v1/explain", "read", body_bytes=limits.EXPLAIN_BODY_BYTES, is_replayed=False)
def explain_mail(body: ExplainBody, caller: Calling) -> ExplainedView:
    """What would be done with a mail, and why. Nothing is stored, filed or logged of it."""
    question = _read(body, caller)
    arrival = _decided(question, caller)
    alone = _arrived(arrival, None)
    current = _current(caller, arrival.message_id)
    if current and not question.whole:
        same = replace(arrival.copy, digest=current.digest)  # a header has no content to compare
        arrival = replace(arrival, copy=same)
    joined = _arrived(arrival, current)
    known = current.filings if current else {}
    why = explain(current).text if current else None
    would_file = [entity_view(e) for e in joined.filings if e not in known]
    name_entities(caller.tenant, would_file)
    return ExplainedView(
        would_file=would_file,
        explanation=explain(alone).text,
        decision=decision_view(alone),
        read_as=_read_as(question, arrival.sort_time),
        account=body.account,
        received_at=question.received_at,
        message=current.message_id if current else None,
        message_explanation=why,
    )


def _current(caller: Caller, message_id: str) -> Message | None:
    """The message it would join, as far as the caller may know it."""
    stored = messages.get(storage().table, caller.tenant, message_id, now_epoch())
    sight = seen(caller, stored) if stored else None
    return sight.message if sight else None


def _read(body: ExplainBody, caller: Caller) -> _Question:
    """Raises InvalidInput, NotFound `not_found` for an account that is not there."""
    if (body.message is None) == (body.headers is None):
        detail = "Send either `message` or `headers`."
        raise InvalidInput("message_or_headers", detail, "/message")
    mail = read_mail(mail_bytes(body.message, body.headers))
    received = body.received_at or mail.headers.received or now()
    parties, _ = parties_of(mail, body.role, folder=body.folder)
    account = _account(body, caller)
    return _Question(mail, parties, account, utc_text(received), whole=body.message is not None)


def _account(body: ExplainBody, caller: Caller) -> Account:
    """The one named, or one of nobody that files whatever it gets."""
    if body.account is not None:
        with about("/account"):
            return connections.find_account(storage().table, caller.tenant, body.account)
    return Account(
        tenant=caller.tenant,
        account_id="",
        address="",
        own="",
        host="",
        port=993,
        username="",
        version=0,
        filing_enabled=True,
        filing_since="",
    )


def _decided(question: _Question, caller: Caller) -> Arrival:
    """The same knowledge and the same `decide` as match has."""
    table, tenant, mail = storage().table, caller.tenant, question.mail
    policy = get_policy(table, tenant)
    found = read_found(table, {tenant: policy}, [Case(question.account, question.parties)])
    known = knowledge(found, policy, tenant)
    decision = decide(question.parties, question.account, question.received_at, known)
    sender = question.parties.sender
    received = now().fromisoformat(question.received_at)
    sorted_at, _ = sort_time(mail.headers.date, mail.headers.received, received)
    facts = Facts(
        from_key=sender.exact if sender else "",
        kind=question.parties.kind,
        direction=decision.direction,
        via=decision.via,
    )
    return Arrival(
        tenant=tenant,
        message_id=mail_identity(mail),
        copy=_copy(question),
        facts=facts,
        decision=decision,
        sort_time=sorted_at,
        flags=frozenset(),
        expires=0,
        versions=(NORMALISER_VERSION, policy.version),
    )


def _copy(question: _Question) -> Copy:
    mail, role = question.mail, question.parties.role
    place = (question.account.account_id, FOLDER, COPY_NUMBER, COPY_NUMBER)
    return Copy(*place, question.received_at, mail.sha256, mail.digest, role)


def _arrived(arrival: Arrival, current: Message | None) -> Message:
    """`current` with one copy more."""
    wanted = add_copy(arrival)(current)
    assert wanted is not None  # noqa: S101  the copy is new
    return wanted


def _read_as(question: _Question, sorted_at: str) -> ReadAsView:
    parties, headers = question.parties, question.mail.headers
    return ReadAsView(
        sender=[a.exact for a in parties.from_],
        reply_to=[a.exact for a in parties.reply_to],
        original_sender=[a.exact for a in parties.original],
        to=[a.exact for a in parties.to],
        cc=[a.exact for a in parties.cc],
        bcc=[a.exact for a in parties.bcc],
        message_id=headers.message_id,
        date=utc_text(headers.date) if headers.date else "",
        sort_time=sorted_at,
        problems=list(question.mail.problems),
    )
