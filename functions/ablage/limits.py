"""Every limit of the house, in one place. Bytes, seconds or counts, as the name says."""

MESSAGE_BYTES = 150 * 1024 * 1024  # the largest mail we store
SINGLE_PUT_BYTES = 8 * 1024 * 1024  # above it a raw mail is streamed as a multipart upload
HEADER_BYTES = 512 * 1024  # how much of the header block is read
BODY_BYTES = 50 * 1024 * 1024  # the largest mail whose body is parsed
ADDRESSES_PER_CONTACT = 50
CUSTOMERS_PER_CONTACT = 50
FILINGS_IN_ITEM = 64  # more spill to PART items
FILINGS_PER_MESSAGE = 2000  # beyond, the message is flagged fan_out_limited
UNMATCHED_RECIPIENTS = 20
PAGE = 100  # items of one list answer
RECIPIENTS_LOOKED_AT = 1000  # To + Cc + Bcc of one mail
MAILBOXES = 10_000  # read of one address field
BODY_LINES = 2_000_000  # a mail of more lines is read by its headers only
PARTS = 1000  # leaf parts of one mail
NESTING = 50  # levels of multipart; what lies deeper is one opaque part
PART_HEADER_BYTES = 64 * 1024  # read of the header of one part
TEXT_BYTES = 2 * 1024 * 1024  # decoded text, and HTML, that is kept of one mail
SNIPPET_BYTES = 160
REQUEST_BYTES = 64 * 1024  # the largest body the API reads
NAME_CHARACTERS = 200  # of a contact or customer
LIST_ELEMENTS = 50  # aliases, viewers, folders, own domains: of one list a caller sets
MESSAGES_COUNTED = 1000  # how far a warning counts the messages it affects
TEXT_SHOWN_BYTES = 64 * 1024  # of a mail's text in an answer
EXPLAIN_BYTES = 1024 * 1024  # of a mail that is explained and not stored
TRACED_ROWS = 2000  # of the overviews, read to find one Message-ID
TRACED_MESSAGES = 10  # of one Message-ID, in one answer
