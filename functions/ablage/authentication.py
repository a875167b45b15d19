"""What the receiving provider said about the sender (RFC 8601)."""

import re

from ablage.address_lists import strip_comments

_RESULT = re.compile(r"\s*(dmarc|spf|dkim)\s*(?:/\s*\d+\s*)?=\s*([a-z]+)")
_LONGEST = 8192


def verdict(results: str) -> str:
    """`fail`, `pass` or `none` of one Authentication-Results field: by DMARC, and `fail` where SPF
    and DKIM both fail. The caller takes the topmost field, as lower ones may be forged.
    """
    found: dict[str, set[str]] = {}
    for part in strip_comments(results[:_LONGEST]).lower().split(";"):
        result = _RESULT.match(part)
        if result:
            found.setdefault(result[1], set()).add(result[2])
    dmarc, spf, dkim = (found.get(method, set()) for method in ("dmarc", "spf", "dkim"))
    if "fail" in dmarc or ("fail" in spf and "fail" in dkim and not _passes(dmarc, spf, dkim)):
        return "fail"
    return "pass" if "pass" in dmarc else "none"


def _passes(*results: set[str]) -> bool:
    return any("pass" in result for result in results)
