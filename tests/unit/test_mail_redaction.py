"""What of a mail's header names the mailbox it was taken from, and goes."""

import email

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ablage.mail_redaction import MAILBOX_FIELDS, without_mailbox_fields


def test_fields_that_name_a_mailbox_go_with_their_folds_and_nothing_else() -> None:
    raw = (
        b"Received: from x by y\r\n for <boss@own.de>; today\r\nFrom: a@x.de\r\nBcc: s@k.de,\r\n"
        b"\tt@k.de\r\nSubject: Hi\r\n there\r\nDelivered-To: boss@own.de\r\n\r\nBcc: in a body\r\n"
    )

    found = without_mailbox_fields(raw)

    assert found == b"From: a@x.de\r\nSubject: Hi\r\n there\r\n\r\nBcc: in a body\r\n"


@pytest.mark.parametrize(
    "line",
    [
        b"BCC: s@k.de\r\n",
        b"Bcc : s@k.de\n",
        b"bcc:s@k.de\r\r\n",
        b"no field at all\r\nBcc: s@k.de\r\n",
        b"X: 1\rBcc: s@k.de\r\n",
        b"Bcc:\r\n s@k.de\r\n\t\r\n",
        b"X: 1\n\rBcc: s@k.de\n",
    ],
)
def test_odd_lines_hide_no_bcc(line: bytes) -> None:
    raw = b"From: a@x.de\r\n" + line + b"Subject: Hi\r\n\r\nHello\r\n"

    found = without_mailbox_fields(raw)

    assert b"s@k.de" not in found
    assert b"Subject: Hi" in found
    assert found.endswith(b"Hello\r\n")


@given(st.binary(max_size=300))
def test_what_it_leaves_is_a_part_of_the_mail_in_order(raw: bytes) -> None:
    found = without_mailbox_fields(raw)

    rest = iter(raw)
    assert all(byte in rest for byte in found)


@given(
    st.lists(
        st.sampled_from(
            [b"Bcc: s\n", b"A: b\r\n", b" fold\n", b"\r", b"x", b"\n", b"Received: q\r"]
        )
    )
)
@example([b"x", b"Received: q\r", b"Bcc: s\n", b"\n", b"Bcc: s\n"])
def test_no_other_reader_finds_a_field_that_went(pieces: list[bytes]) -> None:
    found = without_mailbox_fields(b"From: a\r\n" + b"".join(pieces))

    head = email.message_from_bytes(found)
    assert not {name.lower().encode() for name in head} & MAILBOX_FIELDS
