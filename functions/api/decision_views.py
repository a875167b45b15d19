"""A decision as people read it."""

from pydantic import BaseModel, Field

from ablage.explanation import explain
from ablage.messages import Message


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
    recipient: str
    status: str = Field(description="RFC 3463, as 5.1.1; may be empty.")
    report: str = Field(description="The message that says so.")


def decision_view(message: Message) -> DecisionView:
    explained = explain(message)
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


def failure_views(message: Message) -> list[DeliveryFailureView]:
    return [
        DeliveryFailureView(recipient=f.recipient, status=f.status, report=f.report)
        for f in message.delivery
    ]
