"""One stack of a Transformer: embeddings, blocks, final norm; full pass and cached."""

import keras


class TransformerStack:
    """Runs the layers of GPT-2, of an encoder or of a decoder.

    It owns no weights: it holds layers that belong to a backbone, and is the one place
    that says in which order they are called, over whole rows and step by step. Letters:
    B batch, T length, L length of the cache, D hidden.

    Args:
        token_embedding: layer from `(B, T)` ids to `(B, T, D)`.
        position_embedding: layer from `(B, T, D)` to as many positions, with a
            `start_index`.
        blocks: list of `kftune.layers.TransformerBlock`.
        dropout: `float` in `[0, 1)`, after the embeddings.
        prefix: `str`, put before the names of the layers that are made here.
        dtype: dtype policy of these layers.
        scale: `float`, by which token embeddings are multiplied.
        position_offset: `int`, position of the first token.
        embedding_norm: layer on the sum of the embeddings, or `None`.
        layer_norm: layer on the states of the last block, or `None`.
    """

    def __init__(
        self,
        token_embedding,
        position_embedding,
        blocks,
        *,
        dropout,
        prefix="",
        dtype=None,
        scale=1.0,
        position_offset=0,
        embedding_norm=None,
        layer_norm=None,
    ):
        self.token_embedding = token_embedding
        self.position_embedding = position_embedding
        self.blocks = blocks
        self.scale = scale
        self.position_offset = position_offset
        self.embeddings_add = keras.layers.Add(
            dtype=dtype, name=f"{prefix}embeddings_add"
        )
        self.embedding_norm = embedding_norm
        self.embeddings_dropout = keras.layers.Dropout(
            dropout, dtype=dtype, name=f"{prefix}embeddings_dropout"
        )
        self.layer_norm = layer_norm

    @property
    def remat(self):
        """`bool`, whether blocks compute their states again for the gradients."""
        return self.blocks[0].remat

    @remat.setter
    def remat(self, remat):
        for block in self.blocks:
            block.remat = remat

    def __call__(self, token_ids, positions=None, **masks):
        """Computes the states of whole rows.

        Args:
            token_ids: `int32` tensor `(B, T)`.
            positions: `int32` tensor `(B, T)`, or `None` to count from the offset.
            **masks: Passed to each block.

        Returns:
            Float tensor `(B, T, D)`.
        """
        return self._run(
            token_ids,
            0,
            lambda index, block, x: block(x, **masks),
            positions=positions,
        )

    def init_cache(self, batch_size, max_length):
        """Makes an empty cache.

        Args:
            batch_size: `int`. B.
            max_length: `int`. L.

        Returns:
            List with a (key, value) pair for each block.
        """
        return [block.init_cache(batch_size, max_length) for block in self.blocks]

    def step(
        self,
        token_ids,
        cache,
        index,
        *,
        encoder_key_values=None,
        beam_mask=None,
        source_weights=None,
        **masks,
    ):
        """Computes the states of the next tokens of rows whose beginning is cached.

        Args:
            token_ids: `int32` tensor `(B, T)`.
            cache: list of pairs, see `init_cache`.
            index: `int` or scalar `int32` tensor. Position of the first token, from 0.
            encoder_key_values: list of pairs, one for each block, or `None`.
            beam_mask: `bool` tensor `(B, W, L·W)` or `None`. With it the tokens are
                those of W beams at one position, and the cache has W places for each
                position; True means a place of the beam.
            source_weights: `list` or `None`. The attention weights of the last block on
                the encoder are appended to it.
            **masks: Passed to `step` of each block.

        Returns:
            Tuple of the states, a float tensor `(B, T, D)`, and the new cache.
        """
        updated = list(cache)
        place = index
        if beam_mask is not None:
            place = index * token_ids.shape[1]
            masks["padding_mask"] = beam_mask

        def run_block(i, block, x):
            if encoder_key_values is not None:
                masks["encoder_key_value"] = encoder_key_values[i]
            if source_weights is not None and i == len(self.blocks) - 1:
                masks["source_weights"] = source_weights
            x, updated[i] = block.step(x, cache[i], place, **masks)
            return x

        one_position = beam_mask is not None
        return self._run(token_ids, index, run_block, one_position), updated

    def _run(self, token_ids, index, run_block, one_position=False, positions=None):
        """Embeddings, every block by `run_block(i, block, x)`, final norm."""
        tokens = self.token_embedding(token_ids)
        if self.scale != 1:
            tokens = tokens * self.scale
        positions = self.position_embedding(
            tokens[:, :1] if one_position else tokens,
            start_index=index + self.position_offset,
            **({} if positions is None else {"positions": positions}),
        )
        x = self.embeddings_add((tokens, positions))
        if self.embedding_norm is not None:
            x = self.embedding_norm(x)
        x = self.embeddings_dropout(x)
        for i, block in enumerate(self.blocks):
            x = run_block(i, block, x)
        return x if self.layer_norm is None else self.layer_norm(x)
