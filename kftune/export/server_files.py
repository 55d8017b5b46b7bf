"""Files beside the versions of a model: for the server, and for its people."""

import math

import keras
import keras_hub
import tensorflow as tf
import tensorflow_text as tf_text

import kftune
from kftune.export.docker_server import IMAGE
from kftune.export.warmup_requests import BATCH_SIZES
from kftune.files import write_aside

_MODELS_CONFIG = """\
model_config_list {{
  config {{
    name: "{name}"
    base_path: "/models/{name}"
    model_platform: "tensorflow"
  }}
}}
"""

_SERVING = """\
# Serving `{name}`

Written by kftune with the newest version; an export writes it anew.

## Start

In the folder that holds `{name}/`:

```bash
docker run --rm -p 8500:8500 -p 8501:8501 \\
    -v "$PWD/{name}:/models/{name}:ro" -e MODEL_NAME={name} \\
    {image}{xla}
```

With batches of several requests, and this folder's settings:

```bash
docker run --rm -p 8500:8500 -p 8501:8501 -v "$PWD/{name}:/models/{name}:ro" \\
    {image} --model_config_file=/models/{name}/models.config \\
    --enable_batching --batching_parameters_file=/models/{name}/batching_params.txt{xla}
```

## Ask over REST

```bash
curl -s http://localhost:8501/v1/models/{name}:predict \\
    -d '{{"inputs": {{"text": ["{text}"]}}}}'
```

## Ask over gRPC

```python
from kftune.export.client import ServingClient

with ServingClient("localhost:8500", "{name}") as client:
    print(client.predict(["{text}"]))
```

## Signatures

{signatures}
"""

_CARD = """\
# {name}

Written by kftune with version {version}; an export writes it anew.

| | |
|---|---|
{facts}

## Signatures

{signatures}
"""


def write_server_files(folder, **details):
    """Writes what the server is started with, and what people read.

    Settings that are there already, and may have been edited, stay as they are.

    Args:
        folder: `Path`, base path of the model.
        **details: `version`, `int`; `functions`, dict of `ConcreteFunction`; `facts`,
            dict of `str`; `xla`, `bool`.
    """
    name = folder.name
    settings = {
        "models.config": _MODELS_CONFIG.format(name=name),
        "batching_params.txt": _batching(),
    }
    for file, text in settings.items():
        if not (folder / file).exists():
            _write(folder / file, text)
    table = _signature_table(details["functions"])
    xla = " --xla_cpu_compilation_enabled" if details["xla"] else ""
    _write(
        folder / "SERVING.md",
        _SERVING.format(
            name=name,
            image=IMAGE,
            xla=xla,
            signatures=table,
            text="The film is a treat.",
        ),
    )
    facts = "\n".join(
        f"| {key} | {_cell(value)} |" for key, value in details["facts"].items()
    )
    _write(
        folder / "MODEL_CARD.md",
        _CARD.format(
            name=name, version=details["version"], facts=facts, signatures=table
        ),
    )


def task_facts(task):
    """Tells what a model card says of a task.

    Args:
        task: what is exported.

    Returns:
        Dict of `str` to `str`.
    """
    preprocessor = task.preprocessor
    lengths = {
        name: getattr(preprocessor, name)
        for name in (
            "sequence_length",
            "encoder_sequence_length",
            "decoder_sequence_length",
        )
        if getattr(preprocessor, name, None)
    }
    facts = {
        "task": type(task).__name__,
        "backbone": type(task.backbone).__name__,
        "weights": f"{task.count_params():,}",
        "dtype policy": task.backbone.dtype_policy.name,
        "tokenizer": type(preprocessor.tokenizer).__name__,
        "tokens at most": ", ".join(f"{k} {v}" for k, v in lengths.items()),
    }
    if hasattr(task, "heads"):
        facts["labels"] = "; ".join(
            ", ".join(head.label_names or map(str, range(head.num_classes)))
            for head in task.heads.values()
        )
    if hasattr(task, "sampler"):
        settings = task.sampler.get_config().items()
        stated = ", ".join(f"{k}={v}" for k, v in settings if v not in (None, 0, False))
        facts["decoding"] = f"{type(task.sampler).__name__}({stated})"
    return {**facts, "made with": _versions()}


def _versions():
    modules = {
        "kftune": kftune,
        "keras": keras,
        "keras_hub": keras_hub,
        "tensorflow": tf,
        "tensorflow_text": tf_text,
    }
    return ", ".join(f"{name} {m.__version__}" for name, m in modules.items())


def _batching():
    """Batches are filled up to a power of two, so that few shapes are met."""
    largest = max(BATCH_SIZES)
    sizes = [2**power for power in range(int(math.log2(largest)) + 1)]
    lines = [
        f"max_batch_size {{ value: {largest} }}",
        "batch_timeout_micros { value: 2000 }",
        "max_enqueued_batches { value: 128 }",
        "num_batch_threads { value: 2 }",
        *(f"allowed_batch_sizes: {size}" for size in sizes),
    ]
    return "\n".join(lines) + "\n"


def _signature_table(functions):
    rows = ["| signature | inputs | outputs |", "|---|---|---|"]
    for name, function in functions.items():
        inputs, _ = function.structured_input_signature
        inputs = ", ".join(_spec(spec.name, spec) for spec in inputs)
        outputs = function.structured_outputs.items()
        outputs = ", ".join(_spec(key, spec) for key, spec in outputs)
        rows.append(f"| `{name}` | {inputs} | {outputs} |")
    return "\n".join(rows)


def _spec(name, spec):
    shape = ", ".join("B" if size is None else str(size) for size in spec.shape)
    return f"`{name}`: {spec.dtype.name} ({shape})"


def _cell(text):
    """A label may hold what would end the cell or the row."""
    return " ".join(text.split()).replace("|", r"\|")


def _write(path, text):
    with write_aside(path) as aside:
        aside.write_text(text, "utf-8")
