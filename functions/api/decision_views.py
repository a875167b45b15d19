"""A decision as people read it."""

from pydantic import BaseModel, Field

from ablage.explanation import explain
from ablage.messages import DeliveryFailure, Message


class AddressDecisionView(BaseModel):
    address: str
    where: str = Field(description="The field it stood in.")
    reason: str = Field(description="The gate that decided: a code of a closed list.")
    explanation: str = Field(description="The same in plain words.")
    hits: list[str] = Field(description="What it hit: contacts, customers, a blocklist entry.")


class VersionsView(BaseModel):
    """By which versions it was decided; null for mail that came before they were kept."""

    normaliser: int | None = None
    policy: int | None = None


class DecisionView(BaseModel):
    direction: str
    via: str = Field(description="sent, sent_folder, relayed, or empty.")
    kind: str
    reason: str
    explanation: str = Field(description="Why it was filed where it was, or why not.")
    addresses: list[AddressDecisionView] = Field(
        description="Each address that was looked at; of Bcc only for those who may see it."
    )
    versions: VersionsView


class DeliveryFailureView(BaseModel):
    recipient: str | None = Field(description="Null for a Bcc recipient you may not see.")
    status: str = Field(description="RFC 3463, as 5.1.1; may be empty.")
    report: str = Field(description="The message that says so.")


def decision_view(message: Message, *, with_bcc: bool) -> DecisionView:
    explained = explain(message, with_bcc=with_bcc)
    facts = message.facts
    return DecisionView(
        direction=facts.direction,
        via=facts.via,
        kind=facts.kind,
        reason=explained.reason,
        explanation=explained.text,
        addresses=[
            AddressDecisionView(
                address=d.address,
                where=d.where,
                reason=d.reason,
                explanation=text,
                hits=list(d.hits),
            )
            for d, text in explained.addresses
        ],
        versions=VersionsView(
            **dict(zip(("normaliser", "policy"), message.versions, strict=False))
        ),
    )


def failure_views(message: Message, *, with_bcc: bool) -> list[DeliveryFailureView]:
    return [
        DeliveryFailureView(
            recipient=f.recipient if with_bcc or _is_open(message, f) else None,
            status=f.status,
            report=f.report,
        )
        for f in message.delivery
    ]


def _is_open(message: Message, failure: DeliveryFailure) -> bool:
    """Whether everybody may know that it went there: it did in To or Cc, or no Bcc is known."""
    facts = message.facts
    if not facts.bcc and all(d.where != "bcc" for d in message.decisions):
        return True
    written = {d.address for d in message.decisions if d.where in ("to", "cc")}
    named = any(failure.recipient in text.lower() for text in (*facts.to, *facts.cc))
    return failure.recipient in written or named
