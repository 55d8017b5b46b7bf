"""One epoch after another, of equal size, out of cycles of any size."""

import keras

from kftune.data.buckets import different_first


class EndlessBatches(keras.utils.PyDataset):
    """Cuts a stream of datasets into epochs of equally many batches.

    A long training wants epochs of minutes, to save and to score after each, though
    one pass over its data takes an hour. The position follows from the epoch's number
    alone, so a training that `kftune.training.RunCheckpoint` takes up again goes on
    with the batches that come next. Pass `fit` `shuffle=False` and the callback
    `kftune.training.DataPosition(data)`, which tells the epoch's number; without it,
    epochs are counted by `on_epoch_end`, which Keras calls once before the first.

    If the batches of an epoch differ in length, the first two do: Keras takes the
    signature of TensorFlow's training step from these.

    Args:
        make_cycle: function of the number of a cycle, from 0, that returns its
            batches: a `keras.utils.PyDataset`, the same each time it is asked.
        epoch_batches: int, batches an epoch, at least 2.

    Raises:
        ValueError: If an epoch would have less than two batches, or a cycle has none.

    Example:
    ```python
    def make_cycle(cycle):
        return kftune.data.LengthBucketed(rows, labels, seed=cycle)

    data = EndlessBatches(make_cycle, epoch_batches=250)
    model.fit(data, epochs=40, shuffle=False, callbacks=[DataPosition(data)])
    ```
    """

    def __init__(self, make_cycle, epoch_batches):
        super().__init__()
        if epoch_batches < 2:
            raise ValueError(
                f"Expected epoch_batches of 2 or more. Received: {epoch_batches}"
            )
        self.make_cycle = make_cycle
        self.epoch_batches = epoch_batches
        self._starts = [0]  # batches before each cycle that was met
        self._open = {}
        self._end(0)  # raises if the first cycle is empty
        self.begin_epoch(0)

    def __len__(self):
        """Batches an epoch."""
        return self.epoch_batches

    def __getitem__(self, index):
        """Builds the batch at `index` of the epoch."""
        if self._order is None:
            self._order = self._positions()
        return self._batch(self._order[index])

    def begin_epoch(self, epoch):
        """Takes the position of this epoch, from 0."""
        # Found when a batch is asked for: Keras also ends epochs that nobody trains.
        self._epoch, self._order = epoch, None

    def on_epoch_end(self):
        """Goes on to the next epoch; called by Keras."""
        self.begin_epoch(self._epoch + 1)

    def mark_trained(self, num_batches):
        """Does nothing: positions inside an epoch are not kept."""

    def _positions(self):
        """Positions of the epoch's batches, the first two of different lengths."""
        first = self._epoch * self.epoch_batches
        order = list(range(first, first + self.epoch_batches))
        return different_first(order, map(self._lengths, order))

    def _lengths(self, position):
        """Lengths of all arrays without the number of rows, which may differ."""
        arrays = keras.tree.flatten(self._batch(position))
        return tuple(length for array in arrays for length in array.shape[1:])

    def _batch(self, position):
        cycle = 0
        while position >= self._end(cycle):
            cycle += 1
        return self._cycle(cycle)[position - self._starts[cycle]]

    def _end(self, cycle):
        if len(self._starts) == cycle + 1:
            batches = len(self._cycle(cycle))
            if not batches:
                raise ValueError(f"Expected batches in cycle {cycle}. Received: none")
            self._starts.append(self._starts[cycle] + batches)
        return self._starts[cycle + 1]

    def _cycle(self, cycle):
        if cycle not in self._open:
            # An epoch spans two cycles at a border; older ones are not asked again.
            self._open = {k: v for k, v in self._open.items() if k == cycle - 1}
            self._open[cycle] = self.make_cycle(cycle)
        return self._open[cycle]
