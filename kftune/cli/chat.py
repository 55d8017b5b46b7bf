"""`kftune chat`: talk to a language model in the terminal."""

import argparse

from kftune.cli.option_types import positive_int


def add_parser(commands):
    """Add the subcommand to an `argparse` subparsers object."""
    parser = commands.add_parser(
        "chat",
        help="talk to a language model",
        description="Answer lines of the standard input, each in view of what was said "
        "before, until a blank line or its end. The model is a GPT-2 that was trained "
        "on chats, as recipes/dialogue.py trains it.",
    )
    add = parser.add_argument
    add("--model", required=True, help="folder or name of a GPT-2")
    add(
        "--answer-tokens",
        type=positive_int,
        default=48,
        help="room that what was said before leaves for an answer (default: 48)",
    )
    add(
        "--temperature",
        type=float,
        default=0.0,
        help="above 0, answers are drawn (default: 0, the likeliest tokens)",
    )
    add("--seed", type=int, default=0, help="of what is drawn (default: 0)")
    add("--system", metavar="TEXT", help="a turn of the system before the chat")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace):
    """Chat. Returns 0."""
    chat_with(
        arguments.model,
        answer_tokens=arguments.answer_tokens,
        temperature=arguments.temperature,
        seed=arguments.seed,
        system=arguments.system,
    )
    return 0


def chat_with(model, *, answer_tokens=48, temperature=0.0, seed=0, system=None):
    """Answers lines of the standard input until a blank one or its end.

    An answer is printed as it is written. When the chat gets longer than the model
    reads, its oldest turns go, see `kftune.data.chat_prompt`.

    Args:
        model: `str` or `Path`, folder or name of a GPT-2.
        answer_tokens: `int`. Room that the prompt leaves for an answer.
        temperature: `float` from 0, of `kftune.decoding.Sampling`; 0 is greedy.
        seed: `int`, of the sampling.
        system: `str` or `None`. A turn of the system that stays at the beginning.

    Raises:
        ValueError: if there is no such model, or no room for a prompt.
    """
    from kftune.cli.asked_lines import asked_lines
    from kftune.decoding import Sampling
    from kftune.models import GPT2CausalLM
    from kftune.training import choose_jit_compile

    task = GPT2CausalLM.from_preset(str(model))
    room = task.preprocessor.sequence_length - 1 - answer_tokens  # 1 starts a text
    if room < 1:
        raise ValueError(
            "Expected fewer answer_tokens than the model reads, "
            f"{task.preprocessor.sequence_length}. Received: {answer_tokens}"
        )
    turns = [{"role": "system", "content": system}] if system else []
    _check_system(turns, room, task.preprocessor.count_tokens)
    # The first answer waits for a compilation by XLA longer than it would gain.
    jit_compile = choose_jit_compile()
    task.compile(sampler=Sampling(temperature, seed=seed), jit_compile=jit_compile)
    for said in asked_lines("User: "):
        turns.append({"role": "user", "content": said})
        _answer(task, turns, room, answer_tokens)


def _check_system(turns, room, count):
    """Raises if what the system says leaves nothing to the user."""
    from kftune.data import chat_prompt

    nothing = {"role": "user", "content": ""}
    prompt = chat_prompt([*turns, nothing], max_length=room, length=count)
    if prompt.length >= room:
        raise ValueError(
            f"Expected room for what is said, within {room} tokens. Received: a turn "
            f"of the system that takes {prompt.length}"
        )


def _answer(task, turns, room, answer_tokens):
    """Print the answer to the last turn, and add it; a turn that is too long goes."""
    from kftune.data import CHAT_MARKERS, chat_prompt
    from kftune.decoding import stream

    count = task.preprocessor.count_tokens
    prompt = chat_prompt(turns, max_length=room, length=count)
    if prompt.length > room:
        print(f"Expected at most {room} tokens. Received: {prompt.length}. Say less.")
        turns.pop()
        return
    first = sum(turn["role"] == "system" for turn in turns)  # those stay
    del turns[first : first + prompt.dropped]
    print(CHAT_MARKERS["assistant"], end="", flush=True)
    pieces = []
    ends = [f"\n{marker}" for marker in CHAT_MARKERS.values()]
    limits = {"max_new_tokens": answer_tokens, "stop_strings": ends}
    for piece in stream(task, prompt.text, **limits):
        print(piece, end="", flush=True)
        pieces.append(piece)
    print()
    turns.append({"role": "assistant", "content": "".join(pieces).strip()})
