"""What botocore is told of services, read for a third of its CPU: a cold start's largest part that
can be spared.

Botocore looks through the folders of all 400 services for a name, twice a client; reads objects
into an ordered dict, though a dict has kept its order since Python 3.7; and reads 1.2 MB of
endpoints, of which a service with a rule set needs the partition alone. The files stay botocore's
own, whichever version the runtime has."""

import json
import zlib
from pathlib import Path
from typing import Any

from botocore.loaders import JSONFileLoader, Loader

SERVICES = ("dynamodb", "events", "kms", "s3", "sqs", "ssm", "sts")

_GZIP = 16 + zlib.MAX_WBITS
_HOST = "{service}.{region}.{dnsSuffix}"
_FIPS_HOST = "{service}-fips.{region}.{dnsSuffix}"


class Descriptions(Loader):  # type: ignore[misc]  # botocore has no types
    """Of SERVICES; every other one is unknown."""

    def __init__(self) -> None:
        super().__init__(file_loader=_Files())

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002  as botocore asks
        return [*SERVICES]

    def load_data_with_path(self, name: str) -> tuple[Any, str]:
        if name != "endpoints":
            found: tuple[Any, str] = super().load_data_with_path(name)
            return found
        partitions, path = super().load_data_with_path("partitions")
        return {"partitions": [_endpoints(each) for each in partitions["partitions"]]}, path


def _endpoints(partition: dict[str, Any]) -> dict[str, Any]:
    """As `endpoints.json` describes a partition, without its services, but for the S3 of `aws`:
    us-east-1 reaches it by its global name still."""
    is_aws = partition["id"] == "aws"
    known = partition["outputs"]
    plain, dual = known["dnsSuffix"], known["dualStackDnsSuffix"]
    variants = [
        {"tags": ["fips"], "hostname": _FIPS_HOST, "dnsSuffix": plain},
        {"tags": ["dualstack"], "hostname": _HOST, "dnsSuffix": dual},
        {"tags": ["dualstack", "fips"], "hostname": _FIPS_HOST, "dnsSuffix": dual},
    ]
    return {
        "partition": partition["id"],
        "dnsSuffix": plain,
        "regionRegex": partition["regionRegex"],
        "regions": partition["regions"],
        "defaults": {"hostname": _HOST, "protocols": ["https"], "variants": variants},
        "services": {"s3": _global_s3()} if is_aws else {},
    }


def _global_s3() -> dict[str, Any]:
    place = {"hostname": "s3.amazonaws.com", "credentialScope": {"region": "us-east-1"}}
    return {"partitionEndpoint": "aws-global", "endpoints": {"aws-global": place}}


class _Files(JSONFileLoader):  # type: ignore[misc]  # same
    def _load_file(self, full_path: str, _open: object) -> Any:
        try:
            data = Path(full_path).read_bytes()
        except FileNotFoundError:
            return None
        return json.loads(zlib.decompress(data, _GZIP) if full_path.endswith(".gz") else data)
