"""`Predictor`: clips in, answers out. The command line, the evaluation and an application all go through here.

Greedy decoding, so an answer depends on nothing but the clip, the question and the weights: a batch of many and a batch of
one say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch

from data_modules.inputs import MediaInputs
from data_modules.media import MediaError, Reason, probe
from data_modules.record import Item, Media, Sample, Task
from nano_emox.batch import Collator
from nano_emox.model import NanoEmoX
from nano_emox.prompts import MODALITIES, PromptTokenizer
from nano_emox.tasks import Answer, answer, parse

CLOSED = (Task.MER, Task.MIR)  # these choose among candidates


@dataclass(frozen=True, slots=True)
class ClipAnswer:
    """An answer about one clip, and which modalities it rests on."""

    answer: Answer
    modalities: tuple[str, ...]


class Predictor:
    """Answers in batches, or about one clip with streamed text.

    Args:
        model: with stored features in the items, or with its towers attached for media.
        prompts: of the model's language model.
        modalities: what the answers may rest on, of `visual face speech fusion text`.
        max_new_tokens: upper limit of an answer.
        max_length: tokens a prompt may have.
        decode: `greedy`, or `likelihood`: closed-label tasks (MER, MIR) take the candidate whose whole answer, end of turn
            included, is the most probable; the sum of log-probabilities, not normalised by length. Open tasks stay greedy.
    """

    def __init__(
        self,
        model: NanoEmoX,
        prompts: PromptTokenizer,
        *,
        modalities: Collection[str] = MODALITIES,
        max_new_tokens: int = 512,
        max_length: int = 1024,
        decode: Literal["greedy", "likelihood"] = "greedy",
    ) -> None:
        self.model = model.eval()
        self.decode = decode
        self.prompts = prompts
        self.collate = Collator(prompts, modalities, max_length=max_length, generate=True)
        self.max_new_tokens = max_new_tokens

    def answers(self, items: Sequence[Item]) -> list[Answer]:
        """One answer an item, in order; items may differ in task, data set and modalities."""
        closed = [self.decode == "likelihood" and item.task in CLOSED for item in items]
        chosen = iter(self._choose([item for item, choice in zip(items, closed, strict=True) if choice]))
        said = iter(self._say([item for item, choice in zip(items, closed, strict=True) if not choice]))
        texts = [next(chosen if choice else said) for choice in closed]
        return [parse(item.task, text, item.sample.candidates) for item, text in zip(items, texts, strict=True)]

    def _say(self, items: Sequence[Item]) -> list[str]:
        if not items:
            return []
        ids = self._generate(self.collate(items).to(self.model.device))
        return [self.prompts.text(row.tolist()) for row in ids]

    def _choose(self, items: Sequence[Item]) -> list[str]:
        if not items:
            return []
        texts = [[answer(replace(item.sample, label=label), item.task) for label in item.sample.candidates] for item in items]
        ids = [[self.prompts.answer_ids(text) for text in row] for row in texts]
        scores = self.model.score(self.collate(items).to(self.model.device), ids)
        return [row[int(of_row.argmax())] for row, of_row in zip(texts, scores, strict=True)]

    def clip(
        self,
        path: str | Path,
        task: Task,
        inputs: MediaInputs,
        *,
        subtitle: str | None = None,
        candidates: Sequence[str] = (),
        stream: Callable[[str], None] | None = None,
    ) -> ClipAnswer:
        """Answer about any video or audio file.

        Args:
            inputs: reads the clip's frames and waveform; a stream that the file lacks is a modality left out.
            subtitle: what is said, if known.
            candidates: labels to choose from, for MER and MIR.
            stream: is called with pieces of text as they are generated.

        Raises:
            MediaError: the file cannot be read, or has neither a picture nor sound.
        """
        path = Path(path)
        info = probe(path)
        if not info.has_video and not info.has_audio:
            raise MediaError(path, Reason.NO_VIDEO, "the file has neither a picture nor sound")
        media = Media(video=path if info.has_video else None, audio=None if info.has_video else path)
        sample = Sample(
            path.name,
            "clip",
            "predict",
            (task,),
            media,
            subtitle=subtitle,
            candidates=tuple(sorted(candidates, key=str.casefold)),
        )
        item = Item(sample, task, 0, inputs(sample))
        batch = self.collate([item])
        used = [name for name, rows in batch.slots.items() if bool(rows.any())]
        if subtitle and "text" in self.collate.modalities:
            used.append("text")
        streamer = _Streamer(self.prompts, stream) if stream else None
        ids = self._generate(batch.to(self.model.device), streamer)
        text = self.prompts.text(ids[0].tolist())
        return ClipAnswer(parse(task, text, sample.candidates), tuple(used))

    def _generate(self, batch: Any, streamer: Any = None) -> torch.Tensor:
        return self.model.generate(
            batch, self.max_new_tokens, streamer, eos_token_id=self.prompts.end_of_turn, pad_token_id=self.prompts.pad_id
        )


class _Streamer:
    """Hands out whole pieces of text: a character of several tokens waits until it is complete."""

    def __init__(self, prompts: PromptTokenizer, sink: Callable[[str], None]) -> None:
        self.prompts, self.sink = prompts, sink
        self.ids: list[int] = []
        self.said = 0

    def put(self, value: torch.Tensor) -> None:
        self.ids += value.flatten().tolist()
        text = self.prompts.text(self.ids)
        if not text.endswith("\ufffd"):
            self.sink(text[self.said :])
            self.said = len(text)

    def end(self) -> None:
        self.sink("\n")
