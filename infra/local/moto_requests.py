"""moto's way from a request to its method, without what JSON has no use for: it makes a form, a
query and a WSGI environment of each request, and looks for each member of an answer by five names.
"""

import base64
import functools
import time
from typing import Any
from urllib.parse import urlparse

from botocore import parsers as botocore_parsers
from botocore import utils as botocore_utils
from infra.local.moto_tables import put
from moto import backend_index
from moto.core.base_backend import BackendDict
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.parse import BaseJSONParser
from moto.core.serialize import BaseJSONSerializer, ResponseSerializer, XFormedAttributePicker
from moto.dynamodb.responses import DynamoHandler
from moto.iam.models import get_account_id_from
from moto.kms.responses import KmsResponse
from moto.sqs.responses import SQSResponse
from moto.utilities.aws_headers import gen_amzn_requestid_long
from moto.utilities.utils import get_partition
from werkzeug.exceptions import HTTPException
from werkzeug.http import http_date

SPEAK_JSON = {"dynamodb": DynamoHandler, "sqs": SQSResponse, "kms": KmsResponse}
TARGET = "X-Amz-Target"  # names the operation where JSON is spoken


def speed_up_requests() -> None:
    _speed_up_json()
    _speed_up_attribute_values()
    _speed_up_names()
    _speed_up_listings()
    parse_time = botocore_utils._parse_timestamp_with_tzinfo  # of both ends of an S3 answer
    put(botocore_utils, "_parse_timestamp_with_tzinfo", functools.lru_cache(4096)(parse_time))


# ---- requests ------------------------------------------------------------------------------------


class Headers(dict[str, str]):
    """Of a request, by names in any case."""

    def __init__(self, sent: Any) -> None:
        for name, value in sent.items():
            self[name.lower()] = value.decode() if isinstance(value, bytes) else value

    def __contains__(self, name: object) -> bool:
        return super().__contains__(str(name).lower())

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)


class JsonRequest:
    """What moto asks of a request whose body is JSON."""

    def __init__(self, request: Any) -> None:
        self.method, self.url, self.data = request.method, request.url, request.body
        self.headers = Headers(request.headers)
        self.content_type = self.headers["Content-Type"]
        self.path = urlparse(self.url).path
        self.values: dict[str, str] = {}


def _speed_up_json() -> None:
    process = BotocoreStubber.process_request

    def processed(self: Any, request: Any) -> Any:
        kind = TARGET in request.headers and _kind(request.url)
        if not kind:
            return process(self, request)
        method = kind()
        try:
            _set_up(method, JsonRequest(request))
            return method.call_action()
        except HTTPException as refused:
            return refused.code, refused.get_headers(), refused.get_body()

    put(BotocoreStubber, "process_request", processed)
    for kind in SPEAK_JSON.values():
        put(kind, "_enrich_response", staticmethod(_with_id))
    made = BackendDict.__getitem__

    def backend(self: Any, account: str) -> Any:
        return dict.get(self, account) or made(self, account)

    put(BackendDict, "__getitem__", backend)


def _with_id(headers: dict[str, str], body: Any) -> tuple[dict[str, str], Any]:
    """XML has the request's id in its body too."""
    if "status" in headers:
        headers["status"] = str(headers["status"])
    gen_amzn_requestid_long(headers)
    return headers, body


@functools.lru_cache(1024)
def _kind(url: str) -> type[Any] | None:
    """What answers at an address."""
    found = (name for name, pattern in backend_index.backend_url_patterns if pattern.match(url))
    return SPEAK_JSON.get(next(found, ""))


def _set_up(method: Any, request: JsonRequest) -> None:
    """As `BaseResponse.setup_class`."""
    method.normalized_request, method.headers = request, request.headers
    method.method, method.uri, method.raw_body = request.method, request.url, request.data
    method.body = request.data.decode()
    method.parsed_url = urlparse(request.url)
    method.path = method.raw_path = request.path
    method.form_data, method.querystring, method.uri_match = {}, {}, {}
    method.data = method.querystring
    method.region = method.get_region_from_url(request, request.url)
    method.partition = _partition(method.region)
    method.is_werkzeug_request = False
    method.response_headers = {"server": "amazon.com", "date": _date(int(time.time()))}
    if method.automated_parameter_parsing:
        method.parse_parameters(request)
    method.access_key = method.get_access_key()
    method.current_account = get_account_id_from(method.access_key)


_partition = functools.cache(get_partition)
_date = functools.lru_cache(8)(http_date)


# ---- answers -------------------------------------------------------------------------------------


def _speed_up_names() -> None:
    """The names a member may have in moto's own objects follow from their kind and its place."""
    possible = XFormedAttributePicker.get_possible_keys
    kept: dict[Any, tuple[str, ...]] = {}

    def names(self: Any, context: Any) -> Any:
        if hasattr(context.obj, "Meta") or context.shape is None:
            return possible(self, context)
        shape, parent = context.shape, getattr(context.shape, "parent", None)
        serialized = shape.serialization.get("name")
        place = (context.service_model, parent and parent.name, shape.name, shape.type_name)
        key = (type(context.obj).__name__, context.key, serialized, *place)
        if key not in kept:
            kept[key] = tuple(possible(self, context))
        return kept[key]

    put(XFormedAttributePicker, "get_possible_keys", names)


def _speed_up_listings() -> None:
    """What S3's listings tell of an object is a dict already."""
    write = ResponseSerializer._serialize_type_structure

    def serialized(self: Any, into: Any, value: Any, shape: Any, key: str) -> None:
        if shape.name != "Object" or not _is_plain(value, shape):
            write(self, into, value, shape, key)
        else:
            _write_members(self, into, value, shape, key)

    put(ResponseSerializer, "_serialize_type_structure", serialized)


def _is_plain(value: Any, shape: Any) -> bool:
    """Whether each member is there by its own name, and nothing else is."""
    return type(value) is dict and value.keys() <= shape.members.keys()


def _write_members(serializer: Any, into: Any, value: Any, shape: Any, key: str) -> None:
    wrapper = {} if key else into
    for name, member in value.items():
        if member is not None:
            serializer._serialize(wrapper, member, shape.members[name], name)
    if key:
        serializer._default_serialize(into, wrapper, shape, key)


# ---- DynamoDB's values ---------------------------------------------------------------------------


def _speed_up_attribute_values() -> None:
    read: Any = BaseJSONParser._parse_structure
    write = BaseJSONSerializer._serialize_type_structure

    def parsed(self: Any, shape: Any, value: Any) -> Any:
        return _read(value) if shape.name == "AttributeValue" else read(self, shape, value)

    def serialized(self: Any, into: Any, value: Any, shape: Any, key: str) -> None:
        if shape.name == "AttributeValue" and type(value) is dict:
            self._default_serialize(into, _written(value), shape, key)
        elif self.service_model.service_name == "dynamodb" and _is_plain(value, shape):
            _write_members(self, into, value, shape, key)
        else:
            write(self, into, value, shape, key)

    received = botocore_parsers.BaseJSONParser._handle_structure

    def handled(self: Any, shape: Any, value: Any) -> Any:
        return _read(value) if shape.name == "AttributeValue" else received(self, shape, value)

    put(botocore_parsers.BaseJSONParser, "_handle_structure", handled)
    put(BaseJSONParser, "_parse_structure", parsed)
    put(BaseJSONSerializer, "_serialize_type_structure", serialized)


def _read(value: Any) -> Any:
    """As JSON has it, but for binary values: those are base64 there."""
    if not isinstance(value, dict):
        return value
    return {kind: _member(_read, base64.b64decode, kind, held) for kind, held in value.items()}


def _written(value: dict[str, Any]) -> dict[str, Any]:
    return {kind: _member(_written, _base64, kind, held) for kind, held in value.items()}


def _base64(held: bytes | str) -> str:
    return base64.b64encode(held.encode() if isinstance(held, str) else held).decode()


def _member(of_value: Any, of_bytes: Any, kind: str, held: Any) -> Any:
    if kind == "M":
        return {name: of_value(each) for name, each in held.items()}
    if kind == "L":
        return [of_value(each) for each in held]
    if kind == "B":
        return of_bytes(held)
    if kind == "BS":
        return [of_bytes(each) for each in held]
    return held
