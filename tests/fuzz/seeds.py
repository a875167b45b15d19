"""Mails to begin from, and pieces of which odd ones are made."""

MAILS = (
    (
        b'From: Max Kunde <max@x.de>\r\nTo: a@own.de, "Own, Anna" <anna+crm@own.de>\r\n'
        b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= =?iso-8859-1?B?+Pw=?=\r\nMessage-ID: <m1@x.de>\r\n"
        b"References: <a@x.de>\r\n <b@x.de>\r\nDate: Fri, 20 Nov 2026 10:00:00 +0100 (CET)\r\n"
        b"Received: from a (b [10.0.0.1]) by c; Fri, 20 Nov 2026 10:00:01 +0100\r\n"
        b"Authentication-Results: mx.own.de; dkim=pass header.d=x.de; spf=pass\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/html; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\nPGI+SGVsbG88L2I+\r\n--b\r\n"
        b"Content-Disposition: attachment; filename*=utf-8''b.pdf\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=25PDF=\r\n--b--\r\n"
    ),
    (
        b"From list@x.de Fri Nov 20 10:00:00 2026\nSender: <<max@x.de>>\n"
        b"To: Friends: a@x.de, Bo (at home) <@r.de:bo@x.de>;, undisclosed-recipients:;\n"
        b"Subject: \x1b$B$3$s\x1b(B\nDate: 2026-11-20T10:00:00Z\nReply-To: max@[10.0.0.1]\n"
        b"no field\n\nbegin 644 a.txt\n#86)C\n`\nend\n"
    ),
    (
        b"From: mailer-daemon@x.de\nContent-Type: multipart/report; report-type=delivery-status;\n"
        b' boundary="=_r"\nIn-Reply-To: <m1@x.de>\n\n--=_r\n\nIt failed.\n'
        b"--=_r\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x.de\n\n"
        b"Final-Recipient: rfc822; bo@x.de\nAction: failed\nStatus: 5.1.1\n\n"
        b"--=_r\nContent-Type: message/rfc822\n\nMessage-ID: <m0@own.de>\nFrom: me@own.de\n\nHi\n"
        b"--=_r--\n"
    ),
)
PIECES = (
    *(bytes([c]) for c in b"\n\r \t\x00\x0b\x1b\xa0\xff<>\"()\\,;:@[]=?'.*"),
    *(b"\r\n", b"\n ", b"\n\n", b"\r\r\n", b"\xc3\xa4", b"\xe2\x80\xa8", b"\xf0\x9f\x98\x80"),
    *(b"From: ", b"To: ", b"Cc:", b"Subject: ", b"Date: ", b"Received: x; ", b"Message-ID: "),
    *(b"a@x.de", b"Max <max@x.de>", b'"Doe, Jane" <jane@x.de>', b"mailto:", b"x:;", b"@a,@b:"),
    *(b"=?utf-8?q?a_<x@y.de>?=", b"=?utf-8*en?b?w6Q=?=", b"=?gb2312?q?=a0?=", b"=?a?q?", b"?="),
    *(b"Fri, 20 Nov 2026 10:00:00 +0000", b"31 Feb 2026 24:00:61 -9960", b"(UTC)", b"1-Jan-99"),
    *(b"Content-Type: multipart/mixed; boundary=b\n\n", b"--b\n", b"--b--", b"boundary="),
    *(b"Content-Type: message/rfc822\n\n", b"Content-Type: text/html; charset=utf-7\n\n"),
    *(b"Content-Transfer-Encoding: base64\n\n", b"Content-Disposition: attachment; filename="),
)
