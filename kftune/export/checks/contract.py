"""What the inputs of the exported signatures are called, and what to send as them."""

# Values are taken in turn, a row each. Those of target_language only the model knows.
INPUTS = {
    "text": ("string", None),
    "target": ("string", (b"A target.", "Ein Ziel, größer.".encode(), b"")),
    "target_language": ("string", None),
    "max_new_tokens": ("int32", (8, 1, 4)),
    "max_length": ("int32", (12, 8, 16)),
    "temperature": ("float32", (0.0, 0.7, 1.0)),
    "top_k": ("int32", (5, 1, 40)),
    "top_p": ("float32", (0.9, 1.0, 0.5)),
    "seed": ("int64", (0, 1, 2)),
}

# Empty, plain, emoji, right to left, no UTF-8, long, control characters, markup.
ODD_TEXTS = (
    b"",
    b"A plain sentence, with an end.",
    "👩\u200d👩\u200d👧 🏳️\u200d🌈 😀".encode(),
    "مرحبا بالعالم، שלום עולם".encode(),
    b"\xff\xfe not UTF-8 \xc3\x28 \x80",
    b"word " * 2000,
    b"line\nline\r\n\ttab \x00 NUL",
    "ﬁ e\u0301 中文字符 \uff41".encode(),
    b"<s> </s> <pad> <unk> [CLS] [SEP] <|endoftext|> >>de<<",
    b"   ",
)
