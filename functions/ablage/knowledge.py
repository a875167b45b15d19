"""What is known of the addresses of a mail: whose they are, what is blocked, what the tenant
decided."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ablage.addresses import Address, domain_suffixes
from ablage.messages import Entity
from ablage.policy import Policy


@dataclass(frozen=True)
class IndexEntry:
    """What the address index holds under one key: records with their parents, own accounts."""

    records: Mapping[Entity, tuple[Entity, ...]] = field(default_factory=dict)
    own: tuple[str, ...] = ()


@dataclass(frozen=True)
class Knowledge:
    """Index entries by key (exact, base, `@domain`), blocked addresses and domains found,
    policy."""

    index: Mapping[str, IndexEntry]
    blocked: frozenset[str]
    policy: Policy

    def is_own(self, address: Address) -> bool:
        """By exact or base key, declared `@domain`, own domain or internal address."""
        declared = {*self.policy.internal_addresses}
        return (
            any(self.index[key].own for key in index_keys(address) if key in self.index)
            or address.domain in self.policy.own_domains
            or address.exact in declared
            or address.base in declared
        )

    def blocked_by(self, address: Address) -> str | None:
        """The blocklist entry that hits, the nearest first."""
        return next((key for key in block_keys(address) if key in self.blocked), None)

    def entities(self, address: Address) -> tuple[Entity, ...]:
        """Every record with that key and every parent of each; each once."""
        carried = self._may_link if self._is_account_address(address) else lambda _: True
        found: dict[Entity, None] = {}
        for key in self._match_keys(address):
            entry = self.index.get(key, IndexEntry())
            for record, parents in entry.records.items():
                if carried(record):
                    found |= dict.fromkeys((record, *parents))
        return tuple(found)

    def carriers(self, own: str) -> tuple[Entity, ...]:
        """The records that carry an account's own address, as policy lets them."""
        entry = self.index.get(own, IndexEntry())
        return tuple(entity for entity in entry.records if self._may_link(entity))

    def _match_keys(self, address: Address) -> tuple[str, ...]:
        both = dict.fromkeys((address.exact, address.base))
        return tuple(both) if self.policy.match_subaddress else (address.exact,)

    def _is_account_address(self, address: Address) -> bool:
        keys = (address.exact, address.base)
        return any(self.index[key].own for key in keys if key in self.index)

    def _may_link(self, entity: Entity) -> bool:
        if self.policy.own_address == "ask":
            return str(entity) in self.policy.acknowledged
        return self.policy.own_address == "file"


def index_keys(address: Address) -> tuple[str, ...]:
    return tuple(dict.fromkeys((address.exact, address.base, f"@{address.domain}")))


def block_keys(address: Address) -> tuple[str, ...]:
    return tuple(dict.fromkeys((address.exact, address.base, *domain_suffixes(address.domain))))
