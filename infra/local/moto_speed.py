"""moto, without work that changes none of its answers: half of its time otherwise."""

import functools
from typing import Any

from botocore import useragent
from moto import backend_index
from moto.core import responses, utils
from moto.core.serialize import BaseJSONSerializer

OURS = {"dynamodb", "sqs", "s3", "kms"}


@functools.cache
def speed_up() -> None:
    """Tries the address patterns of our services before the 170 others; reads a class's method
    names and cleans each word of a user agent once; and serialises the members an attribute value
    has, not every name it might have."""
    backend_index.backend_url_patterns.sort(key=lambda pattern: pattern[0] not in OURS)
    _put(responses, "method_names_from_class", functools.cache(utils.method_names_from_class))
    clean = useragent.sanitize_user_agent_string_component
    _put(useragent, "sanitize_user_agent_string_component", functools.cache(clean))
    every_member = BaseJSONSerializer._serialize_type_structure

    def members_there(self: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
        if shape.name != "AttributeValue" or type(value) is not dict:
            every_member(self, serialized, value, shape, key)
            return
        wrapper = self.MAP_TYPE()
        for name, member in value.items():
            if member is not None and name in shape.members:
                shape.members[name].parent = shape
                self._serialize(wrapper, member, shape.members[name], name)
        self._default_serialize(serialized, wrapper, shape, key)

    _put(BaseJSONSerializer, "_serialize_type_structure", members_there)


def _put(place: Any, name: str, value: Any) -> None:
    setattr(place, name, value)
