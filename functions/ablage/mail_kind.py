"""What kind of mail it is, by header and parts: decides whether it is filed at all."""

from ablage.address_lists import strip_comments
from ablage.headers import Headers
from ablage.mail_body import MailBody
from ablage.mime_fields import read_content_type

_BULK_PRECEDENCE = ("bulk", "list", "junk")
_REPLIES = ("reply", "counter", "refresh", "declinecounter")
_DAEMONS = ("mailer-daemon", "maildaemon", "mail-daemon", "postmaster", "mdaemon")


def mail_kind(headers: Headers, body: MailBody) -> str:
    """normal, bulk, invitation, auto_reply, bounce, receipt, invitation_reply or draft.

    The first that holds of: draft, bounce, receipt, invitation_reply, invitation, auto_reply, bulk.
    A draft is also known by its flag or folder, which are not in the bytes.
    """
    checks = (
        ("draft", headers.get("x-unsent") == "1"),
        ("bounce", _is_bounce(headers, body)),
        ("receipt", _is_report(headers, body, "disposition-notification")),
        ("invitation_reply", body.calendar_method in _REPLIES),
        ("invitation", body.calendar_method != ""),
        ("auto_reply", _is_auto_reply(headers)),
        ("bulk", _is_bulk(headers)),
    )
    return next((kind for kind, holds in checks if holds), "normal")


def _is_bounce(headers: Headers, body: MailBody) -> bool:
    reported = _is_report(headers, body, "delivery-status")
    return reported or (_null_return_path(headers) and _from_daemon(headers))


def _is_report(headers: Headers, body: MailBody, kind: str) -> bool:
    """RFC 6522: by the type of the mail, or of one of its parts."""
    whole = read_content_type(headers.get("content-type") or "")
    if whole.value == "multipart/report":
        return whole.parameters.get("report-type", kind).lower() == kind and (
            "report-type" in whole.parameters or f"message/{kind}" in body.part_types
        )
    return f"message/{kind}" in body.part_types


def _null_return_path(headers: Headers) -> bool:
    return (headers.get("return-path") or "").replace(" ", "") == "<>"


def _from_daemon(headers: Headers) -> bool:
    """From a mail system, or from nobody."""
    locals_ = (box.address.exact.partition("@")[0] for box in headers.from_ if box.address)
    return all(local.startswith(_DAEMONS) for local in locals_)


def _is_auto_reply(headers: Headers) -> bool:
    """RFC 3834 5: any Auto-Submitted but `no`; or an answer that wants none itself."""
    submitted = strip_comments(headers.get("auto-submitted") or "").partition(";")[0]
    return submitted.strip().lower() not in ("", "no") or _null_return_path(headers)


def _is_bulk(headers: Headers) -> bool:
    precedence = (headers.get("precedence") or "").strip().lower()
    listed = any(name in headers.fields for name in ("list-id", "list-unsubscribe"))
    return listed or precedence in _BULK_PRECEDENCE
