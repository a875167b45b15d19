"""What all routes share: base models, path values, paging, versions."""

from collections.abc import Callable
from typing import Annotated, Generic, TypeVar
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Header, Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictStr

from ablage import limits, tenancy
from ablage.errors import InvalidInput, PreconditionFailed

Model = TypeVar("Model", bound=BaseModel)


class Body(BaseModel):
    """A request body: unknown fields are refused, types are not coerced."""

    model_config = ConfigDict(extra="forbid")


class Page(BaseModel, Generic[Model]):
    """A page may be short, even empty: only `next` says whether there is more."""

    items: list[Model]
    next: str | None = None


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
    return AfterValidator(lambda text: check(unquote(text)))


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
IfMatch = Annotated[
    str | None, Header(alias="If-Match", description='The ETag you have read, as `"3"`.')
]
Text = Annotated[StrictStr, Field(max_length=600)]
Texts = Annotated[list[Text], Field(max_length=limits.LIST_ELEMENTS)]


def expected_version(if_match: str | None) -> int | None:
    """The version an ETag names; None without one, and for `*`. Raises InvalidInput."""
    if if_match is None or if_match.strip() == "*":
        return None
    text = if_match.strip().removeprefix("W/").strip('"')
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise InvalidInput("invalid_etag", "If-Match takes the ETag of a GET.", "If-Match")
    return int(text)


def check_version(standing: int, expected: int | None) -> None:
    """`standing` is 0 where there is nothing yet. Raises PreconditionFailed `version_conflict`."""
    if expected is not None and expected != standing:
        detail = "Somebody else changed it meanwhile; read it again."
        raise PreconditionFailed("version_conflict", detail)


def answer(body: Model, *, status: int = 200, version: int | None = None) -> Response[Model]:
    headers: dict[str, str | list[str]] = {} if version is None else {"ETag": f'"{version}"'}
    return Response(status, content_type="application/json", headers=headers, body=body)


def no_content(status: int = 204) -> Response[None]:
    """204; 202 for what is decided and becomes visible within minutes."""
    return Response(status)
