"""Bodies and views of OAuth clients and authorizations."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr, StrictStr

from ablage.oauth import DEFAULT_DIRECTORY, DIRECTORY
from api.account_schemas import Login, MailSettings
from api.schemas import Body, Moment, Text

Provider = Literal["google", "microsoft"]
RedirectUri = Annotated[
    StrictStr,
    Field(
        max_length=600,
        pattern=r"^(https://[^\s#@\\]+|http://(localhost|127\.0\.0\.1)(:\d{1,5})?/[^\s#@\\]*)$",
        examples=["https://crm.example/oauth"],
    ),
]
Opaque = Annotated[StrictStr, Field(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")]


class ClientBody(Body):
    """An application you registered with the provider."""

    client_id: Opaque
    client_secret: Annotated[
        SecretStr, Field(min_length=1, max_length=1000, description="Never shown again.")
    ]
    directory: Annotated[StrictStr, Field(pattern=f"^({DIRECTORY})$")] = Field(
        default=DEFAULT_DIRECTORY,
        description="Microsoft: your Entra tenant's id, or common, organizations, consumers.",
    )
    redirect_uris: Annotated[list[RedirectUri], Field(min_length=1, max_length=10)] = Field(
        description="Where the provider may send people back to, exactly as registered there."
    )


class ClientView(BaseModel):
    provider: str
    client_id: str
    directory: str
    redirect_uris: list[str]
    version: int


class OAuthAccount(MailSettings):
    id: Annotated[StrictStr, Field(max_length=128)] | None = Field(
        default=None, description="Your own id."
    )
    address: Text = Field(examples=["anna@firma.de"])
    username: Login | None = Field(
        default=None, description="Of the mailbox; default: the address."
    )
    delegate: Login | None = Field(
        default=None, description="Who signs in, where that is not the mailbox itself (shared)."
    )
    sync_since: Moment | None = Field(
        default=None, description="How far back to read; default: 30 days."
    )


class AuthorizationBody(Body):
    """Either a new `account`, or the id of one to `reauthorize`."""

    provider: Provider
    redirect_uri: RedirectUri
    account: OAuthAccount | None = None
    reauthorize: Annotated[StrictStr, Field(max_length=128)] | None = None


class AuthorizationView(BaseModel):
    authorization_url: str = Field(description="Send the person's browser there.")
    state: str = Field(description="Comes back with the code; good once, for you.")
    expires_at: str
    account: str = Field(description="The id the mailbox will have.")


class CallbackBody(Body):
    """What the provider sent to your redirect URI."""

    state: Annotated[StrictStr, Field(min_length=1, max_length=200)]
    code: Annotated[SecretStr, Field(max_length=4000)] = SecretStr("")
    iss: Text | None = Field(default=None, description="If it was sent (RFC 9207).")
    error: Text | None = Field(default=None, description="Sent in place of a code.")
