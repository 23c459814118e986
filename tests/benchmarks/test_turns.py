"""Measurements in turns."""

from benchmarks.turns import medians, take_turns


def test_each_has_its_turn_in_every_round() -> None:
    order: list[tuple[str, float]] = []

    def rate(name: str, found: list[float]):
        def measured(seconds: float) -> tuple[float, float]:
            order.append((name, seconds))
            return found[len(order) // 2 % 3], 2.0

        return measured

    rates = {"a": rate("a", [1.0, 9.0, 5.0]), "b": rate("b", [4.0, 4.0, 4.0])}
    taken = take_turns(rates, 0.5, rounds=3)
    assert order == 3 * [("a", 0.5), ("b", 0.5)]
    assert sorted(pair[0] for pair in taken["a"]) == [1.0, 5.0, 9.0]
    assert medians(taken) == ({"a": 5.0, "b": 4.0}, {"a": 2.0, "b": 2.0})
