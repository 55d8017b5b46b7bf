import math

import pytest

from kftune.evaluation import describe_overfitting


@pytest.mark.parametrize(
    ("loss", "val_loss", "expected"),
    [
        (
            [0.6, 0.5, 0.4, 0.2],
            [0.7, 0.6, 0.52, 0.611],
            "Overfitting: validation loss has risen since epoch 3 (0.52 → 0.611), "
            "while training loss fell (0.4 → 0.2). Fewer epochs",
        ),
        (
            [0.6, 0.7],
            [0.5, 0.9],
            "Validation loss has risen since epoch 1 (0.5 → 0.9), and so has training "
            "loss (0.6 → 0.7): not overfitting",
        ),
        (
            [0.6, 0.5, 0.4],
            [0.6, 0.5, 0.509],
            "No overfitting: validation loss has hardly changed since epoch 2 "
            "(0.5 → 0.509).",
        ),
        (
            [0.6, 0.5, 0.4],
            [0.8, 0.9, 0.7],
            "No overfitting: validation loss fell to the last epoch (0.9 → 0.7). More",
        ),
        (
            [0.5, 0.1, 0.001],
            [0.69, 0.689, 0.688],
            "Overfitting begins: validation loss has hardly changed since epoch 2 "
            "(0.689 → 0.688), and the training loss of 0.001 is far below it.",
        ),
        (
            [0.5, 0.2, 0.1],
            [0.6, 0.5, 0.505],
            "Overfitting begins: validation loss has hardly changed since epoch 2 "
            "(0.5 → 0.505), and the training loss of 0.1 is far below it.",
        ),
        ([0.1, 0.0], [0.1, 0.0], "No overfitting: validation loss fell to the last"),
        ([0.1, 0.0], [0.0, 0.0], "No overfitting: validation loss has hardly changed"),
        ([-3.0, -9.0], [-3.0, -3.01], "No overfitting: validation loss fell to the"),
        ([0.6], [0.6], "Overfitting cannot be told: expected .* Received: 1 and 1"),
        ([0.6, 0.5], [], "Received: 2 and 0"),
        ([0.6, 0.5], [0.6, math.nan], "cannot be told: some losses are not finite"),
    ],
)
def test_it_says_how_the_losses_went(loss, val_loss, expected):
    text = describe_overfitting({"loss": loss, "val_loss": val_loss})
    for part in expected.split(".*"):
        assert part in text


def test_a_history_without_losses_is_told():
    assert "Received: 0 and 0" in describe_overfitting({})


def test_how_small_a_rise_is_none_can_be_chosen():
    history = {"loss": [0.6, 0.5], "val_loss": [0.6, 0.65]}
    assert describe_overfitting(history).startswith("Overfitting")
    assert describe_overfitting(history, tolerance=0.1).startswith("No overfitting")
