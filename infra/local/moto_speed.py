"""moto, without work that changes none of its answers: two thirds of its time otherwise."""

import functools
import string
from typing import Any

from botocore import useragent
from botocore.auth import SigV4Auth
from infra.local.moto_requests import speed_up_requests
from infra.local.moto_tables import put, speed_up_tables
from moto import backend_index
from moto.core import models, responses, utils
from moto.core.base_backend import BaseBackend
from moto.moto_api._internal.moto_random import MotoRandom
from moto.sqs import models as sqs

OURS = {"dynamodb", "sqs", "s3", "kms"}


@functools.cache
def speed_up() -> None:
    """Tries the address patterns of our services before the 170 others; reads a class's method
    names and addresses, transforms a name and cleans each word of a user agent once; computes no
    signature that nobody checks; and answers botocore alone, not the `requests` library too."""
    speed_up_tables()
    backend_index.backend_url_patterns.sort(key=lambda pattern: pattern[0] not in OURS)
    put(responses, "method_names_from_class", functools.cache(utils.method_names_from_class))
    clean = useragent.sanitize_user_agent_string_component
    put(useragent, "sanitize_user_agent_string_component", functools.cache(clean))
    put(BaseBackend, "urls", property(functools.cache(vars(BaseBackend)["urls"].fget)))
    for place in (responses, sqs):
        put(place, "camelcase_to_underscores", functools.cache(utils.camelcase_to_underscores))
    put(models, "RESPONSES_METHODS", ())
    put(MotoRandom, "get_random_string", _random_string)
    _leave_unsigned()
    speed_up_requests()


def _random_string(
    self: Any, length: int = 20, include_digits: bool = True, lower_case: bool = False
) -> str:
    pool = string.ascii_letters + (string.digits if include_digits else "")
    drawn: str = self.randbytes(length).translate((pool * 5)[:256].encode()).decode()
    return drawn.lower() if lower_case else drawn


def _leave_unsigned() -> None:
    """moto reads who signed, and where; S3 requests, which carry more, are signed as ever."""
    sign = SigV4Auth.add_auth

    def name_signer(self: Any, request: Any) -> None:
        if type(self) is not SigV4Auth or self.credentials is None:
            sign(self, request)
            return
        scope = f"{self.credentials.access_key}/-/{self._region_name}/{self._service_name}"
        del request.headers["Authorization"]
        request.headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}/aws4_request"

    put(SigV4Auth, "add_auth", name_signer)
