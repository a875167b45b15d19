"""Who am I, and what has the tenant decided."""

from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel, Field, StrictBool, StrictInt, StrictStr

from ablage import limits, tenancy
from ablage.policy import Policy, normalised
from ablage.store import policies
from ablage.store.storage import storage
from api.operations import operation
from api.problems import about
from api.schemas import Body, IfMatch, Texts, answer, check_version, expected_version
from api.tenant import Calling


class Me(BaseModel):
    tenant: str
    subject: str
    scopes: list[str]


class EntityRef(Body):
    entity_type: Annotated[StrictStr, Field(max_length=32)]
    entity_id: Annotated[StrictStr, Field(max_length=128)]


FiledKind = Literal["normal", "bulk", "invitation", "auto_reply"]
OwnAddress = Literal["file", "ask", "skip"]


class PolicyBody(Body):
    """The whole policy: a field left out takes its default."""

    match_subaddress: StrictBool = Field(
        default=False, description="max+news@x.de also matches max@x.de."
    )
    match_reply_to: StrictBool = Field(
        default=False, description="Where From hits nothing, look at Reply-To."
    )
    match_inbound_recipients: StrictBool = Field(
        default=False, description="Inbound mail is also filed at its other recipients."
    )
    file_internal_mail: StrictBool = Field(
        default=True, description="Mail whose parties are all own is filed."
    )
    file_kinds: list[FiledKind] = Field(
        default=["normal", "bulk", "invitation", "auto_reply"],
        description="Kinds of mail that are filed automatically.",
    )
    own_address: OwnAddress = Field(
        default="file",
        description="A contact with the address of a connected account gets all its mail (file), "
        "only once acknowledged (ask), or none (skip).",
    )
    own_domains: Texts = Field(default=[], description="Domains of your own company.")
    internal_addresses: Texts = Field(default=[], description="Own addresses not connected.")
    acknowledged: Annotated[list[EntityRef], Field(max_length=limits.LIST_ELEMENTS)] = Field(
        default=[], description="Entities that may carry an own address, for own_address=ask."
    )
    hold_fail: StrictBool = Field(
        default=False,
        description="Inbound mail whose sender the provider says is forged waits at /v1/review.",
    )
    fan_out_flag: Annotated[StrictInt, Field(ge=1, le=limits.FILINGS_PER_MESSAGE)] = Field(
        default=25,
        description="Mail that one address files at more records but customers is flagged fan_out.",
    )
    backfill_days: Annotated[StrictInt, Field(ge=0, le=365)] = Field(
        default=30, description="How far back a new address is filed; 0 is off."
    )
    follow_moves: StrictBool = Field(
        default=True,
        description="Mail moved out of a folder before it was read is looked for in the folders "
        "of mode on_demand, and filed.",
    )


class PolicyView(PolicyBody):
    version: int = Field(description="Rises with every change; 0 is the default policy.")


@operation("GET", "/v1/me", "read")
def get_me(caller: Calling) -> Me:
    """Who the token speaks for."""
    return Me(tenant=caller.tenant, subject=caller.subject, scopes=sorted(caller.scopes))


@operation("GET", "/v1/policy", "read")
def get_policy(caller: Calling) -> Response[PolicyView]:
    """What the tenant has decided about filing."""
    return _answer(policies.get_policy(storage().table, caller.tenant))


@operation("PUT", "/v1/policy", "manage")
def put_policy(body: PolicyBody, caller: Calling, if_match: IfMatch = None) -> Response[PolicyView]:
    """Set the policy. Files and unfiles nothing that is decided already."""
    table = storage().table
    seen = policies.get_policy(table, caller.tenant)
    check_version(seen.version, expected_version(if_match))
    return _answer(policies.put_policy(table, caller.tenant, _policy(body), seen))


def _policy(body: PolicyBody) -> Policy:
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in body.model_dump(exclude={"acknowledged"}).items()
    }
    entities = [_entity(ref, f"/acknowledged/{n}") for n, ref in enumerate(body.acknowledged)]
    return normalised(Policy(**values, acknowledged=tuple(entities)))


def _entity(ref: EntityRef, pointer: str) -> str:
    with about(f"{pointer}/entity_type"):
        kind = tenancy.entity_type(ref.entity_type)
    with about(f"{pointer}/entity_id"):
        return f"{kind}#{tenancy.entity_id(ref.entity_id)}"


def _answer(policy: Policy) -> Response[PolicyView]:
    refs = [entity.partition("#") for entity in policy.acknowledged]
    view = PolicyView.model_validate(
        {name: getattr(policy, name) for name in PolicyView.model_fields}
        | {
            "file_kinds": list(policy.file_kinds),
            "own_domains": list(policy.own_domains),
            "internal_addresses": list(policy.internal_addresses),
            "acknowledged": [{"entity_type": kind, "entity_id": id_} for kind, _, id_ in refs],
        }
    )
    return answer(view, version=policy.version)
