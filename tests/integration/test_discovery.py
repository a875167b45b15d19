"""Where a mailbox may be: known providers at once, other domains by their DNS, never guessed."""

import json
import re
from typing import Any

import pytest
from infra.local.imap_server import EmbeddedImap
from tests.support.aws import received_bodies
from tests.support.dns_server import DnsServer
from tests.support.http_events import Client
from tests.support.mailboxes import TENANT, tools_for

from ablage.mailbox.presets import PRESETS, by_domain, by_mx
from ablage.settings import settings
from ablage.store import keys
from ablage.store.storage import Storage
from sync.discovery import discover, resolver
from sync.jobs import run_job

api = Client()
HOST = re.compile(r"([a-z0-9-]+\.)+[a-z]+")


def ask(server: DnsServer, address: str) -> list[tuple[str, str, str]]:
    found = discover(address, resolver("127.0.0.1", server.port))
    return [(each.host, each.auth, each.found) for each in found]


# ---- the table -----------------------------------------------------------------------------------


def test_each_row_is_whole() -> None:
    for row in PRESETS:
        assert row.help
        assert row.source
        assert row.domains or row.mx
        assert row.auth in {"password", "app_password", "oauth", "none"}
        assert row.user in {"address", "local_part"}
        assert row.oauth in {"", "google", "microsoft"}
        assert HOST.fullmatch(row.host) or row.auth == "none" or row.mx == (".kasserver.com",)


def test_no_domain_or_mx_stands_in_two_rows() -> None:
    domains = [domain for row in PRESETS for domain in row.domains]
    endings = [mx for row in PRESETS for mx in row.mx]

    assert len(domains) == len(set(domains))
    assert len(endings) == len(set(endings))


@pytest.mark.parametrize(
    ("address", "host", "username", "auth"),
    [
        ("anna@gmail.com", "imap.gmail.com", "anna@gmail.com", "app_password"),
        ("anna@Hotmail.de", "outlook.office365.com", "anna@Hotmail.de", "oauth"),
        ("anna@me.com", "imap.mail.me.com", "anna", "app_password"),
        ("anna@t-online.de", "secureimap.t-online.de", "anna@t-online.de", "app_password"),
        ("anna@web.de", "imap.web.de", "anna@web.de", "password"),
        ("anna@posteo.net", "posteo.de", "anna@posteo.net", "password"),
        ("anna@proton.me", "", "anna@proton.me", "none"),
    ],
)
def test_known_providers_are_known_by_the_domain(
    address: str, host: str, username: str, auth: str
) -> None:
    (found,) = by_domain(address)

    assert (found.host, found.username, found.auth) == (host, username, auth)


@pytest.mark.parametrize(
    ("exchange", "host"),
    [
        ("aspmx.l.google.com", "imap.gmail.com"),
        ("SMTP.Google.com.", "imap.gmail.com"),
        ("firma-de.mail.protection.outlook.com", "outlook.office365.com"),
        ("firma-de.n-v1.mx.microsoft", "outlook.office365.com"),
        ("mx00.kundenserver.de", "imap.ionos.de"),
        ("smtpin.rzone.de", "imap.strato.de"),
        ("www123.your-server.de", "mail.your-server.de"),
        ("w0123456.kasserver.com", "w0123456.kasserver.com"),
        ("mx1.mail.ovh.net", "imap.mail.ovh.net"),
        ("mta-gw.infomaniak.ch", "mail.infomaniak.com"),
        ("mx.zoho.eu", "imappro.zoho.eu"),
        ("mx-aol.mail.gm0.yahoodns.net", "imap.aol.com"),
        ("mta5.am0.yahoodns.net", "imap.mail.yahoo.com"),
        ("in1-smtp.messagingengine.com", "imap.fastmail.com"),
        ("mail.firma.de", None),
        ("kasserver.com.evil.example", None),
        ("evilgoogle.com", None),
        ("ex5.mail.ovh.net", None),
    ],
)
def test_a_provider_is_known_by_where_mail_is_delivered(exchange: str, host: str | None) -> None:
    found = by_mx("anna@firma.de", [exchange])

    assert [each.host for each in found] == ([host] if host else [])


# ---- DNS -----------------------------------------------------------------------------------------


def test_a_domain_s_provider_comes_before_what_it_names_itself() -> None:
    records = {
        ("firma.de.", "MX"): ["20 backup.firma.de.", "10 mx00.kundenserver.de."],
        ("_imaps._tcp.firma.de.", "SRV"): ["0 1 993 imap.firma.de."],
    }
    with DnsServer(records) as server:
        assert ask(server, "anna@firma.de") == [
            ("imap.ionos.de", "password", "mx"),
            ("imap.firma.de", "password", "srv"),
        ]


def test_services_come_by_priority_and_only_on_the_port_we_use() -> None:
    texts = ["20 0 993 b.firma.de.", "10 1 993 a.firma.de.", "0 0 143 c.firma.de.", "0 0 993 ."]
    with DnsServer({("_imaps._tcp.firma.de.", "SRV"): texts}) as server:
        assert [host for host, *_ in ask(server, "anna@firma.de")] == ["a.firma.de", "b.firma.de"]


def test_a_server_of_another_domain_is_named_as_such() -> None:
    records = {("_imaps._tcp.firma.de.", "SRV"): ["0 1 993 imap.evil.example."]}
    with DnsServer(records) as server:
        (found,) = discover("anna@firma.de", resolver("127.0.0.1", server.port))

    assert "another domain" in found.help
    assert "imap.evil.example" in found.help


def test_nothing_is_guessed() -> None:
    with DnsServer({("firma.de.", "A"): ["192.0.2.1"]}) as server:
        assert ask(server, "anna@firma.de") == []
        kinds = {("firma.de.", "MX"), ("_imaps._tcp.firma.de.", "SRV")}
        assert set(server.asked) == kinds


def test_a_known_domain_is_not_asked_about() -> None:
    with DnsServer({}) as server:
        assert ask(server, "anna@gmx.de") == [("imap.gmx.net", "password", "preset")]
        assert server.asked == []


@pytest.mark.parametrize("domain", ["a" * 64 + ".de", "a..de", "\\000.de"])
def test_a_name_that_is_none_is_no_fault(domain: str) -> None:
    with DnsServer({}) as server:
        assert ask(server, f"anna@{domain}") == []


# ---- through the API -----------------------------------------------------------------------------


def asked_job(where: Storage, server: EmbeddedImap, resolve: Any) -> dict[str, Any]:
    begun = api("POST", "/v1/accounts/discover", {"address": "Anna@Firma.de"})
    assert (begun.status, begun.json["candidates"]) == (202, [])
    (sent,) = received_bodies(settings().sync_queue_url)
    assert json.loads(sent)["job"] == begun.json["job"]
    run_job(tools_for(where, server, resolve=resolve), TENANT, begun.json["job"])
    return api("GET", f"/v1/jobs/{begun.json['job']}").json


def test_a_known_provider_is_answered_at_once(aws: Storage) -> None:
    found = api("POST", "/v1/accounts/discover", {"address": "anna@gmail.com"})

    assert (found.status, found.json["job"]) == (200, None)
    (candidate,) = found.json["candidates"]
    assert (candidate["host"], candidate["oauth"]) == ("imap.gmail.com", "google")
    assert received_bodies(settings().sync_queue_url) == []


def test_another_domain_is_a_job_s(aws: Storage, imap: EmbeddedImap) -> None:
    records = {("firma.de.", "MX"): ["0 firma-de.mail.protection.outlook.com."]}
    with DnsServer(records) as server:
        job = asked_job(aws, imap, resolver("127.0.0.1", server.port))

    assert (job["state"], job["result_url"]) == ("done", f"/v1/jobs/{job['id']}")
    (candidate,) = job["result"]["candidates"]
    assert (candidate["host"], candidate["auth"]) == ("outlook.office365.com", "oauth")
    assert candidate["username"] == "anna@firma.de"
    assert Client("other")("GET", f"/v1/jobs/{job['id']}").status == 404


def test_dns_that_does_not_answer_fails_the_job(aws: Storage, imap: EmbeddedImap) -> None:
    def silent(name: str, kind: str) -> list[Any]:
        raise TimeoutError

    job = asked_job(aws, imap, silent)

    assert (job["state"], job["code"]) == ("failed", "dns_unavailable")


def test_an_address_and_a_password_are_enough(aws: Storage) -> None:
    created = api("POST", "/v1/accounts", {"address": "anna@me.com", "password": "x"})

    assert created.status == 201
    shown = created.json
    assert (shown["host"], shown["port"], shown["username"]) == ("imap.mail.me.com", 993, "anna")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"address": "anna@firma.de", "password": "x"}, "host_needed"),
        ({"address": "anna@outlook.com", "password": "x"}, "oauth_needed"),
        ({"address": "anna@proton.me", "password": "x"}, "no_imap"),
        ({"address": "anna@me.com"}, "password_needed"),
        ({"address": "anna@x.de", "auth": "microsoft_app"}, "client_missing"),
    ],
)
def test_what_is_missing_is_said(aws: Storage, body: dict[str, str], code: str) -> None:
    refused = api("POST", "/v1/accounts", body)

    assert (refused.status, refused.code) == (422, code)


def test_access_without_a_person_needs_the_own_directory(aws: Storage) -> None:
    directory = "00000000-1111-2222-3333-444444444444"
    client = {"client_id": "x", "client_secret": "y", "redirect_uris": ["https://crm.example/o"]}
    wanted = {"id": "info", "address": "info@firma.de", "auth": "microsoft_app"}
    api("PUT", "/v1/oauth/clients/microsoft", client)
    assert api("POST", "/v1/accounts", wanted).code == "directory_needed"
    assert api("POST", "/v1/accounts", wanted | {"host": "x.de"}).code == "app_access_only"

    api("PUT", "/v1/oauth/clients/microsoft", client | {"directory": directory})
    created = api("POST", "/v1/accounts", wanted)

    assert (created.status, created.json["auth"]) == (201, "microsoft_app")
    assert created.json["host"] == "outlook.office365.com"
    assert aws.table.get(keys.secret(TENANT, "info")) is None
    assert api("POST", "/v1/accounts", wanted).status == 200
