"""What all routes share: base models, path values, paging, versions."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Header, Path, Query
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictStr,
)
from pydantic_core import PydanticCustomError

from ablage import limits, tenancy
from ablage.errors import InvalidInput, PreconditionFailed
from api.clock import RFC3339

Model = TypeVar("Model", bound=BaseModel)


class Body(BaseModel):
    """A request body: unknown fields are refused, types are not coerced."""

    model_config = ConfigDict(extra="forbid")


def absent(words: str) -> Any:
    """Of a field `X | SkipJsonSchema[None]`: absent where it does not apply, and never null."""
    return Field(None, description=words, json_schema_extra=_without_default)


def _without_default(schema: dict[str, Any]) -> None:
    del schema["default"]


class Page(BaseModel, Generic[Model]):
    """A page may be short, even empty: only `next` says whether there is more."""

    items: list[Model]
    next: str | None = None

    @classmethod
    def model_parametrized_name(cls, params: tuple[type[Any], ...]) -> str:
        """As the description calls it: a page of ArchiveRow is an ArchivePage."""
        return re.sub("(View|Row)?$", "Page", params[0].__name__, count=1)


class Warning_(BaseModel):  # noqa: N801  `Warning` is a builtin
    """Something the caller should know; nothing was refused."""

    model_config = ConfigDict(title="Warning")

    code: str
    detail: str
    entity_type: str | None = None
    entity_id: str | None = None
    account: str | None = None
    address: str | None = None
    messages: int | None = Field(None, description="Messages affected; bounded at 1,000.")
    more: bool | None = Field(None, description="There are more than counted.")
    since: str | None = Field(None, description="Since when it is so.")


def _decoded(check: Callable[[str], str]) -> AfterValidator:
    """Percent-decodes once, then checks the charset, which has no `%`."""

    def decode(text: str) -> str:
        try:
            return check(unquote(text))
        except InvalidInput as error:  # so that it is told which parameter
            raise PydanticCustomError(
                "invalid_entity", "{detail}", {"detail": error.detail}
            ) from None

    return AfterValidator(decode)


def _any_text(text: str) -> str:
    return text


PathId = Annotated[
    str,
    Path(description="Letters, digits, '.', '_', '-', ':'; up to 128."),
    _decoded(tenancy.entity_id),
]
PathType = Annotated[
    str,
    Path(description="contact, customer, or any type of your own: a-z, 0-9, _ and -; up to 32."),
    _decoded(tenancy.entity_type),
]
OpaqueId = Annotated[str, Path(description="As returned by us."), _decoded(_any_text)]

Limit = Annotated[int, Query(ge=1, le=limits.PAGE, description="Items a page.")]
Cursor = Annotated[str | None, Query(description="`next` of the page before.")]


def _only_text(value: Any) -> Any:
    if not isinstance(value, str) or not RFC3339.fullmatch(value):
        raise ValueError("a time has a zone, as 2026-11-24T08:00:00Z")
    return value


FIRST, LAST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
Moment = Annotated[AwareDatetime, BeforeValidator(_only_text), Field(ge=FIRST, lt=LAST)]
"""RFC 3339 with a zone, as every time in a body is."""

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description='Only if it still has the ETag you have read, as `"3"`, or one of several; '
        '`*`: only if it is there at all; `"0"`: only if it is not there yet. Else 412.',
    ),
]
Text = Annotated[StrictStr, Field(max_length=600)]
Texts = Annotated[list[Text], Field(max_length=limits.LIST_ELEMENTS)]


@dataclass(frozen=True)
class Expected:
    """What If-Match asks for: one of `versions`, or, with None, that there is any."""

    versions: frozenset[int] | None
    pointer: str = "If-Match"

    def fits(self, standing: int) -> bool:
        return standing > 0 if self.versions is None else standing in self.versions


_ETAG = re.compile(r'\s*(?:W/)?"?(\d{1,15})"?\s*', re.ASCII)  # proxies that compress weaken ours


def expected_version(if_match: str | None) -> Expected | None:
    """None without the header. Raises InvalidInput `invalid_etag`."""
    if if_match is None:
        return None
    if if_match.strip() == "*":
        return Expected(None)
    found = [_ETAG.fullmatch(tag) for tag in if_match.split(",", 20)]
    if not all(found):
        detail = 'If-Match takes the ETag of a GET, as "3", several with commas, or *.'
        raise InvalidInput("invalid_etag", detail, "If-Match")
    return Expected(frozenset(int(tag[1]) for tag in found if tag))


def check_version(standing: int, expected: Expected | None) -> None:
    """`standing` is 0 where there is nothing yet. Raises PreconditionFailed `version_conflict`."""
    if expected is not None and not expected.fits(standing):
        now = f"version {standing} stands there" if standing else "there is none"
        detail = f"Not the version you have read: {now}. Read it again, and send its ETag."
        raise PreconditionFailed("version_conflict", detail, expected.pointer, standing)


def answer(body: Model, *, status: int = 200, version: int | None = None) -> Response[Model]:
    headers: dict[str, str | list[str]] = {} if version is None else {"ETag": f'"{version}"'}
    return Response(status, content_type="application/json", headers=headers, body=body)


def no_content(status: int = 204) -> Response[None]:
    """204; 202 for what is decided and becomes visible within minutes."""
    return Response(status)
