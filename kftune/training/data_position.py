"""Keeps a dataset in step with `fit`, so that its position can be saved."""

import keras


class DataPosition(keras.callbacks.Callback):
    """Tells a `LengthBucketed` dataset which epoch and batch `fit` trains.

    With it the order of an epoch belongs to the epoch's number in `fit`, also after
    `RunCheckpoint` or `initial_epoch`, and `dataset.state()` counts the batches that
    were trained, not those that were fetched ahead. Let it stand before any callback
    that saves the state, and pass `shuffle=False` to `fit`: otherwise Keras shuffles
    the batches once more, and a position midway in an epoch means nothing.

    Args:
        dataset: the `kftune.data.LengthBucketed` that `fit` gets.

    Raises:
        ValueError: in `fit`, if it runs another number of batches than the dataset has
            (another dataset, or `steps_per_epoch`), starts at another epoch than the
            one restored, or goes on to further epochs after the rest of one.

    Example:
    ```python
    data.restore(json.loads(Path("position.json").read_text()))
    epoch = data.state()["epoch"]
    settings = {"shuffle": False, "callbacks": [kftune.training.DataPosition(data)]}
    model.fit(data, initial_epoch=epoch, epochs=epoch + 1, **settings)
    model.fit(data, initial_epoch=epoch + 1, epochs=3, **settings)
    ```
    """

    def __init__(self, dataset):
        super().__init__()
        self.dataset = dataset

    def on_epoch_begin(self, epoch, logs=None):
        """Takes the epoch's order and checks that `fit` runs over it."""
        self.dataset.begin_epoch(epoch)
        steps, batches = self.params["steps"], self.dataset.num_batches
        if steps != batches:
            raise ValueError(
                f"Expected fit over the {batches} batches of the dataset that "
                f"DataPosition was given. Received: {steps} steps an epoch. Pass fit "
                "that dataset and leave steps_per_epoch unset."
            )
        epochs = self.params["epochs"]
        if batches < len(self.dataset) and epochs > epoch + 1:
            raise ValueError(
                f"Expected a fit of its own for the last {batches} batches of epoch "
                f"{epoch} (epochs={epoch + 1}). Received: epochs={epochs}"
            )

    def on_train_batch_end(self, batch, logs=None):
        """Counts what was trained."""
        # With steps_per_execution Keras counts on beyond the last step.
        self.dataset.mark_trained(min(batch + 1, self.params["steps"]))
