"""The encoder-decoder Transformer, and the stack of blocks that GPT-2 shares."""
