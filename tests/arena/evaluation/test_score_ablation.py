"""Variants in an environment: the scores of their newest checkpoints, by label."""

from pathlib import Path

from arena.evaluation.ablation import score_ablation, score_ablation_text
from arena.evaluation.evaluator import Evaluator
from arena.evaluation.records import store_evaluation
from tests.arena.evaluation.scripted import evaluation, evaluator, make_run, save


def variant(store: Path, run: str, *means: float) -> Evaluator:
    """A run of Breakout with evaluated checkpoints at steps 10, 20, ..."""
    made = make_run(store, run, {10: 0}, game="breakout", protocol="nature")
    for number, mean in enumerate(means, start=1):
        if number > 1:
            save(made, 10 * number, 0)
        scores = [mean - 1.0, mean, mean + 1.0, mean]
        store_evaluation(made.files, evaluation(scores, step=10 * number, minutes=float(number)))
    return evaluator(made)


def test_the_newest_checkpoint_of_each_counts_and_not_the_best(tmp_path: Path) -> None:
    found = score_ablation(
        {"full": variant(tmp_path, "a", 50.0, 30.0), "control": variant(tmp_path, "b", 40.0)}
    )
    assert {label: (row.run, row.step, row.mean) for label, row in found.results.items()} == {
        "full": ("a", 20, 30.0),
        "control": ("b", 10, 40.0),
    }
    assert len(found.table.rows) == 3
    assert [outcome["variant"] for outcome in found.to_json()["outcomes"]] == ["full", "control"]


def test_one_that_is_not_evaluated_has_no_row(tmp_path: Path) -> None:
    behind = variant(tmp_path, "b", 40.0)
    save(behind.run, 20, 0)
    found = score_ablation({"full": variant(tmp_path, "a", 50.0), "control": behind})
    assert [*found.results] == ["full"]


def test_the_table_names_the_variants_and_its_conditions(tmp_path: Path) -> None:
    found = score_ablation(
        {"full": variant(tmp_path, "a", 30.0), "without fire": variant(tmp_path, "b", 3.0)}
    )
    text = score_ablation_text(found).splitlines()
    assert text[0] == "breakout, protocol nature, epsilon 0.05, seed 0"
    assert text[1].split() == [
        "variant", "step", "minutes", "rows", "mean", "+-", "deviation", "median", "games", "human",
    ]  # fmt: skip
    assert text[2].startswith("full ")
    assert text[3].startswith("without fire ")
    assert "two seeds" in text[5]
    assert "published" in text[6]
