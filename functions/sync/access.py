"""What a mailbox is logged in to with: its password, or an access token that is always fresh.

Access tokens live in this process's memory and, for the other workers, sealed in the table until
they are over: a provider is asked once an hour for a mailbox, whoever looks at it. A refresh token
that the provider replaced is written, conditionally, before the access token beside it is first
used."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ablage.accounts import Account
from ablage.errors import AccountFault, InvalidInput
from ablage.mailbox.faults import fault
from ablage.mailbox.login import AccessToken, Credential
from ablage.oauth import (
    APP_ONLY,
    PROVIDERS,
    OAuthClient,
    grants_mail,
    is_issuer,
    is_person,
    provider_of,
    url,
)
from ablage.settings import Settings
from ablage.store import grants, keys, oauth_clients
from ablage.store.aws import unavailable
from ablage.store.grants import Code, Grant, Grants
from ablage.store.secrets import Secret, Secrets
from ablage.store.stack_secrets import StackSecret, StackSecrets
from ablage.store.table import Table
from ablage.tenancy import TenantId
from sync.identity import IdentityProviders, Tokens

EARLY_SECONDS = 300  # before its end a token is not begun with: a session outlasts it
ROUNDS = 4  # of workers that were faster
CACHE_ENTRIES = 20_000  # of some 2 KB; beyond them the table is asked
_ABOUT_THE_CLIENT = "client_refused"
_ANY_CLIENT = -1
_TO_BE_REPEATED = ("provider_unavailable", "client_missing", "secret_missing")

Key = tuple[TenantId, str, int]


@dataclass(frozen=True)
class _Cached:
    """`until`: epoch seconds."""

    until: float
    token: AccessToken = field(repr=False)


class Access:
    """One per warm function. `now` is epoch seconds; `entries` are kept in memory."""

    def __init__(
        self,
        table: Table,
        secrets: Secrets,
        providers: IdentityProviders,
        settings: Settings,
        now: Callable[[], float] = time.time,
        *,
        entries: int = CACHE_ENTRIES,
    ) -> None:
        self._table = table
        self._secrets = secrets
        self._providers = providers
        self._settings = settings
        self._stack = StackSecrets(settings.oauth_secrets_path)
        self._now = now
        self._entries = entries
        self._cache: dict[Key, _Cached] = {}

    def credential(self, account: Account, *, anew: bool = False) -> Credential:
        """`anew` asks the provider for another token. Raises AccountFault."""
        if account.auth == "password":
            return self._secrets.open(account.tenant, account.account_id, account.version).text
        provider = provider_of(account.auth, self._settings)
        if (account.host, account.port) != (provider.host, provider.port):
            raise fault("address_refused")  # a token goes to its provider and nowhere else
        key = _login(account)
        cached = self._cache.get(key)
        if cached and not anew and self._now() < cached.until:
            return cached.token
        found = (None if anew else self._kept(account)) or self._asked_for(account)
        if len(self._cache) >= self._entries:
            self._cache.clear()
        self._cache[key] = found
        return found.token

    def _kept(self, account: Account) -> _Cached | None:
        """What another worker was given."""
        text = self._secrets.kept_token(*_login(account))
        until, _, token = (text or "0").partition(" ")
        return _Cached(int(until), AccessToken(token)) if self._now() < int(until) else None

    def _asked_for(self, account: Account) -> _Cached:
        tokens = self._obtain(account)
        until = int(self._now() + max(tokens.lifetime - EARLY_SECONDS, tokens.lifetime / 2))
        with unavailable():
            self._secrets.keep_token(*_login(account), f"{until} {tokens.access}", until)
        return _Cached(until, AccessToken(tokens.access))

    def _obtain(self, account: Account) -> Tokens:
        if account.auth == APP_ONLY:
            return self._app_only(account)
        for _ in range(ROUNDS):
            grant, code = self._held(account).read()
            tokens = self._redeem(account, code, grant) if code else self._refresh(account, grant)
            if tokens:
                return tokens
        raise fault("provider_unavailable")  # others were faster each time: the next look

    def _held(self, account: Account) -> Grants:
        return Grants(self._table, account.tenant, account.account_id)

    def _app_only(self, account: Account) -> Tokens:
        client = self._client(account)
        held = self._held(account)
        before, _ = held.read()
        if before and before.dead and before.dead_client == client.version:
            raise fault(before.dead)
        try:
            return self._ask(account, client, {"grant_type": "client_credentials"})
        except AccountFault as refusal:
            if refusal.code not in _TO_BE_REPEATED:
                held.refuse(None, before, refusal.code, client.version)
            raise

    # ---- a code, once ----------------------------------------------------------------------------

    def _redeem(self, account: Account, code: Code, before: Grant | None) -> Tokens | None:
        """None when the code is gone or somebody else wrote first."""
        held = self._held(account)
        if not held.claim(code, int(self._now())):
            if held.read()[1] != code:
                return None
            raise fault("provider_unavailable")  # another worker is at it
        try:
            tokens = self._checked(account, self._exchange(account, code))
        except AccountFault as refusal:
            self._give_back(account, code, before, refusal)
            raise
        sealed = self._seal(account, tokens.refresh or "")
        return tokens if held.redeemed(code, before, sealed) else None

    def _exchange(self, account: Account, code: Code) -> Tokens:
        opened = {
            kind: self._secrets.unseal(account.tenant, account.account_id, kind, sealed)
            for kind, sealed in ((grants.CODE, code.sealed), (grants.VERIFIER, code.verifier))
        }
        form = {
            "grant_type": "authorization_code",
            "code": opened[grants.CODE],
            "code_verifier": opened[grants.VERIFIER],
            "redirect_uri": code.redirect_uri,
        }
        return self._ask(account, self._client(account), form)

    def _checked(self, account: Account, tokens: Tokens) -> Tokens:
        """Raises AccountFault: less was granted than mail needs, or by somebody else."""
        provider = provider_of(account.auth, self._settings)
        client = self._client(account)
        if not tokens.refresh or not grants_mail(provider, tokens.scope):
            raise fault("consent_incomplete")
        claims = tokens.claims
        is_ours = claims.get("aud") == client.client_id
        if not is_ours or not is_issuer(provider, client, str(claims.get("iss"))):
            raise fault("wrong_mailbox")
        if not is_person(provider, claims, account.delegate or account.username):
            raise fault("wrong_mailbox")
        return tokens

    def _give_back(
        self, account: Account, code: Code, before: Grant | None, refusal: AccountFault
    ) -> None:
        """A provider that does not answer is asked again, till the code has expired; one that
        refuses is asked no more: the account shows why, until it is authorized anew."""
        held = self._held(account)
        if refusal.code in _TO_BE_REPEATED and self._now() < code.expires:
            held.release(code)
        else:
            dead = "access_revoked" if refusal.code in _TO_BE_REPEATED else refusal.code
            held.refuse(code, before, dead, _ANY_CLIENT)

    # ---- refreshing ------------------------------------------------------------------------------

    def _refresh(self, account: Account, grant: Grant | None) -> Tokens | None:
        """None when somebody else wrote first: read again. Raises AccountFault."""
        if grant is None:
            raise fault("access_revoked")
        client = self._client(account)
        if _is_dead(grant, client):
            raise fault(str(grant.dead))
        refusal = fault("access_revoked")
        for sealed in filter(None, (grant.sealed, grant.previous)):
            token = self._open(account, sealed)
            form = {"grant_type": "refresh_token", "refresh_token": token}
            try:
                tokens = self._ask(account, client, form)
                return self._stored(account, grant, sealed, token, tokens)
            except AccountFault as said:
                refusal = said
            if refusal.code != "access_revoked" or self._is_changed(account, grant):
                break
        self._given_up(account, grant, client, refusal)
        return None

    def _is_changed(self, account: Account, grant: Grant) -> bool:
        return self._held(account).read()[0] != grant

    def _given_up(
        self, account: Account, grant: Grant, client: OAuthClient, refusal: AccountFault
    ) -> None:
        """Returns when somebody else wrote first. Raises AccountFault."""
        if refusal.code in _TO_BE_REPEATED:
            raise refusal
        about = client.version if refusal.code == _ABOUT_THE_CLIENT else _ANY_CLIENT
        held = self._held(account)
        if held.bury(grant, refusal.code, about):
            raise refusal

    def _stored(
        self, account: Account, grant: Grant, sealed: bytes, token: str, tokens: Tokens
    ) -> Tokens | None:
        """Nothing is written where the same token goes on."""
        is_same = tokens.refresh in {None, token} and sealed == grant.sealed and not grant.dead
        if is_same:
            return tokens
        newer = self._seal(account, tokens.refresh) if tokens.refresh else sealed
        held = self._held(account)
        return tokens if held.rotate(grant, newer, sealed) else None

    # ---- the end ---------------------------------------------------------------------------------

    def revoked(self, tenant: TenantId, account_id: str, provider: str) -> bool:
        """Whether a disconnected mailbox's access is over at its provider. Its token is forgotten
        then."""
        held = Grants(self._table, tenant, account_id)
        sealed = held.to_revoke()
        if sealed:
            token = self._secrets.unseal(tenant, account_id, grants.REFRESH_TOKEN, sealed)
            place = url(PROVIDERS[provider].revoke_url, OAuthClient(provider, ""), self._settings)
            if not self._providers.revoke(place, token):
                return False
        held.forget_revoked()
        return True

    # ---- both ------------------------------------------------------------------------------------

    def _ask(self, account: Account, client: OAuthClient, form: dict[str, str]) -> Tokens:
        provider = provider_of(account.auth, self._settings)
        more = {
            "client_id": client.client_id,
            "client_secret": self._client_secret(account, client),
        }
        if account.auth == APP_ONLY:
            more["scope"] = provider.app_scope
        return self._providers.tokens(url(provider.token_url, client, self._settings), form | more)

    def _client(self, account: Account) -> OAuthClient:
        """The stack's own counts the versions of its secret below those of tenants' clients."""
        name = provider_of(account.auth, self._settings).name
        client = oauth_clients.client_for(self._table, account.tenant, name, self._settings)
        if client is None:
            raise fault("client_missing")
        if client.is_stack:
            return replace(client, version=_ANY_CLIENT - self._stack_secret(name).version)
        return client

    def _client_secret(self, account: Account, client: OAuthClient) -> str:
        if client.is_stack:
            return self._stack_secret(client.provider).text
        item = self._table.get(keys.client_secret(account.tenant, client.provider), consistent=True)
        if item is None:
            raise fault("client_missing")
        owner = oauth_clients.secret_owner(client.provider)
        return self._secrets.unseal(account.tenant, owner, item["kind"], item["sealed"])

    def _stack_secret(self, name: str) -> StackSecret:
        found = self._stack.get(name)
        if found is None:
            raise fault("client_missing")
        return found

    def _open(self, account: Account, sealed: bytes) -> str:
        place = account.tenant, account.account_id
        return self._secrets.unseal(*place, grants.REFRESH_TOKEN, sealed)

    def _seal(self, account: Account, token: str) -> bytes:
        secret = Secret(grants.REFRESH_TOKEN, token)
        try:
            return self._secrets.seal(account.tenant, account.account_id, secret)
        except InvalidInput:
            raise fault("token_too_long") from None


def _login(account: Account) -> Key:
    return account.tenant, account.account_id, account.login_version


def _is_dead(grant: Grant, client: OAuthClient) -> bool:
    """What was about the client is asked again with another."""
    return grant.dead is not None and grant.dead_client in {_ANY_CLIENT, client.version}
