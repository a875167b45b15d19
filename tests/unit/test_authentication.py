"""The verdict on the sender: a table of headers as providers and forgers write them."""

import pytest

from ablage.authentication import Evidence, provider_of, verdict
from ablage.headers import read_headers

GMAIL, M365, YAHOO, OTHER = "imap.gmail.com", "outlook.office365.com", "imap.mail.yahoo.com", ""
FROM = "From: Max <max@kunde.de>"
TWO = "From: max@kunde.de\nFrom: eve@evil.de"
GROUP = "From: Undisclosed: max@kunde.de, eve@evil.de;"
EMPTY_GROUP = "From: Nobody:;"
BY_GOOGLE = "Received: from x by mx.google.com with ESMTPS; x\n"
INSIDE = "Received: by 2002:a05:6402:1aca:b0:4f with SMTP id x; x\n"
BY_EVIL = "Received: from a by relay.evil.de with ESMTP; x\n"
BY_MICROSOFT = "Received: from a by DB1.eurprd01.prod.outlook.com (2603::1) with SMTP; x\n"
G, X = "AR: mx.google.com; ", "AR: mx.x.de; "
OK = "dmarc=pass header.from=kunde.de"
BAD = "dmarc=fail header.from=kunde.de"

CASES = [
    # pass, fail and everything that is neither, by a provider nobody knows
    (OTHER, FROM, f"{X}{OK}", "pass"),
    (OTHER, FROM, f"{X}{BAD}", "fail"),
    (OTHER, FROM, f"{X}dmarc=none header.from=kunde.de", "none"),
    (OTHER, FROM, f"{X}dmarc=temperror header.from=kunde.de", "none"),
    (OTHER, FROM, f"{X}dmarc=permerror header.from=kunde.de", "none"),
    (OTHER, FROM, f"{X}dmarc=bestguesspass header.from=kunde.de", "none"),
    (OTHER, FROM, f"{X}dmarc=passed header.from=kunde.de", "none"),
    (OTHER, FROM, f"{X}dmarc=pass-ish header.from=kunde.de", "none"),
    (OTHER, FROM, f"{X}dmarc=pass", "pass"),
    (OTHER, FROM, f"{X}dmarc=fail (p=none)", "fail"),
    (OTHER, FROM, f"{X}DMARC = Pass HEADER.FROM = Kunde.DE", "pass"),
    (OTHER, FROM, f"{X}dmarc/1 = pass header.from=kunde.de", "pass"),
    (OTHER, FROM, f"{X}spf=pass smtp.mailfrom=evil.de; dkim=pass header.d=evil.de", "none"),
    (OTHER, FROM, f"{X}spf=pass; dkim=pass; {BAD}", "fail"),
    (OTHER, FROM, f"{X}spf=fail smtp.mailfrom=x.de; dkim=fail", "fail"),
    (OTHER, FROM, f"{X}spf=fail; dkim=fail; dkim=pass", "none"),
    (OTHER, FROM, f"{X}spf=fail; dkim=none", "none"),
    (OTHER, FROM, f"{X}spf=softfail; dkim=fail", "none"),
    (OTHER, FROM, f"{X}spf=fail; dkim=fail; {OK}", "pass"),
    (OTHER, FROM, f"{X}spf=fail; dkim=fail; dmarc=none", "none"),
    (OTHER, FROM, f"{X}x-dmarc=fail", "none"),
    (OTHER, FROM, f"{X}arc=pass; {BAD}", "fail"),
    (OTHER, FROM, f"{X}none", "none"),
    (OTHER, FROM, "", "none"),
    # whom the provider judged
    (OTHER, FROM, f"{X}dmarc=pass header.from=evil.de", "none"),
    (OTHER, FROM, f"{X}dmarc=fail header.from=evil.de", "none"),
    (OTHER, FROM, f"{X}dmarc=pass header.from=notkunde.de", "none"),
    (OTHER, FROM, f"{X}dmarc=pass header.from=sub.kunde.de", "none"),
    (OTHER, FROM, f"{X}dmarc=pass header.from=de", "none"),
    (OTHER, FROM, f"{X}dmarc=pass header.from=", "none"),
    (OTHER, FROM, f'{X}dmarc=pass header.from="kunde.de"', "none"),
    (OTHER, FROM, f"{X}dmarc=pass header.from=max@kunde.de", "pass"),
    (OTHER, "From: max@post.kunde.de", f"{X}{OK}", "pass"),
    (OTHER, "From: max@post.kunde.co.uk", f"{X}dmarc=pass header.from=co.uk", "none"),
    (OTHER, "From: max@bücher.de", f"{X}dmarc=pass header.from=xn--bcher-kva.de", "pass"),
    (OTHER, FROM, f"{X}{OK}; dmarc=pass header.from=evil.de", "none"),
    (OTHER, FROM, f"{X}{OK}; {BAD}", "fail"),
    (OTHER, FROM, f"{X}{OK}; dmarc=none header.from=kunde.de", "none"),
    (OTHER, TWO, f"{X}{OK}", "none"),
    (OTHER, TWO, f"{X}dmarc=pass", "none"),
    (OTHER, TWO, f"{X}dmarc=fail", "fail"),
    (OTHER, GROUP, f"{X}{OK}", "none"),
    (OTHER, EMPTY_GROUP, f"{X}dmarc=pass", "none"),
    (OTHER, "From: not an address", f"{X}dmarc=pass", "none"),
    (OTHER, 'From: "max@kunde.de" <eve@evil.de>', f"{X}{OK}", "none"),
    (OTHER, "Subject: no From", f"{X}dmarc=pass", "none"),
    # comments, quotes and broken syntax say nothing
    (OTHER, FROM, f"{X}({OK})", "none"),
    (OTHER, FROM, f"AR: mx.x.de ({OK};) ; none", "none"),
    (OTHER, FROM, f"{X}dkim=fail (a (nested) ; {OK}) header.d=x", "none"),
    (OTHER, FROM, f'{X}dkim=fail reason="x; {OK}"', "none"),
    (OTHER, FROM, f'{X}dkim=fail reason="a\\"; {OK}; b"', "none"),
    (OTHER, FROM, f'{X}dkim=fail reason="; {OK}', "none"),
    (OTHER, FROM, f"{X}dkim=fail (; {OK}", "none"),
    (OTHER, FROM, f"{X}dkim=fail reason=dmarc=pass", "none"),
    (OTHER, FROM, f"{X};;;=;{OK};=", "pass"),
    (OTHER, FROM, f"AR: {OK}", "none"),
    (OTHER, FROM, f"AR: ; {OK}", "none"),
    (OTHER, FROM, "AR: mx.x.de", "none"),
    (OTHER, FROM, f"AR: mx.x.de dkim=pass {OK}", "none"),
    (OTHER, FROM, f"{X}\r\n\t{OK}", "pass"),
    # only the topmost field
    (OTHER, FROM, f"{X}{BAD}\n{X}{OK}", "fail"),
    (OTHER, FROM, f"{X}none\n{X}{BAD}", "none"),
    (OTHER, FROM, f"{X}spf=pass\n{X}{OK}", "none"),
    (OTHER, FROM, f"ARC-Authentication-Results: i=1; mx.x.de; {OK}", "none"),
    (OTHER, FROM, f"Authentication-Results-Original: mx.x.de; {OK}", "none"),
    # Gmail: by its authserv-id, above every hop that is not Google's
    (GMAIL, FROM, f"{G}{OK}", "pass"),
    (GMAIL, FROM, f"AR: mx.google.com 1; {OK}", "pass"),
    (GMAIL, FROM, f"AR: MX.Google.com; {BAD}", "fail"),
    (GMAIL, FROM, f"{INSIDE}{BY_GOOGLE}{G}{OK}", "pass"),
    (GMAIL, FROM, f"{INSIDE}{BY_GOOGLE}{BY_EVIL}{G}{OK}", "none"),
    (GMAIL, FROM, f"{BY_EVIL}{G}{BAD}", "none"),
    (GMAIL, FROM, f"{X}{OK}\n{G}{BAD}", "none"),
    (GMAIL, FROM, f"{G}{BAD}\n{X}{OK}", "fail"),
    (GMAIL, FROM, f"AR: mx.notgoogle.com; {OK}", "none"),
    (GMAIL, FROM, f"AR: mx.google.com.evil.de; {OK}", "none"),
    (GMAIL, FROM, f"AR: (mx.google.com) evil.de; {OK}", "none"),
    # Microsoft: no authserv-id, and a verdict of its own
    (M365, FROM, f"AR: spf=pass; dkim=pass; {OK};compauth=pass reason=100", "pass"),
    (M365, FROM, f"AR: spf=fail; {BAD};compauth=fail reason=000", "fail"),
    (M365, FROM, "AR: dkim=none; dmarc=none;compauth=fail reason=001", "fail"),
    (M365, FROM, f"AR: spf=fail; {BAD};compauth=pass reason=130", "pass"),
    (M365, FROM, f"AR: spf=fail; {BAD};compauth=pass reason=703", "fail"),
    (M365, FROM, "AR: spf=pass; dmarc=bestguesspass;compauth=pass reason=109", "none"),
    (M365, FROM, "AR: dkim=none (message not signed) header.d=none;dmarc=none", "none"),
    (M365, TWO, "AR: dmarc=pass;compauth=pass reason=130", "none"),
    (M365, FROM, f"{X}{OK};compauth=pass reason=130", "none"),
    (M365, FROM, f"{BY_MICROSOFT}AR: {OK}", "pass"),
    (M365, FROM, f"{BY_MICROSOFT}{BY_EVIL}AR: {OK}", "none"),
    (YAHOO, FROM, f"AR: atlas101.mail.bf1.yahoo.com; {OK}", "pass"),
    (YAHOO, FROM, f"{X}{OK}", "none"),
]


@pytest.mark.parametrize(("host", "sender", "trace", "expected"), CASES)
def test_the_verdict_on_the_sender(host: str, sender: str, trace: str, expected: str) -> None:
    raw = f"{trace}\n{sender}\n\n".replace("AR:", "Authentication-Results:").encode()

    assert verdict(read_headers(raw).evidence, host) == expected


def test_the_table_has_the_cases_of_the_threat_model() -> None:
    assert len(CASES) >= 80


@pytest.mark.parametrize(
    ("host", "domain", "known"),
    [
        ("imap.gmail.com", "kunde.de", True),
        ("IMAP.Gmail.com.", "kunde.de", True),
        ("localhost", "gmail.com", True),
        ("imap.notgmail.com", "kunde.de", False),
        ("imap.gmail.com.evil.de", "kunde.de", False),
        ("", "", False),
    ],
)
def test_a_provider_is_known_by_the_host_else_by_the_domain(
    host: str, domain: str, known: bool
) -> None:
    assert (provider_of(host, domain) is not None) == known


def test_a_field_without_end_is_read_in_its_first_kilobytes() -> None:
    assert verdict(Evidence("mx; " + "(" * 500_000 + "; dmarc=pass", "x.de")) == "none"
