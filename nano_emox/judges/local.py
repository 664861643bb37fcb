"""A judge from a local directory: any Hugging Face causal language model, decoded greedily in batches."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from nano_emox.judges.judge import Identity, JudgeError, Reply
from nano_emox.judges.prompts import Prompt

_HERE = "\x02judged\x03"  # stands for a message while the chat template is rendered
_VERSIONED = ("*.safetensors", "*.json", "*.jinja", "*.txt", "*.model")


class LocalJudge:
    """Greedy decoding, whatever the published generation settings say; nothing is downloaded, no remote code runs.

    Args:
        directory: with weights (safetensors), configuration and a tokenizer that has a chat template.
        batch_size: prompts at once.
        max_new_tokens: upper limit of a reply.
        device: `cpu`, `cuda`, ...
        dtype: of the weights; `auto` is the published one.

    Raises:
        JudgeError: the directory is absent or holds no such model.
    """

    repeatable = True

    def __init__(
        self, directory: Path, *, batch_size: int = 8, max_new_tokens: int = 128, device: str = "cpu", dtype: str = "auto"
    ) -> None:
        if not (directory / "config.json").is_file():
            raise JudgeError(f"{directory}: no config.json; give the directory of a Hugging Face causal language model")
        options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(directory, **options)
            model = AutoModelForCausalLM.from_pretrained(directory, dtype=dtype, use_safetensors=True, **options)
        except (OSError, ValueError) as error:
            raise JudgeError(f"{directory}: {error}") from error
        if not self.tokenizer.chat_template:
            raise JudgeError(f"{directory}: the tokenizer has no chat template; use an instruction-tuned model")
        self.model = model.eval().to(device)
        self.directory, self.batch_size, self.max_new_tokens = directory, batch_size, max_new_tokens
        self.end = model.generation_config.eos_token_id or self.tokenizer.eos_token_id
        self.pad = self.tokenizer.pad_token_id
        if self.pad is None:
            self.pad = self.tokenizer.eos_token_id
        self._version = directory_digest(directory)

    @property
    def identity(self) -> Identity:
        settings = {
            "decoding": "greedy", "max_new_tokens": self.max_new_tokens, "dtype": str(self.model.dtype),
            "device": self.model.device.type,
        }  # fmt: skip
        return Identity("local", self.directory.resolve().name, self._version, settings)

    def ask(self, prompts: Sequence[Prompt]) -> list[Reply]:
        replies: list[Reply | None] = [None] * len(prompts)
        encoded = [self._encode(prompt) for prompt in prompts]
        room = int(getattr(self.model.config, "max_position_embeddings", 1 << 30)) - self.max_new_tokens
        fitting = []
        for index, ids in enumerate(encoded):
            if len(ids) > room:
                replies[index] = Reply(None, f"the prompt has {len(ids)} tokens, the model has room for {room}")
            else:
                fitting.append(index)
        fitting.sort(key=lambda index: len(encoded[index]))  # rows of like length: little padding
        for start in range(0, len(fitting), self.batch_size):
            rows = fitting[start : start + self.batch_size]
            for index, text in zip(rows, self._generate([encoded[index] for index in rows]), strict=True):
                replies[index] = Reply(text)
        return [reply for reply in replies if reply is not None]

    def _encode(self, prompt: Prompt) -> list[int]:
        """Render the chat template around the messages, whose own text can spell no control token."""
        messages = prompt.messages()
        marked = [message | {"content": _HERE} for message in messages]
        rendered = str(self.tokenizer.apply_chat_template(marked, tokenize=False, add_generation_prompt=True))
        frame = rendered.split(_HERE)
        if len(frame) != len(messages) + 1:
            raise JudgeError(f"{self.directory}: the chat template does not give each of {len(messages)} messages once")
        ids: list[int] = self.tokenizer(frame[0], add_special_tokens=False)["input_ids"]
        for message, after in zip(messages, frame[1:], strict=True):
            ids = ids + self.tokenizer(message["content"], add_special_tokens=False, split_special_tokens=True)["input_ids"]
            ids = ids + self.tokenizer(after, add_special_tokens=False)["input_ids"]
        return ids

    @torch.inference_mode()
    def _generate(self, rows: Sequence[Sequence[int]]) -> list[str]:
        length = max(map(len, rows))
        ids = torch.full((len(rows), length), int(self.pad))
        mask = torch.zeros(len(rows), length, dtype=torch.int64)
        for index, row in enumerate(rows):  # padded on the left: every row ends where its reply begins
            ids[index, length - len(row) :] = torch.tensor(row)
            mask[index, length - len(row) :] = 1
        settings = GenerationConfig(
            do_sample=False, max_new_tokens=self.max_new_tokens, eos_token_id=self.end, pad_token_id=int(self.pad)
        )
        device = self.model.device
        said = self.model.generate(input_ids=ids.to(device), attention_mask=mask.to(device), generation_config=settings)
        return [str(text) for text in self.tokenizer.batch_decode(said[:, length:], skip_special_tokens=True)]


def directory_digest(directory: Path) -> str:
    """Sixteen hex digits of the files that decide what a model says: other weights are another version."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in _VERSIONED for path in directory.glob(pattern)}):
        with path.open("rb") as file:
            digest.update(path.name.encode() + b"\0" + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]
