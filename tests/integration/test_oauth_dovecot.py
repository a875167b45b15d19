"""Dovecot lets us in by access tokens that the provider vouches for, and by no others."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest
from infra.local import dovecot
from infra.local.aws import environment
from infra.local.certificates import Certificates
from infra.local.dovecot import Dovecot
from infra.local.identity_provider import IdentityProvider
from tests.support.mailboxes import a_mail, connect_mailbox, raw_keys, state_of, tools_for
from tests.support.oauth import PERSON, an_account, grant_access, register, running
from tests.support.polling import poll_once

from ablage.accounts import Account
from ablage.settings import settings
from ablage.store.storage import Storage
from sync.tools import Tools

pytestmark = pytest.mark.dovecot
SHARED = "info@firma.de"


@dataclass(frozen=True)
class Place:
    """A Dovecot that trusts `provider`, with mailboxes of PERSON and SHARED."""

    where: Storage
    server: Dovecot
    provider: IdentityProvider
    tools: Tools

    def look(self, account: Account) -> str | None:
        """The code of the account's fault after a poll in the warm function."""
        poll_once(replace(self.tools, summary=type(self.tools.summary)()), account)
        return state_of(self.where, account).code


@contextmanager
def place(where: Storage, certificates: Certificates, tokens: str) -> Iterator[Place]:
    if dovecot.executable() is None and not os.environ.get("REQUIRE_DOVECOT"):
        pytest.skip("Dovecot is not installed (Debian: dovecot-imapd)")
    with running(certificates) as provider:
        server = Dovecot(certificates, provider.introspection_url, tokens)
        try:
            for user in (PERSON, SHARED):
                server.add_user(user, "password")
                server.append(user, "INBOX", a_mail())
            with environment({"OAUTH_LOCAL_MAIL": f"{server.host}:{server.port}"}):
                settings.cache_clear()
                register(where, "google")
                register(where, "microsoft")
                yield Place(where, server, provider, tools_for(where, server))
        finally:
            server.stop()


@pytest.fixture(params=["xoauth2", "oauthbearer", "xoauth2 oauthbearer"])
def any_place(
    aws: Storage, certificates: Certificates, request: pytest.FixtureRequest
) -> Iterator[Place]:
    with place(aws, certificates, request.param) as found:
        yield found


@pytest.fixture
def a_place(aws: Storage, certificates: Certificates) -> Iterator[Place]:
    with place(aws, certificates, "xoauth2") as found:
        yield found


def test_a_code_is_redeemed_and_the_mailbox_synced(any_place: Place) -> None:
    grant_access(any_place.where, any_place.provider, an_account())

    assert any_place.look(an_account()) is None

    assert len(raw_keys(any_place.where)) == 1
    assert [call["grant_type"] for call in any_place.provider.calls] == ["authorization_code"]


def test_a_token_refused_before_its_time_is_replaced_once(a_place: Place) -> None:
    grant_access(a_place.where, a_place.provider, an_account())
    a_place.look(an_account())
    a_place.provider.expire_access()

    assert a_place.look(an_account()) is None

    assert [call["grant_type"] for call in a_place.provider.calls][1:] == ["refresh_token"]


def test_a_mailbox_that_is_another_person_s_stays_closed(a_place: Place) -> None:
    account = an_account("microsoft", username=SHARED, delegate=PERSON)
    grant_access(a_place.where, a_place.provider, account)

    assert a_place.look(account) == "access_refused"

    assert state_of(a_place.where, account).status == "reauth_required"
    assert raw_keys(a_place.where) == []
    assert len(a_place.provider.calls) == 2


def test_a_shared_mailbox_opens_with_its_delegate_s_token(a_place: Place) -> None:
    a_place.provider.mailboxes[PERSON] = SHARED
    account = an_account("microsoft", username=SHARED, delegate=PERSON)
    grant_access(a_place.where, a_place.provider, account)

    assert a_place.look(account) is None
    assert len(raw_keys(a_place.where)) == 1


def test_a_mailbox_opens_without_a_person(a_place: Place) -> None:
    a_place.provider.mailboxes[""] = SHARED
    account = connect_mailbox(
        a_place.where, a_place.server, SHARED, auth="microsoft_app", delegate=None
    )

    assert a_place.look(account) is None
    assert len(raw_keys(a_place.where)) == 1


def test_a_withdrawn_grant_is_seen_and_a_new_one_goes_on(a_place: Place) -> None:
    account = an_account()
    grant_access(a_place.where, a_place.provider, account)
    a_place.look(account)
    a_place.provider.withdraw(PERSON)
    a_place.provider.expire_access()
    assert a_place.look(account) == "access_revoked"

    again = replace(account, version=2, login_version=2)
    grant_access(a_place.where, a_place.provider, again)

    a_place.server.append(PERSON, "INBOX", a_mail(2))
    assert a_place.look(again) is None
    assert len(raw_keys(a_place.where)) == 2
