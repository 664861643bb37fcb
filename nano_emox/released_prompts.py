"""`prompt_style=released`: the prompt that the authors' checkpoint was trained with, in place of the chat template.

- One string is tokenised between two modality slots, as in the released code: token boundaries may cross from the template
  into a subtitle. Control tokens in a subtitle stay plain text, which is the one thing that is not reproduced.
- An answer ends in `###` and the end token; padding is the end token, and attention leaves every end token out.
- Candidates are sorted; the released order is that of a Python set and changes with every process.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import takewhile

from transformers import PreTrainedTokenizerBase

from data_modules.record import Sample, Task
from nano_emox.prompts import SLOT_IDS, PromptTokenizer, Segment, Slot, Template, UserText
from nano_emox.tasks import question

CLOSING = "###"
_BEFORE = {
    "fusion": "The audio and video merged info is: <Multi>",
    "speech": "The audio content is as follows: <Audio>",
    "face": "Meanwhile, we uniformly sample raw frames from the video and extract faces from these frames: <Video>",
    "visual": "Meanwhile, we uniformly sample raw frames from the video: <Video>",
}
_AFTER = {"fusion": "</Multi>. ", "speech": "</Audio>. ", "face": "</Video>. ", "visual": "</Video>. "}
_BARE = ({"speech"}, {"face"}, {"visual"}, {"face", "visual"})  # with a subtitle, these lack the `###Human: `


class ReleasedPrompts(PromptTokenizer):
    """Turns samples into ids as the released code does; same arguments and use as `PromptTokenizer`.

    Raises:
        ValueError: the tokenizer has no `<|im_start|>`, which begins a row.
    """

    masks_end = True

    def __init__(self, tokenizer: PreTrainedTokenizerBase, tokens: Mapping[str, int]) -> None:
        super().__init__(tokenizer, tokens)
        begin = tokenizer.convert_tokens_to_ids("<|im_start|>")
        if not isinstance(begin, int) or begin == tokenizer.unk_token_id:
            raise ValueError(f"the tokenizer {tokenizer.name_or_path} has no <|im_start|>; model.prompt_style=chat needs none")
        self.begin = begin
        self.pad_id = self.end_of_turn

    def compose(self, sample: Sample, task: Task, slots: Collection[str], *, text: bool, drop_turns: int) -> list[Segment]:
        """Slots in the order fusion, speech, face, visual; then the subtitle; the question last."""
        subtitle = text and sample.subtitle is not None
        segments: list[Segment] = [] if subtitle and set(slots) in _BARE else [Template("###Human: ")]
        for name in SLOT_IDS:
            if name in slots:
                segments += [Template(_BEFORE[name]), Slot(name), Template(_AFTER[name])]
        if subtitle:
            segments += [Template("The subtitle of this video is: <Subtitle>"), UserText(str(sample.subtitle))]
            segments.append(Template("</Subtitle>. "))
        if text and sample.history:
            turns = " ".join(f"{turn.role}: {turn.text}" for turn in sample.history[drop_turns:])
            segments += [Template("Dialogue: "), UserText(turns), Template(" ")]
        asked = question(task, sample.candidates, separator=",")
        segments.append(
            Template(f"Now, please answer my question based on all the provided information. {asked} ###Assistant: ")
        )
        return segments

    def prompt_ids(self, segments: Sequence[Segment]) -> list[int]:
        """The begin token, then ids; modality positions are negative (`SLOT_IDS`)."""
        ids, pending = [self.begin], ""
        for segment in segments:
            match segment:
                case Template(text) | UserText(text):
                    pending += text
                case Slot(name):
                    ids += self._ids(pending, special=False) + [SLOT_IDS[name]] * self.tokens[name]
                    pending = ""
        return ids + self._ids(pending, special=False)

    def prefix_length(self, segments: Sequence[Segment]) -> int:
        """As in the chat style; but tokens may cross from the template into what a person said, so only up to a slot."""
        common = list(takewhile(lambda segment: isinstance(segment, Template), segments))
        rest = segments[len(common) :]
        return len(self.prompt_ids(common)) if rest and isinstance(rest[0], Slot) else 1

    def answer_ids(self, answer: str) -> list[int]:
        """Ids of an answer with its `###`, then the end token; both are supervised."""
        return [*self._ids(answer + CLOSING, special=False), self.end_of_turn]

    def text(self, ids: list[int]) -> str:
        """The words up to the first `###`."""
        return super().text(ids).split(CLOSING)[0].rstrip("#")


def prompts_in(style: str, tokenizer: PreTrainedTokenizerBase, tokens: Mapping[str, int]) -> PromptTokenizer:
    """The prompts of `model.prompt_style`: `chat` or `released`."""
    return {"chat": PromptTokenizer, "released": ReleasedPrompts}[style](tokenizer, tokens)
