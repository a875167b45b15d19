"""Every code an error of the API or of a job has: what it means and what to do, in one table.

A test holds it to what is raised anywhere in the house; docs/openapi.json is made from it."""

from dataclasses import dataclass

WAIT = 1  # seconds, after somebody else was faster


@dataclass(frozen=True)
class Meaning:
    """`statuses` are of HTTP, none for a code that only jobs have; `retry_after` the seconds after
    which the same request may succeed, where nothing more precise is known."""

    code: str
    statuses: tuple[int, ...]
    meaning: str
    action: str
    retry_after: int | None = None


def _row(code: str, status: int, meaning: str, action: str, wait: int | None = None) -> Meaning:
    return Meaning(code, (status,) if status else (), meaning, action, wait)


TABLE = (
    # ---- the request itself
    _row("invalid_cursor", 400, "The cursor is not of this list.", "Send `next`, or no cursor."),
    _row("cursor_expired", 410, "The feed goes back 30 days.", "Read anew, from `after=now` on."),
    _row("unknown_event_type", 422, "There is no such type of event.", "Name types of the list."),
    _row("malformed_json", 400, "The body is no JSON object in UTF-8.", "Send one."),
    _row("unauthorized", 401, "No valid token came along.", "Send Authorization: Bearer <token>."),
    _row("insufficient_scope", 403, "The token lacks a scope.", "Ask for one with that scope."),
    _row(
        "no_tenant", 403, "The token names no tenant.", "Mend the claim at your identity provider."
    ),
    _row("content_hidden", 403, "The mailbox shows you its headers only.", "Ask its owner."),
    _row("unknown_route", 404, "There is no such path.", "See the paths here; no trailing slash."),
    _row("not_found", 404, "There is no such thing in this tenant.", "Check the id; see errors."),
    _row("method_not_allowed", 405, "The path does not take this method.", "See the header Allow."),
    Meaning(
        "body_too_large",
        (410, 413),
        "413: the body is too long. 410: the mail is too large to be taken apart.",
        "413: send less. 410: read the mail's /raw.",
    ),
    _row("unsupported_media_type", 415, "The body is not JSON in UTF-8.", "Send application/json."),
    _row("invalid_request", 422, "Fields or parameters do not fit.", "Change what errors name."),
    _row("unknown_field", 422, "The route takes no body.", "Leave the body out."),
    _row("unknown_parameter", 422, "The route has no such query parameter.", "Leave it out."),
    _row("invalid_etag", 422, "If-Match holds no ETag of ours.", "Send the ETag of a GET."),
    _row("invalid_idempotency_key", 422, "The key has odd characters.", "See Idempotency-Key."),
    _row("idempotency_key_reused", 422, "The key came with another request.", "Choose a new key."),
    _row("request_in_progress", 409, "The first one with this key runs.", "Wait, repeat.", 2),
    _row("too_many_requests", 429, "More requests than are allowed.", "Wait as Retry-After says."),
    _row("internal", 500, "Something failed on our side.", "Repeat; report the request id."),
    _row("unavailable", 503, "AWS is slow or throttles us.", "Repeat as Retry-After says.", 5),
    # ---- several resources
    _row("busy", 409, "Others keep changing the same thing.", "Repeat the request.", WAIT),
    Meaning(
        "version_conflict",
        (409, 412),
        "Somebody changed it after you read it.",
        "Read it again, change that, and send the new ETag.",
    ),
    _row("quota_exceeded", 409, "The tenant has as many as it may.", "Remove some."),
    _row("merged", 410, "The contact was merged into another.", "Use the id in merged_into."),
    _row("invalid_entity", 422, "An id or type has odd characters.", "Use a-z, 0-9, . _ - :"),
    _row("invalid_address", 422, "This is no e-mail address.", "Send it bare: name@example.com."),
    _row("invalid_domain", 422, "This is no domain.", "Send it bare: example.com."),
    _row("invalid_date", 422, "This is no time with a zone.", "Send 2026-11-20T10:00:00Z."),
    _row("invalid_period", 422, "The days are too many or reversed.", "Ask for at most 366."),
    _row("invalid_window", 422, "The window ends before it begins.", "Swap since and until."),
    _row("empty_window", 422, "The window ends before it begins.", "Swap since and until."),
    _row("missing_field", 422, "This kind of request needs the field.", "Send it."),
    _row("too_many_addresses", 422, "More addresses than one may carry.", "Send fewer."),
    _row("too_many_customers", 422, "More customers than one may have.", "Send fewer."),
    _row("free_mail_domain", 422, "Strangers have mailboxes there.", "List addresses one by one."),
    _row("public_suffix", 422, "Everybody's domains end so.", "Name the domain itself."),
    # ---- records
    _row("invalid_item", 422, "An item is no JSON object.", "Send one."),
    _row("invalid_source_version", 422, "Neither a number nor a time.", "Send 17, or a time in Z."),
    _row(
        "invalid_url", 422, "This is no link of http or https.", "Send it whole, without a login."
    ),
    _row("its_own_parent", 422, "The record names itself.", "Leave it out."),
    _row("other_type", 422, "The item is of another type.", "Send it to its own route."),
    _row("too_many_parents", 422, "More parents than one may have.", "Send fewer."),
    _row("unknown_here", 422, "The field has no meaning here.", "Leave it out."),
    _row("not_uploaded", 409, "The import's file is not there.", "PUT it to the link first."),
    _row("not_done", 503, "There was no time for this item.", "Send it again.", WAIT),
    # ---- accounts
    _row("account_exists", 409, "Another mailbox has this id.", "Choose another id."),
    _row("host_needed", 422, "The address's provider is not known.", "Send host."),
    _row("invalid_host", 422, "The host is no name.", "Send a name as imap.example.com."),
    _row("password_needed", 422, "A password belongs to this request.", "Send it along."),
    _row("oauth_needed", 422, "The provider refuses passwords.", "POST /v1/oauth/authorizations."),
    _row("no_imap", 422, "The provider has no IMAP.", "Nothing helps; see detail."),
    _row("connected_by_oauth", 422, "The mailbox has no password.", "Begin a reauthorization."),
    _row("app_access_only", 422, "The application alone signs in.", "Leave host and password out."),
    _row("directory_needed", 422, "The client has no directory.", "Register it with directory."),
    _row("since_in_future", 422, "sync_since lies in the future.", "Send a past moment."),
    _row("too_many_folders", 422, "More folders with a mode than allowed.", "Use sync_folders."),
    _row("unknown_folder", 422, "The mailbox has no such folder.", "See /folders for its ids."),
    _row("folder_never_synced", 422, "The folder's mode is never.", "Change the mode first."),
    # ---- webhooks
    _row(
        "invalid_webhook_url",
        422,
        "No webhook goes there.",
        "An https URL of a public host name, port 443, without login and fragment.",
    ),
    _row("webhook_not_found", 404, "There is no such webhook here.", "List them for the ids."),
    _row("delivery_not_found", 404, "The webhook has no such delivery.", "They last 30 days."),
    _row("since_or_deliveries", 422, "Neither or both of two fields came.", "Send exactly one."),
    _row("invalid_since", 422, "No moment of the last 30 days.", "Read what is older anew."),
    # ---- OAuth
    _row("client_missing", 422, "No OAuth client is registered.", "PUT /v1/oauth/clients/..."),
    _row("account_needed", 422, "Neither or both of two fields came.", "Send exactly one."),
    _row("redirect_uri_not_allowed", 422, "The client lacks this URI.", "Register it first."),
    _row("authorization_denied", 422, "The provider sent no code.", "Let the person try again."),
    _row("invalid_state", 422, "The state is unknown, used or old.", "Begin again."),
    _row("wrong_issuer", 422, "Another provider answered.", "Begin again; refuse that answer."),
    # ---- messages
    _row(
        "body_not_stored",
        410,
        "Of this mail there is the header alone: its server does not hand out the rest.",
        "Open it in its mailbox; the rest is tried again once a week.",
    ),
    _row("raw_expired", 410, "The mail's bytes are no longer kept.", "Sync its folder again."),
    _row("not_filed", 422, "The message is not filed there.", "File it first, or leave it out."),
    _row("not_held", 409, "The message was never held for review.", "See /v1/review."),
    _row("message_or_headers", 422, "Neither or both of two fields came.", "Send exactly one."),
    _row("message_too_large", 413, "The mail is too long for this.", "Send its header alone."),
    _row("not_a_mail", 422, "The text is no mail.", "Send an .eml file, or that in base64."),
    _row("external_id_taken", 409, "Another mail has this external_id.", "Choose another one."),
    _row("one_id_needed", 422, "Neither or both of two parameters came.", "Send exactly one."),
    _row("variant_only", 403, "You see other content than what is filed.", "Ask who sees it."),
    # ---- blocklist
    _row("invalid_entry", 422, "Neither an address nor a domain.", "See detail."),
    _row("wildcard_inside", 422, "A wildcard stands inside.", "A domain covers its subdomains."),
    # ---- batches, jobs
    _row("job_not_found", 404, "There is no such job, or it expired.", "They last 30 days."),
    _row("not_undoable", 409, "An undoing or a merge stays.", "Do the opposite by hand."),
    _row("undo_expired", 410, "A batch can be undone for 7 days.", "Do the opposite by hand."),
    _row("filing_off", 409, "The account files nothing.", "Switch automatic_filing on first."),
    _row("not_blocked", 409, "The entry is not on the blocklist.", "Put it there first."),
    _row("merged_into_itself", 422, "Both contacts are the same.", "Name another in `into`."),
    _row("not_its_address", 422, "The contact lacks this address.", "Name one it carries."),
    _row("backfill_off", 422, "The policy has backfill_days 0.", "Send days."),
    # ---- of jobs alone: `code` of GET /v1/jobs/{job}, beside those of an account's status
    _row("line_too_long", 0, "A line of the file is too long.", "Shorten it."),
    _row("export_too_large", 0, "The archive is over 150 GB.", "Ask for less by since and until."),
    _row("upload_changed", 0, "The file changed while it was read.", "Import it again."),
    _row("dns_unavailable", 0, "DNS does not answer for the domain.", "Discover it again later."),
    _row("not_revoked", 0, "The provider did not end the access.", "End it there by hand."),
    _row("account_not_found", 0, "The account was removed meanwhile.", "Nothing is left to do."),
    _row("folder_not_found", 0, "The mailbox lost a folder.", "List the folders again."),
    _row("raw_missing", 0, "A mail expired before it was looked at.", "Sync its folder again."),
)

BY_CODE = {row.code: row for row in TABLE}


def retry_after(code: str) -> int | None:
    row = BY_CODE.get(code)
    return row.retry_after if row else None
