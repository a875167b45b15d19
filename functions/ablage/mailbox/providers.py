"""Providers' quirks, a row each, with where it is known from. A host that is not listed gets the
last row. What is met at whatever host, because servers change: tests/unit/test_mailbox_quirks.py,
where each is played, with its source."""

from dataclasses import dataclass

from ablage.mailbox.pace import MOST

GB = 1_000_000_000
DAY_BYTES = 4 * GB  # of mail fetched from one account in a day
SLOW_RATE = 4  # imapsync's preset for Microsoft 365, where throttles end [imapsync#272]


@dataclass(frozen=True)
class Provider:
    """`hosts` are host names or their endings; `depth` is how many FETCH commands may be in
    flight at most, `day_bytes` how much is fetched of one account in a day (UTC); `offers` are the
    capabilities for a login that the greeting does not tell, `slow_rate` how many mails are fetched
    in a second for an hour after the provider asked for patience. A provider that `asks_who` opens
    folders only for clients that named themselves (ID, RFC 2971)."""

    name: str
    hosts: tuple[str, ...]
    depth: int
    source: str
    offers: frozenset[str] = frozenset()
    day_bytes: int = DAY_BYTES
    slow_rate: int = SLOW_RATE
    asks_who: bool = False


# Their greetings tell none; both document XOAUTH2 with an initial response, and PLAIN stands there
# for app passwords (Google's "XOAUTH2 protocol", Microsoft's "Authenticate an IMAP connection")
_OAUTH = frozenset({"IMAP4REV1", "SASL-IR", "AUTH=PLAIN", "AUTH=XOAUTH2"})

PROVIDERS = (
    Provider(
        "microsoft365",
        ("outlook.office365.com", "outlook.office.com", "imap-mail.outlook.com"),
        1,
        "throttles bursts, then disconnects: imapsync#272, #212",
        _OAUTH,
    ),
    Provider(
        "yahoo",
        (".mail.yahoo.com", ".aol.com"),
        1,
        "low connection and command limits, NO [UNAVAILABLE] UID FETCH: imapsync#119, mailflow#433",
    ),
    Provider(
        "gmail",
        ("imap.gmail.com", "imap.googlemail.com"),
        4,
        "2,500 MB a day, 15 connections: chatwoot#6082",
        _OAUTH,
        day_bytes=3 * GB // 2,
    ),
    Provider(
        "netease",
        ("imap.163.com", "imap.126.com", "imap.yeah.net"),
        MOST,
        "NO EXAMINE Unsafe Login: himalaya#651, node-imap#908, offlineimap3#71",
        asks_who=True,
    ),
    Provider("other", ("",), MOST, "its depth follows how it answers [imap-sync section 4]"),
)


def provider_of(host: str) -> Provider:
    name = host.lower().rstrip(".")
    return next(row for row in PROVIDERS if any(name.endswith(host) for host in row.hosts))
