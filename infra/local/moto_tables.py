"""moto's DynamoDB without copying what nobody changes and sorting what nobody asked for: it copies
the whole table for each write of a transaction, and sorts it for each query."""

import copy
import functools
from collections import deque
from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any

from moto.dynamodb import comparisons, models, responses
from moto.dynamodb.exceptions import ItemSizeTooLarge
from moto.dynamodb.models import utilities
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
from moto.dynamodb.models.table import Table
from moto.dynamodb.parsing import ast_nodes, expressions, validators

nodes: Any = ast_nodes  # both turn type checks off
parsers: Any = expressions
ITEM_BYTES = 405_000  # moto's own measure of an item that is too large


@functools.cache
def speed_up_tables() -> None:
    _speed_up_copies()
    _speed_up_queries()
    _speed_up_transactions()
    _speed_up_expressions()


def put(place: Any, name: str, value: Any) -> None:
    """In place of what is there; mypy forbids the plain form."""
    setattr(place, name, value)


# ---- values and items ----------------------------------------------------------------------------


def _speed_up_copies() -> None:
    put(DynamoType, "__deepcopy__", lambda self, _memo: _value(self))
    put(Item, "__deepcopy__", lambda self, _memo: _item(self))
    put(Item, "__init__", _new_item)
    put(Item, "project", _projected)
    put(DynamoType, "to_regular_json", _as_json)
    put(DynamoType, "size", _size)
    put(DynamoType, "cast_value", property(_cast))
    put(responses, "dynamo_to_dict", _as_dicts)


def _value(value: Any) -> Any:
    if type(value) is not DynamoType:
        return copy.deepcopy(value)
    copied = object.__new__(DynamoType)
    copied.type, copied.value = value.type, value.value
    if isinstance(value.value, list):
        copied.value = [_value(each) for each in value.value]
    elif isinstance(value.value, dict):
        copied.value = {name: _value(each) for name, each in value.value.items()}
    return copied


def _item(item: Any, names: Iterable[str] | None = None) -> Any:
    """All of it or these attributes; not in moto's list of all models there ever were."""
    held = item.attrs
    wanted = held if names is None else [name for name in names if name in held]
    copied = object.__new__(Item)
    copied.hash_key, copied.range_key = item.hash_key, item.range_key
    copied.attrs = LimitedSizeDict({name: _value(held[name]) for name in wanted})
    return copied


def _new_item(self: Any, hash_key: Any, range_key: Any, attrs: dict[str, Any]) -> None:
    """Measured once, not anew for each attribute."""
    self.hash_key, self.range_key = hash_key, range_key
    self.attrs = LimitedSizeDict({name: DynamoType(value) for name, value in attrs.items()})
    if self.size() > ITEM_BYTES:
        raise ItemSizeTooLarge


_plain_dicts = utilities.dynamo_to_dict
_plain_project = Item.project
_plain_json = DynamoType.to_regular_json
_plain_size = DynamoType.size
_plain_cast: Any = vars(DynamoType)["cast_value"].fget


def _projected(self: Any, paths: list[list[str]]) -> Any:
    """Whole attributes are taken as they are; parts of them moto's way, through Python and back."""
    if any(len(path) > 1 or "[" in path[0] for path in paths):
        return _plain_project(self, paths)
    return _item(self, [name for (name,) in paths])


def _size(self: Any) -> int:
    return len(self.value.encode()) if type(self.value) is str else _plain_size(self)


def _cast(self: Any) -> Any:
    return self.value if self.type == "S" else _plain_cast(self)


def _as_dicts(found: Any) -> Any:
    """An answer of items and their parts, binary values as bytes."""
    if isinstance(found, dict):
        return {name: _as_dicts(each) for name, each in found.items()}
    if isinstance(found, list):
        return [_as_dicts(each) for each in found]
    if type(found) is not DynamoType or found.type in ("B", "BS"):
        return _plain_dicts(found)
    plain = isinstance(found.value, str)
    return {found.type: found.value if plain else _as_dicts(found.value)}


def _as_json(self: Any) -> dict[str, Any]:
    value = self.value
    if isinstance(value, dict):
        return {self.type: {name: _json(each) for name, each in value.items()}}
    if isinstance(value, list):
        return {self.type: [_json(each) for each in value]}
    return _plain_json(self)


def _json(value: Any) -> Any:
    return _as_json(value) if isinstance(value, DynamoType) else copy.deepcopy(value)


# ---- queries -------------------------------------------------------------------------------------


def _speed_up_queries() -> None:
    query = Table.query

    def of_one_partition(self: Any, hash_key: Any, *asked: Any, **conditions: Any) -> Any:
        index_name = asked[6]
        table = _unsorted(self, self.items if index_name else _partition(self, hash_key))
        return query(table, hash_key, *asked, **conditions)

    put(Table, "query", of_one_partition)
    put(Table, "all_items", lambda self: sorted(_items(self), key=_place))
    put(Table, "sorted_items", _sorted)


def _partition(table: Any, hash_key: Any) -> Any:
    return {hash_key: table.items[hash_key]} if hash_key in table.items else {}


def _unsorted(table: Any, items: Any) -> Any:
    """The table as if it had these items alone, in any order: a query sorts what it finds."""
    part = object.__new__(type(table))
    part.__dict__.update(table.__dict__, items=items, all_items=lambda: list(_items(part)))
    return part


def _items(table: Any) -> Iterator[Any]:
    for held in table.items.values():
        yield from held.values() if table.range_key_attr else (held,)


def _place(item: Any) -> tuple[Any, ...]:
    keys = (item.hash_key, item.range_key) if item.range_key else (item.hash_key,)
    return tuple(key.cast_value for key in keys)


def _sorted(self: Any, hashes: list[str], ranges: list[str | None], items: list[Any]) -> list[Any]:
    names = self._generate_attr_to_sort_by(hashes, ranges)
    items.sort(key=lambda item: tuple(item.attrs[name].cast_value for name in names))
    return items


# ---- transactions --------------------------------------------------------------------------------


def _speed_up_transactions() -> None:
    write = models.DynamoDBBackend.transact_write_items

    def transact(self: Any, asked: list[dict[str, Any]]) -> None:
        kept = [place for one in asked for op in one.values() if (place := _kept(self, op))]
        streams = [(shard, len(shard.items)) for table, *_ in kept if (shard := table.stream_shard)]
        try:
            write(self, asked)
        except BaseException:
            for table, hash_key, range_key, item in kept:
                _put_back(table, hash_key, range_key, item)
            for shard, length in streams:
                del shard.items[length:]
            raise

    put(models.DynamoDBBackend, "transact_write_items", transact)
    put(models, "copy", SimpleNamespace(deepcopy=_no_whole_table))


def _no_whole_table(what: Any) -> Any:
    return what if isinstance(what, Table) else copy.deepcopy(what)


def _kept(backend: Any, op: dict[str, Any]) -> tuple[Any, ...] | None:
    """Where one write goes, and what is there before it; None for one that names no place."""
    table, named = backend.tables.get(op.get("TableName")), op.get("Key", op.get("Item", {}))
    if table is None or not set(table.table_key_attrs) <= named.keys():
        return None
    hash_key = DynamoType(named[table.hash_key_attr])
    if not table.range_key_attr:
        return table, hash_key, None, copy.deepcopy(table.items.get(hash_key))
    range_key = DynamoType(named[table.range_key_attr])
    return table, hash_key, range_key, copy.deepcopy(table.items.get(hash_key, {}).get(range_key))


def _put_back(table: Any, hash_key: Any, range_key: Any, item: Any) -> None:
    held, place = (table.items[hash_key], range_key) if range_key else (table.items, hash_key)
    if item is None:
        held.pop(place, None)
    else:
        held[place] = item


# ---- update expressions --------------------------------------------------------------------------


def _speed_up_expressions() -> None:
    """A text is read once: who validates a tree copies it."""
    conditions = comparisons.ConditionExpressionParser
    lex = conditions._lex_condition_expression
    lexed = functools.lru_cache(1024)(lambda text: tuple(lex(conditions(text, None, None))))
    put(conditions, lex.__name__, lambda self: deque(lexed(self.condition_expression)))
    parser = parsers.UpdateExpressionParser
    put(parser, "make", functools.lru_cache(1024)(parser.make))
    put(validators, "deepcopy", _tree)
    put(nodes.DepthFirstTraverser, "traverse_node_recursively", _traversed)
    count, overlap = validators.ActionCountValidator, validators.OverlappingPathsValidator
    put(count, "traverse", count.verify_action_counts)  # the root's clauses are all there are
    put(overlap, "traverse", overlap.check_for_overlapping_paths)


def _tree(what: Any) -> Any:
    if not isinstance(what, nodes.Node):
        return copy.deepcopy(what)
    copied = copy.copy(what)
    if what.children is not None:
        copied.children = [_tree(child) for child in what.children]
        for child in copied.children:
            if isinstance(child, nodes.Node):
                child.set_parent(copied)
    return copied


def _traversed(self: Any, node: Any, child_id: int = -1) -> Any:
    """As moto does it, knowing what becomes of a kind of node."""
    kind: Any = type(node)
    parent = node.parent
    for number, child in enumerate(node.children or ()):
        self.pre_processing_of_child(node, number)
        of_child: Any = type(child)
        if _is_kind(of_child, nodes.Node):
            self.traverse_node_recursively(child, number)
    processors = self.__dict__.setdefault("_processors", self._processing_map())
    for processed, process in processors.items():
        if _is_kind(kind, processed):
            node = process(node)
            node.parent = parent
            if parent:
                parent.children[child_id] = node
            break
    return node


@functools.cache
def _is_kind(kind: Any, of: Any) -> bool:
    return issubclass(kind, of)
