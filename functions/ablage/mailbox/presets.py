"""Where the mailboxes of known providers are, and what must be switched on there, a row each with
its source. Found by the address's domain, or by where the domain's mail is delivered (MX). Nothing
is guessed from a domain's name. How their servers behave: `ablage.mailbox.providers`."""

from collections.abc import Iterable
from dataclasses import dataclass

PORT = 993


@dataclass(frozen=True)
class Preset:
    """`host` is empty where the host is the MX itself, or where there is no IMAP. `auth` is
    `password|app_password|oauth|none`; `oauth` the provider that also, or only, authorizes.
    `user` is `address`, or `local_part` (what stands before the `@`). `mx` are names or their
    endings, with a leading dot; `source` where the provider says so."""

    name: str
    host: str
    auth: str
    domains: tuple[str, ...]
    mx: tuple[str, ...]
    help: str
    source: str
    user: str = "address"
    oauth: str = ""


@dataclass(frozen=True)
class Candidate:
    """Where a mailbox may be logged in to; `found` is `preset|mx|srv`."""

    provider: str
    host: str
    port: int
    username: str
    auth: str
    oauth: str
    help: str
    found: str


_TWO_STEP = "With two-step login on, make an app password there and send that."
_PLAIN = "Send the mailbox's own password."

PRESETS = (
    Preset(
        "Gmail", "imap.gmail.com", "app_password",
        ("gmail.com", "googlemail.com"),
        (".google.com", ".googlemail.com", ".smtp.goog"),
        "Authorize with Google. Or turn on two-step verification and send an app password "
        "(myaccount.google.com/apppasswords); the account's own password is refused.",
        "support.google.com/mail/answer/7126229", oauth="google",
    ),
    Preset(
        "Microsoft 365", "outlook.office365.com", "oauth",
        ("outlook.com", "outlook.de", "outlook.at", "hotmail.com", "hotmail.de", "hotmail.at",
         "hotmail.fr", "hotmail.co.uk", "live.com", "live.de", "live.at", "msn.com"),
        (".mail.protection.outlook.com", ".olc.protection.outlook.com", ".mx.microsoft"),
        "Authorize with Microsoft: passwords are refused. IMAP must be switched on for the mailbox "
        "(admin centre: Active users, Mail, Manage email apps; Outlook.com: Settings, Mail, "
        "Forwarding and IMAP).",
        "learn.microsoft.com/exchange/client-developer/legacy-protocols", oauth="microsoft",
    ),
    Preset(
        "iCloud", "imap.mail.me.com", "app_password",
        ("icloud.com", "me.com", "mac.com"), (".mail.icloud.com",),
        "Make an app-specific password at account.apple.com and send that. The user name is what "
        "stands before the @; with an own domain, that of the iCloud address.",
        "support.apple.com/102525", user="local_part",
    ),
    Preset(
        "AOL", "imap.aol.com", "app_password",
        ("aol.com", "aol.de", "aim.com"), ("mx-aol.mail.gm0.yahoodns.net",),
        "Make an app password (Account security) and send that.",
        "help.aol.com/articles/how-do-i-use-other-email-applications",
    ),
    Preset(
        "Yahoo", "imap.mail.yahoo.com", "app_password",
        ("yahoo.com", "yahoo.de", "yahoo.fr", "yahoo.co.uk", "ymail.com", "rocketmail.com"),
        (".yahoodns.net",),
        "Make an app password (Account security) and send that.",
        "help.yahoo.com/kb/SLN4075.html",
    ),
    Preset(
        "GMX", "imap.gmx.net", "password",
        ("gmx.de", "gmx.net", "gmx.at", "gmx.ch"), (".gmx.net",),
        "Allow IMAP first (Settings, POP3/IMAP): it is off, and goes off again when unused. "
        + _TWO_STEP,
        "hilfe.gmx.net/pop-imap",
    ),
    Preset(
        "GMX", "imap.gmx.com", "password", ("gmx.com", "gmx.us", "gmx.co.uk"), (".gmx.com",),
        "Allow IMAP first (Settings, POP3 & IMAP). " + _TWO_STEP,
        "support.gmx.com/pop-imap",
    ),
    Preset(
        "WEB.DE", "imap.web.de", "password", ("web.de",), (".web.de",),
        "Allow IMAP first (Settings, POP3/IMAP): it is off, and goes off again when unused. "
        + _TWO_STEP,
        "hilfe.web.de/pop-imap",
    ),
    Preset(
        "T-Online", "secureimap.t-online.de", "app_password",
        ("t-online.de", "magenta.de"), (".t-online.de",),
        "Set a password for e-mail programs (Customer centre, Passwords) and send that: it is "
        "another than the login's.",
        "telekom.de/hilfe, Passwort für E-Mail-Programme",
    ),
    Preset(
        "freenet", "mx.freenet.de", "password", ("freenet.de",), (".freenet.de",),
        "Allow e-mail programs first (Settings, Security). " + _PLAIN,
        "kundenservice.freenet.de/mail",
    ),
    Preset(
        "mailbox.org", "imap.mailbox.org", "password", ("mailbox.org",), (".mailbox.org",),
        _TWO_STEP, "kb.mailbox.org/en/private/e-mail",
    ),
    Preset(
        "Posteo", "posteo.de", "password",
        ("posteo.de", "posteo.net", "posteo.at", "posteo.ch", "posteo.eu", "posteo.org"),
        (".posteo.de",),
        _PLAIN + " Additional mailbox protection must be off, or an app password sent.",
        "posteo.de/hilfe",
    ),
    Preset(
        "Fastmail", "imap.fastmail.com", "app_password",
        ("fastmail.com", "fastmail.fm", "fastmail.net"), (".messagingengine.com",),
        "Make an app password (Settings, Privacy & Security) and send that.",
        "fastmail.help, App passwords",
    ),
    Preset(
        "Infomaniak", "mail.infomaniak.com", "password",
        ("ik.me", "ikmail.com", "etik.com"), (".infomaniak.ch", ".ikmail.com"),
        "Send the password of the mailbox, or one made for a device where two-step login is on.",
        "infomaniak.com/support/faq/2427",
    ),
    Preset(
        "Zoho", "imap.zoho.com", "password", ("zoho.com", "zohomail.com"), (),
        "Allow IMAP first (Settings, Mail accounts). " + _TWO_STEP,
        "zoho.com/mail/help/imap-access.html",
    ),
    Preset(
        "Zoho", "imap.zoho.eu", "password", ("zoho.eu", "zohomail.eu"), (),
        "Allow IMAP first (Settings, Mail accounts). " + _TWO_STEP,
        "zoho.com/mail/help/imap-access.html",
    ),
    Preset(
        "Zoho", "imappro.zoho.com", "password", (), (".zoho.com",),
        "Allow IMAP first (Settings, Mail accounts). " + _TWO_STEP,
        "zoho.com/mail/help/imap-access.html",
    ),
    Preset(
        "Zoho", "imappro.zoho.eu", "password", (), (".zoho.eu",),
        "Allow IMAP first (Settings, Mail accounts). " + _TWO_STEP,
        "zoho.com/mail/help/imap-access.html",
    ),
    Preset(
        "IONOS", "imap.ionos.de", "password", ("online.de",),
        (".kundenserver.de", ".ionos.de", ".1and1.de", ".schlund.de"),
        _PLAIN, "ionos.de/hilfe/e-mail",
    ),
    Preset(
        "IONOS", "imap.ionos.com", "password", (), (".ionos.com", ".perfora.net", ".1and1.com"),
        _PLAIN, "ionos.com/help/email",
    ),
    Preset(
        "Strato", "imap.strato.de", "password", (), (".rzone.de", ".strato.de"),
        _PLAIN, "strato.de/faq/mail",
    ),
    Preset(
        "Hetzner", "mail.your-server.de", "password", (), (".your-server.de",),
        _PLAIN, "docs.hetzner.com/konsoleh/account-management/email",
    ),
    Preset(
        "All-Inkl", "", "password", (), (".kasserver.com",),
        _PLAIN, "all-inkl.com/wichtig/anleitungen",
    ),
    Preset(
        "OVH", "imap.mail.ovh.net", "password", (),
        tuple(f"mx{number}.mail.ovh.net" for number in range(5)),
        _PLAIN, "help.ovhcloud.com, MX Plan",
    ),
    Preset(
        "Proton", "", "none",
        ("proton.me", "protonmail.com", "pm.me"), (".protonmail.ch",),
        "Proton has no IMAP for services, only its Bridge on the own computer.",
        "proton.me/support/protonmail-bridge-install",
    ),
    Preset(
        "Tuta", "", "none",
        ("tuta.com", "tutanota.com", "tutanota.de", "tutamail.com"), (".tutanota.de",),
        "Tuta has no IMAP.",
        "tuta.com/support",
    ),
)  # fmt: skip


def by_domain(address: str) -> list[Candidate]:
    """Known at once; none for a domain nobody knows. `address` normalised."""
    domain = address.rpartition("@")[2].lower()
    rows = [row for row in PRESETS if domain in row.domains]
    return [_candidate(row, row.host, address, "preset") for row in rows]


def by_mx(address: str, exchanges: Iterable[str]) -> list[Candidate]:
    """Of the first exchange that is a provider's, best first; names without a final dot."""
    for exchange in exchanges:
        name = exchange.lower().rstrip(".")
        rows = [row for row in PRESETS if any(_is_of(name, mx) for mx in row.mx)]
        if rows:
            host = rows[0].host or (name if rows[0].auth != "none" else "")
            return [_candidate(rows[0], host, address, "mx")]
    return []


def _is_of(name: str, mx: str) -> bool:
    return name.endswith(mx) if mx.startswith(".") else name == mx


def _candidate(row: Preset, host: str, address: str, found: str) -> Candidate:
    user = address.rpartition("@")[0] if row.user == "local_part" else address
    return Candidate(
        row.name, host, PORT if host else 0, user, row.auth, row.oauth, row.help, found
    )
