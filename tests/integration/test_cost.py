"""What a month costs: the model's table is the one in the docs, and holds its ratios."""

from pathlib import Path
from typing import Any

import pytest
from tests.bench.cost import idle_month, load, messages_a_minute, report, table
from tests.bench.counts import count

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return report(count())


def cells(text: str) -> dict[str, list[float]]:
    """Of the table: its lines by their first cell, their figures."""
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    return {
        name.strip(): [float(each.replace(",", "")) for each in figures if each.strip()]
        for name, *figures in lines[2:]
    }


def test_the_docs_show_the_models_table(made: dict[str, Any]) -> None:
    now = table(made)
    _, heading, rest = OPERATIONS.read_text().partition(now.splitlines()[0])
    shown = cells(heading + rest.partition("\n\n")[0])

    assert shown.keys() == cells(now).keys()
    for name, figures in cells(now).items():
        assert shown[name] == pytest.approx(figures, rel=0.03, abs=1), f"now it is:\n{now}"


def test_idle_costs_a_tenth_of_the_plain_design(made: dict[str, Any]) -> None:
    for ratio in (made["plain_with_kms_to_this"], made["plain_to_this"]):
        assert ratio["ratio"] >= ratio["limit"]


def test_an_idle_look_is_counted_as_reads_alone(made: dict[str, Any]) -> None:
    idle = made["counted"]["idle"]

    assert set(idle["calls"]) == {"dynamodb:BatchGetItem"}
    assert (idle["write_units"], idle["noted_units"], idle["cold_kms"]) == (0, 1, 1)


def test_kms_would_cost_more_than_all_else_if_each_account_were_opened_by_it(
    made: dict[str, Any],
) -> None:
    price, at = load()
    counted = made["counted"]["idle"]

    bill = idle_month(price, at, counted | {"cold_kms": at.accounts / at.tenants})

    assert bill["KMS"] > sum(bill.values()) / 2


def test_messages_are_counted_as_dispatch_makes_them() -> None:
    _, at = load()

    # 200 accounts of a tenant a minute: two messages, often a third
    assert 2 * at.tenants <= messages_a_minute(at) <= 3 * at.tenants
