"""One DynamoDB table: plain dicts in and out, conditions by name, throttled leftovers sent
again."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from ablage.errors import AblageError
from ablage.store.item_values import from_wire, to_wire
from ablage.store.keys import Key

Item = dict[str, Any]

BATCH_GET_LIMIT = 100  # AWS: keys per BatchGetItem
DUE_INDEX = "due"
_CONFLICT_PAUSES = (0.05, 0.1, 0.2, 0.4)  # seconds; two transactions at one item [AWS]


class ConditionFailed(AblageError):
    """A conditional write lost. `item` is what stands there, where the call asked for it."""

    def __init__(self, item: Item | None = None) -> None:
        super().__init__("condition_failed", "Somebody else wrote first.")
        self.item = item


def _wire(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: to_wire(value) for name, value in values.items() if value is not None}


def _item(wire: Mapping[str, Any]) -> Item:
    return {name: from_wire(value) for name, value in wire.items()}


def item_of(image: Mapping[str, Any]) -> Item:
    """Of a record of the table's stream, as `query` reads it."""
    return _item(image)


def _key(key: Key) -> dict[str, Any]:
    return {"pk": {"S": key[0]}, "sk": {"S": key[1]}}


class Table:
    """`client` is a botocore DynamoDB client; items are dicts without their key attributes unless
    read by query."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name

    def get(self, key: Key, *, consistent: bool = False) -> Item | None:
        answer = self._client.get_item(
            TableName=self.name, Key=_key(key), ConsistentRead=consistent
        )
        return _item(answer["Item"]) if "Item" in answer else None

    def batch_get(self, keys: Iterable[Key], *, consistent: bool = False) -> dict[Key, Item]:
        """Duplicates are asked once; 100 keys a call, unprocessed ones again."""
        found: dict[Key, Item] = {}
        wanted = list(dict.fromkeys(keys))
        for start in range(0, len(wanted), BATCH_GET_LIMIT):
            pending = [_key(key) for key in wanted[start : start + BATCH_GET_LIMIT]]
            pause = 0.05
            while pending:
                asked = {"Keys": pending, "ConsistentRead": consistent}
                answer = self._client.batch_get_item(RequestItems={self.name: asked})
                for wire in answer["Responses"].get(self.name, []):
                    item = _item(wire)
                    found[item["pk"], item["sk"]] = item
                pending = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
                if pending:
                    time.sleep(pause)
                    pause = min(2 * pause, 1.0)
        return found

    def put(
        self,
        key: Key,
        item: Mapping[str, Any],
        *,
        condition: str | None = None,
        names: Mapping[str, str] | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        """Attributes that are None are left out. Raises ConditionFailed."""
        self._write("put_item", {"Item": _key(key) | _wire(item)}, condition, names, values)

    def update(
        self,
        key: Key,
        expression: str,
        *,
        condition: str | None = None,
        names: Mapping[str, str] | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> Item:
        """The item as it is after the update. Raises ConditionFailed."""
        request = {"Key": _key(key), "UpdateExpression": expression, "ReturnValues": "ALL_NEW"}
        answer = self._write("update_item", request, condition, names, values)
        return _item(answer.get("Attributes", {}))

    def delete(
        self,
        key: Key,
        *,
        condition: str | None = None,
        names: Mapping[str, str] | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        self._write("delete_item", {"Key": _key(key)}, condition, names, values)

    def _write(
        self,
        operation: str,
        request: dict[str, Any],
        condition: str | None,
        names: Mapping[str, str] | None,
        values: Mapping[str, Any] | None,
    ) -> dict[str, Any]:
        if condition:
            request["ConditionExpression"] = condition
        if names:
            request["ExpressionAttributeNames"] = dict(names)
        if values:
            request["ExpressionAttributeValues"] = {n: to_wire(v) for n, v in values.items()}
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(
                TableName=self.name, **request
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                raise ConditionFailed from error
            raise
        return answer

    def transact(self, actions: Sequence[Mapping[str, Any]]) -> None:
        """All or nothing (AWS: 100 actions), each from `put_action` and its sisters; a conflict
        with another writer's transaction is tried again. Raises ConditionFailed."""
        wire = [
            {kind: {"TableName": self.name, **body} for kind, body in action.items()}
            for action in actions
        ]
        for pause in (*_CONFLICT_PAUSES, None):
            try:
                self._client.transact_write_items(TransactItems=wire)
            except self._client.exceptions.TransactionCanceledException as error:
                reasons = {r.get("Code") for r in error.response.get("CancellationReasons", [])}
                if "ConditionalCheckFailed" in reasons:
                    raise ConditionFailed from error
                if pause is None or "TransactionConflict" not in reasons:
                    raise
                time.sleep(pause)
            else:
                return

    def query(
        self,
        pk: str,
        *,
        prefix: str | None = None,
        start: str | None = None,
        after: str | None = None,
        newest_first: bool = False,
        limit: int | None = None,
        index: str | None = None,
        consistent: bool = False,
    ) -> list[Item]:
        """One page: items of `pk` (of the `due` index: pass index=DUE_INDEX) with sort key
        `prefix...`, none lower than `start`, beyond `after` (exclusive, in the direction of
        reading). At most `limit` items or 1 MB."""
        pk_name, sk_name = ("due", "due_sk") if index else ("pk", "sk")
        clauses = ["#pk = :pk"]
        values: dict[str, Any] = {":pk": pk}
        names = {"#pk": pk_name}
        if prefix is not None or start is not None or after is not None:
            names["#sk"] = sk_name
            low, high = start or prefix or "", (prefix or "") + "\U0010ffff"
            if after is not None and newest_first:
                high = after
            elif after is not None:
                low = after
            values |= {":low": low or "\x00", ":high": high}
            clauses.append("#sk BETWEEN :low AND :high")
        request: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": " AND ".join(clauses),
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": {n: to_wire(v) for n, v in values.items()},
            "ScanIndexForward": not newest_first,
            "ConsistentRead": consistent,
        }
        if index:
            request["IndexName"] = index
        if limit is not None:
            request["Limit"] = limit + (after is not None)
        items = [_item(wire) for wire in self._client.query(**request)["Items"]]
        kept = [item for item in items if item[sk_name] != after]
        return kept if limit is None else kept[:limit]

    def count(
        self,
        pk: str,
        *,
        prefix: str,
        limit: int,
        wanted: str,
        values: Mapping[str, Any],
    ) -> tuple[int, bool]:
        """One COUNT Query: how many of the first `limit` items meet the condition `wanted`, and
        whether there are as many, or 1 MB of them: AWS reads no further."""
        answer = self._client.query(
            TableName=self.name,
            Select="COUNT",
            KeyConditionExpression="#pk = :pk AND begins_with(#sk, :prefix)",
            FilterExpression=wanted,
            ExpressionAttributeNames={"#pk": "pk", "#sk": "sk"},
            ExpressionAttributeValues={
                name: to_wire(value)
                for name, value in {":pk": pk, ":prefix": prefix, **values}.items()
            },
            Limit=limit,
        )
        return answer["Count"], "LastEvaluatedKey" in answer or answer["ScannedCount"] == limit

    def query_all(self, pk: str, **options: Any) -> Iterator[Item]:
        """Every item, page after page."""
        sk_name = "due_sk" if options.get("index") else "sk"
        after: str | None = options.pop("after", None)
        while page := self.query(pk, after=after, **options):
            yield from page
            after = str(page[-1][sk_name])


def put_action(
    key: Key,
    item: Mapping[str, Any],
    condition: str | None = None,
    values: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    return {"Put": {"Item": _key(key) | _wire(item)} | _conditions(condition, values)}


def update_action(
    key: Key,
    expression: str,
    values: Mapping[str, Any],
    condition: str | None = None,
    names: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    named = {"ExpressionAttributeNames": dict(names)} if names else {}
    return {
        "Update": {"Key": _key(key), "UpdateExpression": expression}
        | _conditions(condition, values)
        | named
    }


def check_action(
    key: Key, condition: str, values: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Nothing is written unless this holds of an item that is there."""
    is_there = f"attribute_exists(pk) AND {condition}" if condition else "attribute_exists(pk)"
    return {"ConditionCheck": {"Key": _key(key)} | _conditions(is_there, values)}


def exists_action(key: Key) -> dict[str, Any]:
    """Nothing is written unless this item is there."""
    return check_action(key, "")


def delete_action(
    key: Key, condition: str | None = None, values: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    return {"Delete": {"Key": _key(key)} | _conditions(condition, values)}


def _conditions(condition: str | None, values: Mapping[str, Any] | None) -> dict[str, Any]:
    extra: dict[str, Any] = {"ConditionExpression": condition} if condition else {}
    if values:
        extra["ExpressionAttributeValues"] = {n: to_wire(v) for n, v in values.items()}
    return extra
