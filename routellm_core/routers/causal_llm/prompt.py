"""The input of a causal LLM that rates: two texts around the question, formatted as a chat.

The texts ask for a rating, from 1 to 5, of how well the *weak* model would answer. The reply is a
label: each rating has its own token. The texts that a model was tuned with are stored beside its
weights.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from ...errors import CheckpointError
from ...prompt.excerpt import LAST, readable
from ..transformer.pretrained import TOKENIZER

LABELS = ("[[1]]", "[[2]]", "[[3]]", "[[4]]", "[[5]]")
"""The tokens of the ratings, the worst first."""

SYSTEM, CLASSIFIER = "system_ft_v5.txt", "classifier_ft_v5.txt"
"""The files of the two texts, named as in the original release."""

MOST_TOKENS = 2_048
"""Tokens read if the checkpoint does not say how many, as in the original release."""

_QUESTION = "{question}"

HEADERS = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
"""Tokens of Llama 3's format."""

Template = Callable[[Sequence[Mapping[str, str]]], str]
"""Turns messages into text in a model's own chat format."""


@dataclass(frozen=True)
class RatingTexts:
    """The texts around a question."""

    system: str
    """The instruction."""
    classifier: str
    """The user's message, with ``{question}`` in place of the question."""

    @classmethod
    def from_folder(cls, folder: Path) -> RatingTexts:
        """Read the texts of a checkpoint.

        Raises:
            CheckpointError: a text is missing, or the second has no ``{question}``.
        """
        read = []
        for name in (SYSTEM, CLASSIFIER):
            try:
                read.append((folder / name).read_text(encoding="utf-8"))
            except (OSError, UnicodeDecodeError) as error:
                raise CheckpointError(
                    f"{folder / name} cannot be read ({error}): put the texts that the model was "
                    f"tuned with, {SYSTEM} and {CLASSIFIER}, into its folder; those of the "
                    "original release are in its routellm/routers/causal_llm"
                ) from error
        if _QUESTION not in read[1]:
            raise CheckpointError(
                f"{folder / CLASSIFIER} has no {_QUESTION}: write it where the prompt goes"
            )
        return cls(*read)

    def messages(self, question: str) -> list[dict[str, str]]:
        """Return the conversation that ends with the question, in OpenAI's chat form."""
        user = self.classifier.replace(_QUESTION, question)
        return [
            {"role": "system", "content": self.system.strip()},
            {"role": "user", "content": user.strip()},
        ]


class RatingPrompt:
    """Turns a question into the model's input, of at most ``max_length`` tokens.

    If the tokenizer has Llama 3's header tokens, the format is that of the original release:
    the two messages under their headers, and the label follows the last ``<|eot_id|>``. Otherwise
    it is the model's own chat template or, if there is none, the texts one after the other.

    Of a question of more than 16,384 characters the beginning and the end are read, with lone
    surrogates replaced by ``?``. If the input is longer than ``max_length``, the middle of the
    question is left out, so that both texts remain. Thread-safe.

    Args:
        texts: the texts around the question.
        tokenizer: counts tokens; it is copied.
        max_length: maximum number of tokens of the whole input.
        template: the model's chat template; not used if the tokenizer has Llama 3's header tokens.

    Raises:
        CheckpointError: the texts alone are longer than ``max_length``.
    """

    def __init__(
        self,
        texts: RatingTexts,
        tokenizer: Tokenizer,
        max_length: int,
        template: Template | None = None,
    ) -> None:
        self._texts = texts
        self._tokenizer = Tokenizer.from_str(tokenizer.to_str())
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._max_length = max_length
        self._llama = has_llama_format(tokenizer)
        self._template = None if self._llama else template
        if (shortest := len(self._encode(""))) >= max_length:
            raise CheckpointError(
                f"{SYSTEM} and {CLASSIFIER} alone take {shortest} tokens of {max_length}: "
                "shorten them, or train with a greater max_length"
            )

    def ids(self, question: str) -> list[int]:
        """Return the tokens before the label."""
        return self._fitted(question)[1]

    def text(self, question: str) -> str:
        """Return the text before the label."""
        return self._render(self._fitted(question)[0])

    def messages(self, question: str) -> list[dict[str, str]]:
        """Return the question and the texts as a conversation in OpenAI's chat form."""
        return self._texts.messages(self._fitted(question)[0])

    def _fitted(self, question: str) -> tuple[str, list[int]]:
        """Return the question, cut to fit, and the tokens of the whole."""
        question = readable(question)
        ids = self._encode(question)
        # More than once only if the ends have more tokens together than in their places.
        while (excess := len(ids) - self._max_length) > 0:
            alone = self._tokenizer.encode(question, add_special_tokens=False).offsets
            kept = max(0, len(alone) - excess)
            last = kept // LAST
            begin = alone[kept - last][0] if kept < len(alone) else 0
            end = alone[-last][0] if last else len(question)
            # A character of several tokens would be kept in both halves.
            question = question[:begin] + question[max(end, begin + 1) :]
            ids = self._encode(question)
        return question, ids

    def _encode(self, question: str) -> list[int]:
        text = self._render(question)
        # A template writes a beginning-of-text token itself.
        encoding = self._tokenizer.encode(text, add_special_tokens=self._template is None)
        ids: list[int] = encoding.ids
        return ids

    def _render(self, question: str) -> str:
        messages = self._texts.messages(question)
        if self._template is not None:
            return self._template(messages)
        if not self._llama:
            return "\n\n".join(message["content"] for message in messages) + "\n"
        start, end, done = HEADERS
        return "".join(
            f"{start}{message['role']}{end}\n\n{message['content']}{done}" for message in messages
        )


def has_llama_format(tokenizer: Tokenizer) -> bool:
    """Whether a tokenizer has the tokens of Llama 3's headers."""
    return all(tokenizer.token_to_id(token) is not None for token in HEADERS)


def template_of(tokenizer: Any) -> Template | None:
    """Return how a tokenizer of transformers formats a chat, up to the start of the answer.

    If the template takes no system message, its text is put in front of the user's. None if there
    is no template.
    """
    if not tokenizer.chat_template:
        return None

    def write(messages: Sequence[Mapping[str, str]]) -> str:
        text: str = tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=True
        )
        return text

    def write_as_one(messages: Sequence[Mapping[str, str]]) -> str:
        content = "\n\n".join(message["content"] for message in messages)
        return write([{"role": "user", "content": content}])

    try:
        write([{"role": "system", "content": "a"}, {"role": "user", "content": "b"}])
    except Exception:  # of jinja2, or of what the template calls
        return write_as_one
    return write


def label_ids(folder: Path, tokenizer: Tokenizer) -> list[int]:
    """Return the tokens of the labels.

    Args:
        folder: the checkpoint, for the error message.
        tokenizer: of the model.

    Raises:
        CheckpointError: it lacks one.
    """
    ids = [number for label in LABELS if (number := tokenizer.token_to_id(label)) is not None]
    if len(ids) < len(LABELS):
        raise CheckpointError(
            f"{folder / TOKENIZER} has only {len(ids)} of the label tokens {' '.join(LABELS)}: "
            "give a checkpoint of `routellm train causal_llm`, which adds them"
        )
    return ids


def has_template(folder: Path) -> bool:
    """Whether a checkpoint's tokenizer has a chat template of its own."""
    if (folder / "chat_template.jinja").is_file():
        return True
    try:
        config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(config.get("chat_template"))
