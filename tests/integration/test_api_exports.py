"""An archive as a zip file: the bytes, what vouches for them, and no more than the caller sees."""

import hashlib
import io
import json
import subprocess
import zipfile
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote, urlsplit

import pytest
from tests.support.events import context, s3_created, sqs_event
from tests.support.http_events import Client
from tests.support.tenants import connect_account, index_contact

from ablage.store import keys
from ablage.store.aws import client as aws_client
from ablage.store.raw_mail import RawKey, RawMetadata
from ablage.tenancy import TenantId
from match.batches import run_batch
from match.handler import lambda_handler as match

ACME = TenantId("acme")
acme, other = Client("acme"), Client("other")
NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
ASKED = {"entity_type": "contact", "entity_id": "c-1"}


def mail(number, sender="max@kunde.de", to="anna@own.de", extra=""):
    date = (NOW + timedelta(minutes=number)).strftime("%a, %d %b %Y %H:%M:%S +0000")
    return (
        f"From: {sender}\r\nTo: {to}\r\n{extra}Subject: Mail {number} \u00fc\r\n"
        f"Message-ID: <m{number}@x>\r\nDate: {date}\r\n\r\nHello {number}\r\n"
    ).encode()


def arrive(aws, number, raw, *, account="anna", tenant="acme", role="inbox"):
    key = RawKey("30d", TenantId(tenant), account, ("1" if role == "sent" else "0") * 16, 1, number)
    aws.raw.put(key, raw, RawMetadata(NOW.isoformat(), role=role))
    match(sqs_event(s3_created(aws.raw.bucket, key.text)), context())


@pytest.fixture
def house(aws):
    for tenant in ("acme", "other"):
        connect_account(aws, TenantId(tenant), "anna", "anna@own.de", filing=True)
        index_contact(aws, TenantId(tenant), "max@kunde.de", "c-1", [])
    return aws


def exported(client=acme, **more):
    """The job, worked off."""
    asked = client("POST", "/v1/exports", ASKED | more)
    assert asked.status == 202
    job = asked.json["id"]
    match(sqs_event({"batch": {"tenant": client.tenant, "job": job}}), context())
    return client("GET", f"/v1/jobs/{job}").json


def opened(job):
    found = urlsplit(job["result_url"])
    bucket = found.netloc.partition(".")[0]
    body = aws_client("s3").get_object(Bucket=bucket, Key=unquote(found.path)[1:])["Body"].read()
    return zipfile.ZipFile(io.BytesIO(body))


def manifest(archive):
    return [json.loads(line) for line in archive.read("manifest.jsonl").splitlines()]


def mails(archive):
    return {n: archive.read(n) for n in archive.namelist() if n.startswith("messages/")}


def test_the_zip_has_every_mail_byte_for_byte_and_sums_that_check(house, tmp_path):
    raws = [mail(number) for number in range(5)]
    for number, raw in enumerate(raws):
        arrive(house, number + 1, raw)
    job = exported()

    archive = opened(job)

    assert (job["state"], job["done"], job["failed"]) == ("done", 5, 0)
    assert sorted(mails(archive).values()) == sorted(raws)
    archive.extractall(tmp_path)
    checked = subprocess.run(
        ["sha256sum", "--strict", "-c", "SHA256SUMS"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout.count(b": OK")) == (0, 5)


def test_the_manifest_tells_ids_dates_and_how_it_was_filed(house):
    raw = mail(1)
    arrive(house, 1, raw)
    (row,) = acme("GET", "/v1/archives/contact/c-1").json["items"]
    filing = f"/v1/messages/{row['message']}/filings/contact/c-1"
    acme("DELETE", filing)
    acme("PUT", filing)

    (line,) = manifest(opened(exported()))

    assert line["sha256"] == hashlib.sha256(raw).hexdigest()
    assert (line["size"], line["message_id"], line["subject"]) == (
        len(raw),
        "m1@x",
        "Mail 1 \u00fc",
    )
    assert line["sort_time"] == row["sort_time"]
    assert (line["filed"]["origins"], line["filed"]["by"]) == (["manual"], "anna")
    assert line["filed"]["reasons"] == ["matched"]
    assert [event["kind"] for event in line["history"]] == ["filed", "unfiled", "filed"]
    assert [event.get("by") for event in line["history"]] == [None, "anna", "anna"]
    assert all(event["at"].endswith("Z") for event in line["history"])


def test_a_window_bounds_it(house):
    for number in range(4):
        arrive(house, number + 1, mail(number))
    since, until = ((NOW + timedelta(minutes=n)).strftime("%Y-%m-%dT%H:%M:%SZ") for n in (1, 3))

    lines = manifest(opened(exported(since=since, until=until)))

    assert [line["message_id"] for line in lines] == ["m2@x", "m1@x"]


def test_nothing_filed_is_a_zip_of_no_mail(house):
    archive = opened(exported(entity_id="c-9"))

    assert archive.namelist() == ["manifest.jsonl", "SHA256SUMS"]


def test_slices_go_on_where_the_last_one_ended_and_a_killed_one_begins_again(house):
    raws = [mail(number) for number in range(4)]
    for number, raw in enumerate(raws):
        arrive(house, number + 1, raw)
    job = acme("POST", "/v1/exports", ASKED).json["id"]
    key = keys.job(ACME, job)

    slices = 0
    while acme("GET", f"/v1/jobs/{job}").json["state"] != "done":
        before = house.table.get(key)
        run_batch(house, ACME, job, seconds=-1)
        house.table.put(key, before)  # killed before the job heard of it
        assert run_batch(house, ACME, job, seconds=-1 if slices < 5 else 40) is not None
        slices += 1

    archive = opened(acme("GET", f"/v1/jobs/{job}").json)
    assert slices >= 5
    assert sorted(mails(archive).values()) == sorted(raws)
    assert len(manifest(archive)) == 4


def test_killed_after_the_last_step_it_is_done(house):
    arrive(house, 1, mail(1))
    job = acme("POST", "/v1/exports", ASKED).json["id"]
    run_batch(house, ACME, job, seconds=-1)
    run_batch(house, ACME, job, seconds=-1)
    before = house.table.get(keys.job(ACME, job))
    run_batch(house, ACME, job)
    house.table.put(keys.job(ACME, job), before)

    run_batch(house, ACME, job)

    done = acme("GET", f"/v1/jobs/{job}").json
    assert (done["state"], len(mails(opened(done)))) == ("done", 1)


def test_a_mail_whose_bytes_are_gone_is_told_of(house):
    arrive(house, 1, mail(1))
    arrive(house, 2, mail(2))
    kept = aws_client("s3").list_objects_v2(Bucket=house.archive.bucket, Prefix="archive/")
    aws_client("s3").delete_object(Bucket=house.archive.bucket, Key=kept["Contents"][0]["Key"])
    for number in (1, 2):
        key = f"raw/30d/acme/anna/{'0' * 16}/1/{number}.eml"
        aws_client("s3").delete_object(Bucket=house.raw.bucket, Key=key)

    job = exported()

    lines = manifest(opened(job))
    assert (job["done"], job["failed"]) == (2, 1)
    assert sorted(line.get("missing", "") for line in lines) == ["", "raw_expired"]


def test_whoever_asks_gets_what_they_may_read(house):
    arrive(house, 1, mail(1, "anna@own.de", "max@kunde.de", "Bcc: eva@x.de\r\n"), role="sent")
    for account, visibility in (("bert", "headers"), ("carl", "viewers")):
        connect_account(house, ACME, account, f"{account}@own.de", filing=True)
        key = keys.account(ACME, account)
        house.table.put(key, house.table.get(key) | {"visibility": visibility, "owner": account})
    arrive(house, 2, mail(2, to="bert@own.de"), account="bert")
    arrive(house, 3, mail(3, to="carl@own.de"), account="carl")
    everybody, dora = acme, Client("acme", scopes="read", subject="dora")

    whole, part = opened(exported(everybody)), opened(exported(dora))

    assert len(mails(whole)) == 3
    assert any(b"eva@x.de" in raw for raw in mails(whole).values())
    (raw,) = mails(part).values()
    assert b"eva@x.de" not in raw
    told = {line["message_id"]: line for line in manifest(part)}
    assert told.keys() == {"m1@x", "m2@x"}
    assert told["m1@x"]["redacted"]
    assert told["m1@x"]["bcc"] == []
    assert told["m1@x"]["sha256"] == hashlib.sha256(raw).hexdigest()
    assert told["m2@x"]["missing"] == "content_hidden"


def test_an_export_is_for_whoever_asked_alone(house):
    arrive(house, 1, mail(1))
    job = exported()["id"]
    strangers = (
        other,
        Client("acme", subject="bert"),
        Client("acme", scopes="read file manage", subject="anna"),
    )

    for stranger in strangers:
        refused = stranger("GET", f"/v1/jobs/{job}")
        assert (refused.status, refused.code) == (404, "job_not_found")


def test_another_tenant_s_archive_of_the_same_id_is_another(house):
    arrive(house, 1, mail(1))

    assert opened(exported(other)).namelist() == ["manifest.jsonl", "SHA256SUMS"]


def test_the_link_is_short_lived_and_gone_with_the_file(house):
    arrive(house, 1, mail(1))
    job = exported()
    assert "X-Amz-Expires=60" in job["result_url"]

    key = unquote(urlsplit(job["result_url"]).path)[1:]
    aws_client("s3").delete_object(Bucket=house.archive.bucket, Key=key)

    assert acme("GET", f"/v1/jobs/{job['id']}").json["result_url"] == f"/v1/jobs/{job['id']}"


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"entity_type": "Q"}, "/entity_type"),
        ({"entity_id": "a/b"}, "/entity_id"),
        ({"since": "2026-11-02T00:00:00Z", "until": "2026-11-01T00:00:00Z"}, "/until"),
        ({"format": "mbox"}, "/format"),
    ],
)
def test_what_cannot_be_exported_is_refused_with_its_place(change, pointer):
    refused = acme("POST", "/v1/exports", ASKED | change)

    assert refused.status == 422
    assert refused.json["errors"][0]["pointer"] == pointer
