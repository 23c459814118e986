"""What the benchmark of search divides."""

from benchmarks.selfplay import search


def test_the_ratio_is_to_the_better_figure_of_the_peer() -> None:
    rates = {
        "ours_puct": 30.0,
        "ours_gumbel": 30.0,
        "ours_puct_batches": 60.0,
        "ours_gumbel_batches": 20.0,
        "mctx_puct": 2.0,
        "mctx_puct_one_thread": 3.0,
        "mctx_gumbel": 2.0,
        "mctx_gumbel_one_thread": 1.0,
    }
    assert search._ratios(rates) == {"puct": 10.0, "gumbel": 15.0}
    assert search._ratios(rates, "_batches") == {"puct": 20.0, "gumbel": 10.0}
