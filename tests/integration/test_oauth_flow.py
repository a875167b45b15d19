"""The whole way of a mailbox connected by OAuth, through the HTTP API, the queues, a provider and
Dovecot: authorized, synced, refreshed, withdrawn, authorized again, disconnected."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from infra.local import dovecot
from infra.local.stack import LocalStack
from tests.support.mailboxes import a_mail

from sync.tools import access

pytestmark = pytest.mark.dovecot
PERSON = "anna@firma.de"
REDIRECT = "https://crm.example/oauth"
CLIENT = {"client_id": "client-1", "client_secret": "canary-secret", "redirect_uris": [REDIRECT]}


class Tenant:
    def __init__(self, stack: LocalStack) -> None:
        self.stack = stack
        self._token = stack.token("acme")
        self._minute = datetime.now(UTC)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            self.stack.base_url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def authorize(self, **what: Any) -> dict[str, Any]:
        asked = {"provider": "google", "redirect_uri": REDIRECT} | what
        begun = self.call("POST", "/v1/oauth/authorizations", asked)
        back = self.stack.identity.consent(begun["authorization_url"], PERSON)
        account = self.call("POST", "/v1/oauth/callbacks", back)
        self.stack.drain()
        return account

    def look(self) -> dict[str, Any]:
        """The account after a check."""
        self.call("POST", "/v1/accounts/anna/check")
        self.stack.drain()
        return self.call("GET", "/v1/accounts/anna")

    def subjects(self) -> set[str]:
        return {row["subject"] for row in self.call("GET", "/v1/accounts/anna/messages")["items"]}


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    if dovecot.executable() is None and not os.environ.get("REQUIRE_DOVECOT"):
        pytest.skip("Dovecot is not installed (Debian: dovecot-imapd)")
    with LocalStack(oauth=True) as stack:
        stack.imap.add_user(PERSON, "password")
        stack.imap.append(PERSON, "INBOX", a_mail(1))
        stack.identity.register(CLIENT["client_id"], CLIENT["client_secret"])
        yield Tenant(stack)


def test_from_the_authorization_to_the_next(tenant: Tenant) -> None:
    stack, provider = tenant.stack, tenant.stack.identity
    tenant.call("PUT", "/v1/oauth/clients/google", CLIENT)

    connected = tenant.authorize(account={"id": "anna", "address": PERSON})
    assert (connected["auth"], connected["username"]) == ("google", PERSON)
    assert tenant.call("GET", "/v1/accounts/anna")["status"] == "ok"
    assert tenant.subjects() == {"mail 1"}

    access.cache_clear()  # a cold function: it goes on with the token that another was given
    stack.imap.append(PERSON, "INBOX", a_mail(2))
    for minutes in range(5):
        stack.tick(datetime.now(UTC) + timedelta(minutes=minutes))
    stack.drain(delays=True)
    assert tenant.subjects() == {"mail 1", "mail 2"}
    assert [call["grant_type"] for call in provider.calls] == ["authorization_code"]

    for _ in range(2):  # refused before its time: refreshed, and rotated, once, tried once more
        provider.expire_access()
        assert tenant.look()["status"] == "ok"
    assert [call["grant_type"] for call in provider.calls][1:] == ["refresh_token"] * 2
    tokens = [call["refresh_token"] for call in provider.calls[1:]]
    assert len(set(tokens)) == 2

    provider.withdraw(PERSON)
    provider.expire_access()
    state = tenant.look()
    assert (state["status"], state["status_code"]) == ("reauth_required", "access_revoked")
    asked = len(provider.calls)
    tenant.look()
    assert len(provider.calls) == asked

    stack.imap.append(PERSON, "INBOX", a_mail(3))
    again = tenant.authorize(reauthorize="anna")
    assert again["id"] == "anna"
    assert tenant.call("GET", "/v1/accounts/anna")["status"] == "ok"
    assert tenant.subjects() == {"mail 1", "mail 2", "mail 3"}
    assert len(tenant.call("GET", "/v1/accounts/anna/messages")["items"]) == 3

    with pytest.raises(urllib.error.HTTPError) as refused:
        tenant.call("PATCH", "/v1/accounts/anna", {"host": "imap.evil.example"})
    assert json.loads(refused.value.read())["code"] == "connected_by_oauth"
    refused.value.close()
