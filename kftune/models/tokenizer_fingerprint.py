"""What tells whether two tokenizers give the same ids."""

import hashlib
import json
import tempfile
from pathlib import Path


def tokenizer_fingerprint(tokenizer):
    """Hashes the class, the settings and the files of a tokenizer, but not its name.

    Args:
        tokenizer: a `keras_hub.tokenizers.Tokenizer` with its vocabulary.

    Returns:
        `str`, 64 hexadecimal digits, the same in every process.

    Example:
    ```python
    tokenizer = load_tokenizer("opus-mt-en-de")
    tokenizer_fingerprint(tokenizer)  # "5a1f..."
    ```
    """
    config = {**tokenizer.get_config(), "name": type(tokenizer).__name__}
    digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_assets(folder)
        for path in sorted(Path(folder).iterdir()):
            digest.update(f"\0{path.name}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
