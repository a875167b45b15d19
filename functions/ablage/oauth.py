"""OAuth providers, constant: nobody's input, and no server's answer, names a place that secrets are
sent to. Authorization code with PKCE (RFC 7636), S256; app-only access for Microsoft.

Sources: developers.google.com "Using OAuth 2.0 for Web Server Applications" and "IMAP, POP, SMTP";
learn.microsoft.com "Authenticate an IMAP, POP or SMTP connection using OAuth"."""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from ablage.settings import Settings

DIRECTORY = r"common|organizations|consumers|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
DEFAULT_DIRECTORY = "common"
_DIRECTORY = re.compile(DIRECTORY)


@dataclass(frozen=True)
class OAuthProvider:
    """`{directory}` in a URL stands for the Microsoft Entra tenant. Mailboxes of it are at `host`
    and nowhere else. `app_scope` is for access without a person, `revoke_url` empty where there is
    no revocation. `claims` of its ID token say whose mailbox it is."""

    name: str
    issuer: str
    authorize_url: str
    token_url: str
    revoke_url: str
    mail_scope: str
    scopes: tuple[str, ...]
    host: str
    claims: tuple[str, ...]
    app_scope: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
    port: int = 993


GOOGLE = OAuthProvider(
    name="google",
    issuer="https://accounts.google.com",
    authorize_url="https://accounts.google.com/o/oauth2/v2/auth",
    token_url="https://oauth2.googleapis.com/token",  # noqa: S106  a URL
    revoke_url="https://oauth2.googleapis.com/revoke",
    mail_scope="https://mail.google.com/",
    scopes=("https://mail.google.com/", "openid", "email"),
    host="imap.gmail.com",
    claims=("email",),
    parameters=(("access_type", "offline"), ("prompt", "consent")),
)
MICROSOFT = OAuthProvider(
    name="microsoft",
    issuer="https://login.microsoftonline.com/{directory}/v2.0",
    authorize_url="https://login.microsoftonline.com/{directory}/oauth2/v2.0/authorize",
    token_url="https://login.microsoftonline.com/{directory}/oauth2/v2.0/token",  # noqa: S106
    revoke_url="",
    mail_scope="https://outlook.office.com/IMAP.AccessAsUser.All",
    scopes=(
        "https://outlook.office.com/IMAP.AccessAsUser.All",
        "offline_access",
        "openid",
        "email",
        "profile",
    ),
    host="outlook.office365.com",
    claims=("email", "preferred_username", "upn"),
    app_scope="https://outlook.office365.com/.default",
    parameters=(("prompt", "select_account"),),
)
PROVIDERS = {provider.name: provider for provider in (GOOGLE, MICROSOFT)}
APP_ONLY = "microsoft_app"
AUTHS = ("password", "google", "microsoft", APP_ONLY)


@dataclass(frozen=True)
class OAuthClient:
    """The application registered with a provider, by a tenant (versions from 1), or for the whole
    stack."""

    provider: str
    client_id: str
    directory: str = DEFAULT_DIRECTORY
    redirect_uris: tuple[str, ...] = ()
    version: int = 0

    @property
    def is_stack(self) -> bool:
        return self.version < 1


def stack_client(name: str, settings: Settings) -> OAuthClient | None:
    """The application of whoever runs this stack, for all tenants without one of their own."""
    client_id = getattr(settings, f"{name}_client_id")
    uris = tuple(uri.strip() for uri in settings.oauth_redirect_uris.split(",") if uri.strip())
    return OAuthClient(name, client_id, redirect_uris=uris) if client_id else None


def provider_of(auth: str, settings: Settings) -> OAuthProvider:
    """Of an account's `auth`, unless that is `password`. On this machine alone `oauth_local_mail`
    stands for the mail server."""
    provider = PROVIDERS[auth.removesuffix("_app")]
    if not settings.oauth_local_mail:
        return provider
    host, _, port = settings.oauth_local_mail.partition(":")
    return OAuthProvider(**(vars(provider) | {"host": host, "port": int(port)}))


def has_revocation(auth: str) -> bool:
    """Whether access can be ended at the provider (RFC 7009)."""
    return auth in PROVIDERS and bool(PROVIDERS[auth].revoke_url)


def url(template: str, client: OAuthClient, settings: Settings) -> str:
    """Where to go for this client. On this machine alone `oauth_local_url` stands before the path.

    Raises ValueError for a directory that is none."""
    if not _DIRECTORY.fullmatch(client.directory):
        raise ValueError("no directory of Microsoft Entra")
    full = template.format(directory=client.directory)
    if not settings.oauth_local_url:
        return full
    return settings.oauth_local_url + "/" + full.removeprefix("https://")


def authorization_url(
    client: OAuthClient,
    settings: Settings,
    *,
    state: str,
    verifier: str,
    redirect_uri: str,
    hint: str,
) -> str:
    """Where the person goes to allow access. `hint`: the address to sign in with."""
    provider = PROVIDERS[client.provider]
    query = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(provider.scopes),
        "state": state,
        "code_challenge": challenge(verifier),
        "code_challenge_method": "S256",
        "login_hint": hint,
        **dict(provider.parameters),
    }
    return url(provider.authorize_url, client, settings) + "?" + urlencode(query)


def challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def is_issuer(provider: OAuthProvider, client: OAuthClient, issuer: str) -> bool:
    """Whether `issuer` is the provider's; a client of one directory takes that of no other."""
    if "{directory}" not in provider.issuer:
        return issuer == provider.issuer
    before, _, after = provider.issuer.partition("{directory}")
    directory = issuer.removeprefix(before).removesuffix(after)
    fits = before + directory + after == issuer and _DIRECTORY.fullmatch(directory) is not None
    is_any = "-" not in client.directory
    return fits and (is_any or directory == client.directory)


def grants_mail(provider: OAuthProvider, scope: str | None) -> bool:
    """Whether the granted scopes hold that of mail; none told means as asked for (RFC 6749 5.1)."""
    return scope is None or provider.mail_scope.lower() in scope.lower().split()


def is_person(provider: OAuthProvider, claims: Mapping[str, Any], expected: str) -> bool:
    """Whether who signed in is who was expected."""
    told = (claims.get(name) for name in provider.claims)
    return expected.casefold() in {str(name).casefold() for name in told if name}
