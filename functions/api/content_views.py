"""What a mail says: its text and parts, read from the stored bytes when somebody asks."""

from pydantic import BaseModel, Field

from ablage.errors import Gone
from ablage.limits import BODY_BYTES, TEXT_SHOWN_BYTES
from ablage.mail import Mail, read_mail
from ablage.messages import Message
from ablage.snippets import strip_html
from ablage.store.contents import read_content, require_body
from ablage.store.rows import cut
from ablage.store.storage import Storage

_UNREAD = frozenset({"body_too_large", "body_unreadable"})  # shown by the header alone


class AttachmentView(BaseModel):
    number: int = Field(description="As in .../attachments/{number}; counts from 1.")
    name: str = Field(description="Without folders and control characters; may be empty.")
    content_type: str
    size: int = Field(description="Bytes, decoded.")
    sha256: str


class ContentView(BaseModel):
    """All null where the bytes were not read: `problems` says why."""

    text: str | None = Field(
        None, description="At most 64 KB; of the HTML, without its markup, where there is no text."
    )
    text_truncated: bool | None = None
    has_html: bool | None = None
    attachments: list[AttachmentView] | None = None
    form: str | None = Field(
        None,
        description="plain, smime_signed, smime_encrypted, pgp_signed, pgp_encrypted, "
        "delivery_report, read_receipt or tnef. Nothing is decrypted or unpacked.",
    )
    problems: list[str] = Field(
        [],
        description="Stable codes: what was odd about the mail, or why it is not shown: "
        "`body_not_stored` (open it in its mailbox), `body_too_large` (see /raw), `raw_expired` "
        "(sync its folder again), `content_hidden`.",
    )


def content_view(storage: Storage, message: Message) -> ContentView:
    """A mail that has expired, whose body could not be had, or that is too large to be taken apart
    is shown by its facts alone."""
    if message.facts.size > BODY_BYTES:
        return ContentView(problems=["body_too_large"])
    try:
        require_body(message)
        mail = read_mail(read_content(storage, message))
    except Gone as error:
        return ContentView(problems=[error.code])
    return view_of(mail)


def _readable(html: str) -> str:
    """An HTML mail as plain lines."""
    lines = (" ".join(line.split()) for line in strip_html(html, 2 * TEXT_SHOWN_BYTES).split("\n"))
    return "\n".join(line for line in lines if line)


def view_of(mail: Mail) -> ContentView:
    if not _UNREAD.isdisjoint(mail.problems):
        return ContentView(problems=list(mail.problems))
    text = mail.text if mail.text.strip() else _readable(mail.html)
    shown = cut(text, TEXT_SHOWN_BYTES)
    return ContentView(
        text=shown,
        text_truncated=shown != text or "text_limited" in mail.problems,
        has_html=bool(mail.html.strip()),
        attachments=[
            AttachmentView(
                number=a.number,
                name=a.name,
                content_type=a.content_type,
                size=a.size,
                sha256=a.sha256,
            )
            for a in mail.attachments
        ],
        form=mail.form,
        problems=list(mail.problems),
    )
