"""Bodies and views of accounts."""

from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    Field,
    SecretStr,
    StrictBool,
    StrictInt,
    StrictStr,
)

from ablage import faults, limits
from api.ledger_views import ParkedView
from api.schemas import Body, Moment, Text, Texts, Warning_

_NO_CONTROLS = r"^[^\x00-\x1f\x7f]*$"


Login = Annotated[StrictStr, Field(min_length=1, max_length=320, pattern=_NO_CONTROLS)]
Password = Annotated[
    SecretStr, Field(min_length=1, max_length=1000, description="Never shown again.")
]
Person = Annotated[StrictStr, Field(min_length=1, max_length=128, pattern=_NO_CONTROLS)]
FolderId = Annotated[StrictStr, Field(pattern=r"^[0-9a-f]{16}$")]
FolderIds = Annotated[list[FolderId], Field(max_length=limits.LIST_ELEMENTS)]
People = Annotated[list[Person], Field(max_length=limits.LIST_ELEMENTS)]
FolderMode = Literal["auto", "on_demand", "never", "private"]
SyncFolders = Literal["inbox_and_sent", "all", "chosen"]
Retention = Literal["30d", "90d", "365d"]
Visibility = Literal["full", "headers", "viewers"]
Status = Literal["ok", "syncing", "throttled", "degraded", "reauth_required", "paused"]
Port = Annotated[StrictInt, Field(ge=1, le=65535)]


class AutomaticFiling(Body):
    enabled: StrictBool
    since: Moment | None = Field(
        default=None, description="Mail received from then on; default: the moment of switching on."
    )


class MailSettings(Body):
    """What all ways to connect a mailbox, and PATCH, share."""

    sync: StrictBool = True
    automatic_filing: AutomaticFiling = AutomaticFiling(enabled=False)
    owner: Person | None = None
    viewers: People = Field(
        default=[],
        description="Subjects (sub) of tokens that, as the owner's, see all of its mail. Others "
        "see filed mail, as far as visibility goes; with neither owner nor viewers, tokens with "
        "the scope mailboxes:all alone see what is not filed.",
    )
    visibility: Visibility | None = Field(
        default=None,
        description="What others see of its filed mail: full; headers (who wrote what when, no "
        "text, attachments or bytes); viewers (nothing). Null: headers where there is an owner, "
        "else full. A message shows what the widest of the mailboxes that filed it allows.",
    )
    aliases: Texts = Field(
        default=[], description="Further own addresses of the mailbox, or @domain."
    )
    sync_folders: SyncFolders = Field(
        default="inbox_and_sent",
        description="Which folders are read by themselves: Inbox and every Sent folder; all of the "
        "mailbox's own but junk, trash, drafts and private ones; or only those of mode auto. Of "
        "Gmail the first two read All Mail.",
    )
    folder_modes: dict[FolderId, FolderMode | None] = Field(
        default={},
        max_length=limits.FOLDER_MODES,
        description="By folder id, on top of sync_folders: auto (read by every poll), on_demand "
        "(when asked), never (not even when asked), private (when asked; never filed "
        "automatically). PATCH changes the folders it names; null gives one back its default.",
    )
    retention: Retention = Field(default="30d", description="How long unfiled mail is kept.")


class AccountSettings(MailSettings):
    """What POST and PATCH share."""

    host: Text = Field(default="", examples=["imap.example.com"])
    port: Port = 993
    username: Login = ""


class AccountBody(AccountSettings):
    id: Annotated[StrictStr, Field(max_length=128)] | None = Field(
        default=None, description="Your own id; makes the call safe to repeat."
    )
    address: Text = Field(examples=["anna@firma.de"])
    host: Text = Field(
        default="",
        description="Known for many providers by the address; see POST /v1/accounts/discover.",
        examples=["imap.example.com"],
    )
    username: Login = Field(default="", description="Default: the address.")
    auth: Literal["password", "microsoft_app"] = Field(
        default="password",
        description="microsoft_app: by your Microsoft client alone, without a person or password.",
    )
    password: Password = SecretStr("")
    sync_since: Moment | None = Field(
        default=None, description="How far back to read; default: 30 days."
    )


class AccountPatch(AccountSettings):
    """Only the fields sent are changed."""

    password: Password = SecretStr("")
    version: StrictInt | None = Field(default=None, description="As If-Match.")


class AutomaticFilingView(BaseModel):
    enabled: bool
    since: str | None


class AccountView(BaseModel):
    id: str
    address: str
    auth: str = Field(description="password, google, microsoft or microsoft_app.")
    host: str
    port: int
    username: str
    delegate: str | None = Field(description="Who signs in for a shared mailbox.")
    sync: bool
    automatic_filing: AutomaticFilingView
    sync_since: str | None
    owner: str | None
    viewers: list[str]
    visibility: Visibility
    aliases: list[str]
    sync_folders: str
    folder_modes: dict[str, str]
    retention: str
    created_at: str
    version: int
    status: Status = Field(
        description="syncing: mail is still to be read, as after connecting; ok: all is read; "
        "throttled: the provider slows us down; degraded: it cannot be read now; reauth_required: "
        "it needs a login; paused: `sync` is off. What is stored can be read in every one."
    )
    status_code: str | None = Field(
        description="What is wrong, if something is: " + ", ".join(row.code for row in faults.TABLE)
    )
    status_class: faults.Kind | None = Field(
        description="Who can mend it. auth, config: you; throttle, transient, folder, message: the "
        "provider, in time; ours: us."
    )
    status_detail: str | None = Field(description="The same in words.")
    status_action: str | None = Field(description="What to do about it.")
    status_since: str | None
    retry_at: str | None = Field(
        description="It is not tried again before; null with a code and no time: not by itself, "
        "but after a new login, or a check."
    )
    checked_at: str | None


class AccountDetail(AccountView):
    warnings: list[Warning_]
    last_due_at: str | None = Field(
        description="When its last look was due. `checked_at` is noted every six hours or more "
        "rarely; a look that fails shows as `status`."
    )
    parked_count: int = Field(description="Mails that are there and could not be stored.")
    parked: list[ParkedView] = Field(description="The first hundred of them.")


class DiscoverBody(Body):
    address: Text = Field(examples=["anna@firma.de"])


class CandidateView(BaseModel):
    """Where a mailbox may be logged in to, and how."""

    provider: str
    host: str = Field(description="Empty where a provider has no IMAP.")
    port: int
    username: str
    auth: str = Field(description="password, app_password, oauth (passwords are refused) or none.")
    oauth: str = Field(description="google or microsoft where that authorizes too; else empty.")
    help: str = Field(description="What to switch on, and what to send, for the person.")
    found: str = Field(description="preset, mx or srv.")


class DiscoveryView(BaseModel):
    address: str
    candidates: list[CandidateView] = Field(description="Best first.")
    job: str | None = Field(description="DNS is being asked: the job's result has `candidates`.")


class FolderView(BaseModel):
    id: str
    name: str
    role: str = Field(
        description="inbox, sent, drafts, trash, junk, archive, all, flagged, important, private, "
        "or empty."
    )
    mode: str = Field(description="auto, on_demand, never or private.")
    synced: bool = Field(description="Whether polls read it.")
    shared: bool = Field(description="Another user's, or shared.")
    messages: int | None = Field(description="As last counted, if the server told.")


class SyncBody(Body):
    folders: FolderIds = Field(default=[], description="Ids; none means the account's.")
    since: Moment | None = Field(default=None, description="Only mail received from then on.")
