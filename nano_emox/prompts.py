"""A prompt as segments, and segments as token ids.

Text from people (subtitles, dialogue) is tokenised apart from the template, with special tokens switched off, and
modality positions are negative ids: no text can forge a control token or a modality slot.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from transformers import PreTrainedTokenizerBase

from data_modules.record import Sample, Task
from nano_emox.tasks import question

SLOT_IDS: dict[str, int] = {"fusion": -1, "speech": -2, "face": -3, "visual": -4}
MODALITIES = ("visual", "face", "speech", "fusion", "text")
REMEMBERED = 2**14  # texts whose ids are kept

_TITLES = {"fusion": "Voice and picture together", "speech": "Speech", "face": "Face", "visual": "Video"}


@dataclass(frozen=True, slots=True)
class Template:
    """Trusted text: the words of the prompt itself."""

    text: str


@dataclass(frozen=True, slots=True)
class UserText:
    """Text that a person wrote or said; it can hold anything and is only ever plain text."""

    text: str


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of one modality's tokens."""

    name: str


Segment = Template | UserText | Slot


def compose(
    sample: Sample,
    task: Task,
    slots: Collection[str],
    *,
    text: bool = True,
    drop_turns: int = 0,
    cues: Mapping[str, str] | None = None,
    instruction: str | None = None,
) -> list[Segment]:
    """The user's message of a sample: the instruction first, then the evidence.

    Instruction first, so that the rows of a batch share a prefix which a frozen language model needs to read only once.

    Args:
        slots: which modality blocks the prompt has; the others are left out, not filled with zeros.
        text: whether the subtitle and the dialogue are given.
        drop_turns: how many of the oldest dialogue turns to leave out, for over-long samples.
        instruction: in place of the task's question.
        cues: words in place of modality tokens, as the tiny language model reads them when it is pre-trained.
    """
    segments: list[Segment] = [Template(instruction if instruction is not None else question(task, sample.candidates))]
    if text and sample.history:
        segments.append(Template("\nDialogue:"))
        for turn in sample.history[drop_turns:]:
            segments += [Template(f"\n{turn.role}:"), UserText(f" {turn.text}")]
    for name in SLOT_IDS:
        if name in slots:
            if cues is None:
                segments += [Template(f"\n{_TITLES[name]}: "), Slot(name)]
            elif name in cues:
                segments.append(Template(f"\n{_TITLES[name]}: {cues[name]}"))
    if text and sample.subtitle:
        segments += [Template("\nSubtitle:"), UserText(f" {sample.subtitle}")]
    return segments


class PromptTokenizer:
    """Turns segments into ids with a language model's tokenizer and chat template.

    Attributes:
        masks_end: whether attention also leaves out the end token inside a row, as the released code does.

    Args:
        tokenizer: of the language model.
        tokens: how many tokens each modality block has, e.g. `{"visual": 32, "speech": 32, "face": 4, "fusion": 1}`.
    """

    masks_end = False

    def __init__(self, tokenizer: PreTrainedTokenizerBase, tokens: Mapping[str, int]) -> None:
        unknown = set(tokens) - set(SLOT_IDS)
        if unknown:
            raise ValueError(f"unknown modality blocks {sorted(unknown)}; there are {sorted(SLOT_IDS)}")
        self.tokenizer = tokenizer
        self.tokens = dict(tokens)
        marker = "\u241f"
        chat = tokenizer.apply_chat_template([{"role": "user", "content": marker}], add_generation_prompt=True, tokenize=False)
        before, found, after = str(chat).partition(marker)
        if not found:
            raise ValueError(f"the chat template of {tokenizer.name_or_path} does not show the user's message")
        self.before, self.after = self._ids(before, special=True), self._ids(after, special=True)
        self.end_of_turn = _end_of_turn(tokenizer)
        self.pad_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else self.end_of_turn
        self._known: dict[str, list[int]] = {}

    def compose(self, sample: Sample, task: Task, slots: Collection[str], *, text: bool, drop_turns: int) -> list[Segment]:
        """The segments of a sample's prompt in this style."""
        return compose(sample, task, slots, text=text, drop_turns=drop_turns)

    def prompt_ids(self, segments: Sequence[Segment]) -> list[int]:
        """Ids of the whole prompt up to where the answer starts; modality positions are negative (`SLOT_IDS`)."""
        ids = list(self.before)
        for segment in segments:
            match segment:
                case Template(text) | UserText(text):
                    ids += self._plain(text)
                case Slot(name):
                    ids += [SLOT_IDS[name]] * self.tokens[name]
        return ids + self.after

    def prefix_length(self, segments: Sequence[Segment]) -> int:
        """How many ids come before the first modality token and the first word of a person: the same for many samples."""
        common = takewhile(lambda segment: isinstance(segment, Template), segments)
        return len(self.prompt_ids(list(common))) - len(self.after)

    def answer_ids(self, answer: str) -> list[int]:
        """Ids of an answer, closed by the end-of-turn token."""
        return [*self._plain(answer), self.end_of_turn]

    def text(self, ids: list[int]) -> str:
        """The words of generated ids."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True))

    def _plain(self, text: str) -> list[int]:
        """Ids of text that cannot say control tokens; what a data set repeats, and every epoch does, is remembered."""
        if text not in self._known:
            if len(self._known) >= REMEMBERED:
                del self._known[next(iter(self._known))]  # the oldest
            self._known[text] = self._ids(text, special=False)
        return self._known[text]

    def _ids(self, text: str, *, special: bool) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False, split_special_tokens=not special)["input_ids"])


def _end_of_turn(tokenizer: PreTrainedTokenizerBase) -> int:
    turn = tokenizer.convert_tokens_to_ids("<|im_end|>")
    if isinstance(turn, int) and turn >= 0 and turn != tokenizer.unk_token_id:
        return turn
    if tokenizer.eos_token_id is None:
        raise ValueError(f"the tokenizer {tokenizer.name_or_path} has neither <|im_end|> nor an end-of-sequence token")
    return int(tokenizer.eos_token_id)
