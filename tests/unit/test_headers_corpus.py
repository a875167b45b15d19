"""What we read of the corpus, against what three independent parsers agree on."""

import json
from typing import Any

from tests.support.corpus import (
    corpus_files,
    expected_values,
    majority_values,
    needs_corpus,
    read_corpus,
)

from ablage.header_report import report

pytestmark = needs_corpus

# Agreed, and wrong by the raw bytes: file, field -> why.
_ORACLES_ARE_WRONG = {
    ("stalwart-mail-parser/malformed/017.eml", "attachments"): (
        "the boundary stands behind `multipart/mixed` without a semicolon; the part is an image"
    ),
}
# Disputed, and we read otherwise than two of the three: file, field -> why.
_MAJORITY_NOT_TAKEN = {
    ("cpython/msg_30.txt.eml", "text_nonempty"): (
        "parts of a multipart/digest are message/rfc822 unless they say so (RFC 2046 5.1.5)"
    ),
    ("stalwart-mail-parser/thirdparty/007.eml", "text_nonempty"): "the same",
    ("flanker/spam/broken-headers.eml", "subject"): "byte 0x85 is an ellipsis in Windows-1252",
    ("imap_tools/plain_emails/raw_email8.eml", "attachments"): (
        "a name whose bytes are not of its charset: unlike replacements for the same bytes"
    ),
    ("ruby-mail/attachment_emails/attachment_with_encoded_name.eml", "attachments"): "the same",
    ("mimekit/messages/delivery-status-no-blank-line.txt.eml", "text_nonempty"): (
        "the parts begin without the blank line that would end their header: all is header"
    ),
    ("mimekit/messages/missing-subtype.txt.eml", "attachments"): "a part with a name is a file",
    ("ruby-mail/plain_emails/mix_caps_content_type.eml", "from"): (
        "`Big Bug bb@bug.com`: the brackets are missing, but only one address is there"
    ),
    ("ruby-mail/plain_emails/raw_email_multiple_from.eml", "from"): (
        "two addresses without a comma: naming one of them would be a guess, so both are named"
    ),
    ("ruby-mail/plain_emails/raw_email_multiple_from.eml", "to"): "the same",
    ("ruby-mail/plain_emails/raw_email_multiple_from.eml", "reply_to"): "the same",
}


def _comparable(field: str, value: Any, against: Any) -> Any:
    """Attachments are compared without sizes where the parsers disagree on a size."""
    if field != "attachments":
        return value
    sized = all("size" in attachment for attachment in against)
    kept = ("content_type", "filename", "size") if sized else ("content_type", "filename")
    return sorted(json.dumps([attachment[key] for key in kept]) for attachment in value)


def _differences(values: dict[str, dict[str, Any]]) -> dict[tuple[str, str], tuple[Any, Any]]:
    found = {}
    for name, fields in values.items():
        ours = report(read_corpus(name))
        for field, value in fields.items():
            if field not in ours:
                continue
            got = _comparable(field, ours[field], value)
            wanted = _comparable(field, value, value)
            if got != wanted:
                found[name, field] = (got, wanted)
    return found


def test_every_agreed_field_is_right_or_the_bytes_say_otherwise() -> None:
    assert _differences(expected_values()).keys() == _ORACLES_ARE_WRONG.keys()


def test_of_disputed_fields_the_majority_is_read_or_there_is_a_reason() -> None:
    assert _differences(majority_values()).keys() == _MAJORITY_NOT_TAKEN.keys()


def test_every_mail_of_the_corpus_is_read_without_giving_up() -> None:
    unread = {"body_unreadable", "body_too_large", "header_limited"}

    given_up = [
        name
        for name in corpus_files()
        if not unread.isdisjoint(report(read_corpus(name))["problems"])
    ]

    assert given_up == []
    assert len(corpus_files()) >= 380
