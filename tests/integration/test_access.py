"""Access tokens: redeemed once, refreshed before their end, rotated safely, given up for good."""

import json
from collections.abc import Iterator

import pytest
from infra.local.certificates import Certificates
from infra.local.identity_provider import IdentityProvider
from tests.support.mailboxes import OTHER, TENANT
from tests.support.oauth import (
    CLIENT_ID,
    PERSON,
    SECRET,
    an_access,
    an_account,
    grant_access,
    register,
    running,
    sealed,
)

from ablage.accounts import Account
from ablage.errors import AccountFault
from ablage.mailbox.login import AccessToken
from ablage.settings import settings
from ablage.store import grants, keys
from ablage.store.aws import client
from ablage.store.grants import Grants
from ablage.store.storage import Storage
from sync.access import Access

DAY = 86400.0


@pytest.fixture
def provider(aws: Storage, certificates: Certificates) -> Iterator[IdentityProvider]:
    with running(certificates) as started:
        register(aws)
        yield started


class Clock:
    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def access(aws: Storage, certificates: Certificates, clock: Clock, provider: object) -> Access:
    return an_access(aws, certificates, now=clock)


def refusal(access: Access, account: Account) -> str:
    with pytest.raises(AccountFault) as fault:
        access.credential(account)
    assert fault.value.state == (
        "degraded" if fault.value.code == "provider_unavailable" else "reauth_required"
    )
    return fault.value.code


def token(access: Access, account: Account, *, anew: bool = False) -> str:
    found = access.credential(account, anew=anew)
    assert isinstance(found, AccessToken)
    return found.text


def kept(where: Storage) -> grants.Grant:
    found, code = Grants(where.table, TENANT, "box").read()
    assert found is not None
    assert code is None
    return found


def test_a_code_becomes_a_token_and_is_gone(
    aws: Storage, provider: IdentityProvider, access: Access
) -> None:
    grant_access(aws, provider, an_account())

    assert token(access, an_account()).startswith("a-")

    assert [call["grant_type"] for call in provider.calls] == ["authorization_code"]
    assert kept(aws).version == 1


def test_a_warm_function_asks_again_shortly_before_the_end(
    aws: Storage, provider: IdentityProvider, access: Access, clock: Clock
) -> None:
    grant_access(aws, provider, an_account())
    first = token(access, an_account())

    clock.at += 3600 - 301
    assert token(access, an_account()) == first
    clock.at += 2
    assert token(access, an_account()) != first

    assert [call["grant_type"] for call in provider.calls][1:] == ["refresh_token"]


def test_a_rotated_token_is_kept_beside_the_one_before(
    aws: Storage, provider: IdentityProvider, access: Access
) -> None:
    grant_access(aws, provider, an_account())
    token(access, an_account())
    before = kept(aws)

    token(access, an_account(), anew=True)

    after = kept(aws)
    assert (after.version, after.previous) == (2, before.sealed)
    assert after.sealed != before.sealed


def test_a_provider_that_does_not_rotate_costs_no_write(
    aws: Storage, provider: IdentityProvider, access: Access
) -> None:
    provider.answers.rotates = False
    grant_access(aws, provider, an_account())
    token(access, an_account())
    before = kept(aws)

    token(access, an_account(), anew=True)

    assert kept(aws) == before


def test_a_token_lost_on_its_way_is_replaced_by_the_one_before(
    aws: Storage, provider: IdentityProvider, access: Access
) -> None:
    provider.answers.keeps_old = True
    grant_access(aws, provider, an_account())
    token(access, an_account())
    first = kept(aws)
    lost = sealed("box", grants.REFRESH_TOKEN, "r-never-arrived")["sealed"]
    assert Grants(aws.table, TENANT, "box").rotate(first, lost, first.sealed)

    token(access, an_account(), anew=True)

    assert kept(aws).previous == first.sealed
    assert token(access, an_account(), anew=True)


# ---- who and what was granted --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "person", "changes", "code"),
    [
        ("openid email", PERSON, {}, "consent_incomplete"),
        ("", PERSON, {}, None),
        (None, "eve@firma.de", {}, "wrong_mailbox"),
        (None, PERSON.upper(), {}, None),
        (None, "eve@firma.de", {"delegate": "Eve@firma.de"}, None),
        (None, PERSON, {"delegate": "eve@firma.de"}, "wrong_mailbox"),
    ],
)
def test_scope_and_person_must_fit(
    aws: Storage,
    provider: IdentityProvider,
    access: Access,
    scope: str | None,
    person: str,
    changes: dict[str, str],
    code: str | None,
) -> None:
    provider.answers.scope = scope
    account = an_account(**changes)
    grant_access(aws, provider, account, person)

    if code is None:
        assert token(access, account)
        return
    assert refusal(access, account) == code
    assert refusal(access, account) == code
    assert len(provider.calls) == 1
    assert kept(aws).sealed == b""


def test_a_failed_authorization_leaves_the_grant_before_alone(
    aws: Storage, provider: IdentityProvider, access: Access
) -> None:
    grant_access(aws, provider, an_account())
    token(access, an_account())
    before = kept(aws)

    grant_access(aws, provider, an_account(login_version=2), "eve@firma.de")
    assert refusal(access, an_account(login_version=2)) == "wrong_mailbox"

    assert kept(aws) == before
    assert token(access, an_account(login_version=2))


def test_an_id_token_for_another_client_or_of_another_issuer_is_refused(
    aws: Storage, provider: IdentityProvider, access: Access
) -> None:
    register(aws, "microsoft", directory="99999999-1111-2222-3333-444444444444")
    account = an_account("microsoft")
    grant_access(aws, provider, account)

    assert refusal(access, account) == "wrong_mailbox"


def test_a_provider_that_does_not_answer_leaves_the_code_for_the_next_look(
    aws: Storage, provider: IdentityProvider, access: Access
) -> None:
    grant_access(aws, provider, an_account())
    provider.answers.failing = 503, b"busy"
    assert refusal(access, an_account()) == "provider_unavailable"

    provider.answers.failing = None

    assert token(access, an_account())


def test_a_code_is_redeemed_by_one_worker(
    aws: Storage, provider: IdentityProvider, certificates: Certificates
) -> None:
    grant_access(aws, provider, an_account())
    _, code = Grants(aws.table, TENANT, "box").read()
    assert code is not None
    assert Grants(aws.table, TENANT, "box").claim(code, 1_000)

    other = an_access(aws, certificates, now=lambda: 1_030.0)
    assert refusal(other, an_account()) == "provider_unavailable"
    assert provider.calls == []

    later = an_access(aws, certificates, now=lambda: 1_061.0)
    assert token(later, an_account())


def test_a_disconnected_mailbox_gets_no_token_back(
    aws: Storage, provider: IdentityProvider
) -> None:
    grant_access(aws, provider, an_account())
    held = Grants(aws.table, TENANT, "box")
    _, code = held.read()
    assert code is not None
    aws.table.delete(keys.secret_code(TENANT, "box"))

    assert not held.redeemed(code, None, b"x")
    assert held.read() == (None, None)


# ---- where a token may go ------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{"host": "imap.evil.example"}, {"port": 143}])
def test_a_token_is_for_its_providers_host_alone(
    aws: Storage, provider: IdentityProvider, access: Access, changes: dict[str, object]
) -> None:
    account = an_account(**changes)
    grant_access(aws, provider, account)

    with pytest.raises(AccountFault) as fault:
        access.credential(account)

    assert fault.value.code == "address_refused"
    assert provider.calls == []


def test_grants_of_two_tenants_with_equal_ids_are_their_own(
    aws: Storage, provider: IdentityProvider, access: Access
) -> None:
    grant_access(aws, provider, an_account())
    token(access, an_account())

    theirs = an_account(tenant=OTHER)

    assert refusal(access, theirs) == "access_revoked"
    item = aws.table.get(keys.secret(TENANT, "box"))
    assert item is not None
    stolen = {name: value for name, value in item.items() if name not in {"pk", "sk"}}
    aws.table.put(keys.secret(OTHER, "box"), stolen)
    aws.table.put(
        keys.oauth_client(OTHER, "google"),
        {"client_id": "x", "directory": "common", "redirect_uris": [], "version": 1},
    )
    assert refusal(access, theirs) == "secret_missing"


# ---- access without a person ---------------------------------------------------------------------


def test_access_without_a_person_keeps_no_secret(
    aws: Storage, provider: IdentityProvider, access: Access
) -> None:
    register(aws, "microsoft", directory="00000000-1111-2222-3333-444444444444")
    account = an_account("microsoft_app")

    assert token(access, account)

    (call,) = provider.calls
    assert (call["grant_type"], call["scope"]) == (
        "client_credentials",
        "https://outlook.office365.com/.default",
    )
    assert Grants(aws.table, TENANT, "box").read() == (None, None)


def test_a_refused_client_is_asked_again_only_after_it_changed(
    aws: Storage, provider: IdentityProvider, access: Access
) -> None:
    register(aws, "microsoft", client_id="unknown")
    for _ in range(2):
        assert refusal(access, an_account("microsoft_app")) == "client_refused"
    assert len(provider.calls) == 1

    register(aws, "microsoft", version=2)

    assert token(access, an_account("microsoft_app"))


def test_without_a_client_nobody_is_asked(
    aws: Storage, provider: IdentityProvider, access: Access
) -> None:
    account = an_account("microsoft")
    grant_access(aws, provider, account)

    assert refusal(access, account) == "client_missing"
    assert provider.calls == []

    register(aws, "microsoft")
    assert token(access, account)


def test_the_stack_s_own_client_is_for_tenants_without_one(
    aws: Storage,
    provider: IdentityProvider,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MICROSOFT_CLIENT_ID", CLIENT_ID)
    monkeypatch.setenv("OAUTH_SECRETS_PATH", "/ablage/stack/oauth")
    settings.cache_clear()
    account = an_account("microsoft_app")
    assert refusal(an_access(aws, certificates), account) == "client_missing"

    set_parameter("wrong")
    assert refusal(an_access(aws, certificates), account) == "client_refused"
    assert refusal(an_access(aws, certificates), account) == "client_refused"
    assert len(provider.calls) == 1

    set_parameter(SECRET)
    assert token(an_access(aws, certificates), account)


def set_parameter(text: str) -> None:
    name = "/ablage/stack/oauth/microsoft"
    client("ssm").put_parameter(Name=name, Value=text, Type="SecureString", Overwrite=True)


# ---- thirty days of each answer (T15) ------------------------------------------------------------


def error(code: str, **more: str) -> bytes:
    return json.dumps({"error": code} | more).encode()


FINAL = [
    (400, error("invalid_grant"), "access_revoked"),
    (400, error("invalid_grant", error_description="AADSTS70008"), "access_revoked"),
    (400, error("interaction_required"), "sign_in_required"),
    (400, error("login_required"), "sign_in_required"),
    (400, error("consent_required"), "sign_in_required"),
    (400, error("unauthorized_client"), "client_refused"),
    (401, error("invalid_client"), "client_refused"),
    (400, error("invalid_scope"), "client_refused"),
    (403, error("access_denied"), "access_revoked"),
]
PASSING = [
    (500, b"oops"),
    (503, error("temporarily_unavailable")),
    (429, error("slow_down")),
    (302, b""),
    (200, b"<html>"),
    (200, b'{"token_type": "Bearer"}'),
]


@pytest.mark.parametrize(("status", "body", "code"), FINAL)
def test_a_final_refusal_is_not_asked_again_for_thirty_days(
    aws: Storage,
    provider: IdentityProvider,
    certificates: Certificates,
    clock: Clock,
    status: int,
    body: bytes,
    code: str,
) -> None:
    grant_access(aws, provider, an_account())
    token(an_access(aws, certificates, now=clock), an_account())
    provider.answers.failing = status, body
    provider.calls.clear()

    for _ in range(30):
        cold = an_access(aws, certificates, now=clock)  # a new process, with nothing in memory
        for _ in range(2):
            clock.at += DAY / 2
            assert refusal(cold, an_account()) == code

    assert len(provider.calls) == 1


@pytest.mark.parametrize(("status", "body"), PASSING)
def test_what_may_pass_is_asked_again(
    aws: Storage,
    provider: IdentityProvider,
    access: Access,
    clock: Clock,
    status: int,
    body: bytes,
) -> None:
    grant_access(aws, provider, an_account())
    token(access, an_account())
    before = kept(aws)
    provider.answers.failing = status, body
    clock.at += DAY

    assert refusal(access, an_account()) == "provider_unavailable"
    assert kept(aws) == before

    provider.answers.failing = None
    assert token(access, an_account())


def test_a_new_authorization_ends_a_refusal(
    aws: Storage, provider: IdentityProvider, access: Access, clock: Clock
) -> None:
    grant_access(aws, provider, an_account())
    token(access, an_account())
    provider.withdraw(PERSON)
    clock.at += DAY
    assert refusal(access, an_account()) == "access_revoked"

    grant_access(aws, provider, an_account(login_version=2))

    assert token(access, an_account(login_version=2))
    assert kept(aws).dead is None


def test_no_secret_is_in_a_fault_or_a_repr(
    aws: Storage, provider: IdentityProvider, access: Access
) -> None:
    grant_access(aws, provider, an_account())
    secret = token(access, an_account())
    provider.answers.failing = 400, error("invalid_grant", error_description="canary-text")

    with pytest.raises(AccountFault) as fault:
        access.credential(an_account(), anew=True)

    told = f"{fault.value!r} {fault.value.detail} {kept(aws)!r} {access.credential(an_account())!r}"
    assert all(word not in told for word in (secret, "canary", "r-", "a-"))
