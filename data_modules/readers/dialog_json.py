"""Dialogues in JSON: AvaMERG (one sample per turn of the speaker) and M3ED (one sample per utterance)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data_modules.readers.annotation import AnnotationError, Fault, entries_as_samples
from data_modules.readers.lookup import AUDIO, VIDEO, Folder, Lookup
from data_modules.readers.tables import load_json, one_of, split_file
from data_modules.record import ChainOfEmpathy, Media, Sample, Task, Turn


@dataclass(frozen=True)
class EmpatheticDialogues:
    """AvaMERG: `[{conversation_id, speaker_profile, turns: [{turn_id, context, dialogue_history, response, ...}]}]`.

    The public `test.json` has no labels, so validation and test are the labelled `valid.json` where a user has it (both
    are then the same dialogues), and otherwise a hold-out of `train.json` by dialogue: a tenth each, chosen by a hash
    of the conversation's id, the same on every machine. Nothing is ever scored on dialogues of the train split.

    The label of a turn is the emotion of its chain of empathy, lower case. Candidates are the 32 words of
    EmpatheticDialogues and every other word that occurs in the files.
    """

    dataset: str
    marker: str
    vocabulary: tuple[str, ...]
    splits: tuple[str, ...] = ("train", "validation", "test")
    train: str = "train.json"
    labelled: str = "valid.json"
    video: tuple[str, ...] = ("video_v5_0", "train_video/video_v5_0", "train_video", "valid_video")
    audio: tuple[str, ...] = ("audio_v5_0", "train_audio/audio_v5_0", "train_audio", "valid_audio")
    language: str = "en"
    tasks: tuple[Task, ...] = (Task.ERG, Task.MER)

    def read(self, root: Path, split: str) -> Iterator[Sample | AnnotationError]:
        """Entries of one split, by dialogue and turn."""
        if split not in self.splits:
            raise ValueError(f"{self.dataset} has no split {split!r}; there are {sorted(self.splits)}")
        top = root / self.marker
        labelled = top / self.labelled
        files = {path: _dialogues(path) for path in (top / self.train, labelled) if path == top / self.train or path.exists()}
        words = {
            turn["chain_of_empathy"]["speaker_emotion"].strip().lower()
            for dialogues in files.values()
            for dialogue in dialogues
            for _, turn in _turns(dialogue)
            if "chain_of_empathy" in turn
        }
        candidates = tuple(sorted({*self.vocabulary, *words}))
        path = labelled if split != "train" and labelled in files else top / self.train
        videos, audios = Folder(top, self.video, VIDEO), Folder(top, self.audio, AUDIO)
        turns = (
            (place, (dialogue, turn))
            for dialogue in files[path]
            if labelled in files or held_out(dialogue["conversation_id"]) == split
            for place, turn in _turns(dialogue)
        )

        def sample(place: int | str, entry: tuple[Mapping[str, Any], Mapping[str, Any]]) -> Sample:
            return self._sample(split, *entry, candidates, videos, audios, path, place)

        yield from entries_as_samples(turns, sample, path)

    def _sample(
        self, split: str, dialogue: Mapping[str, Any], turn: Mapping[str, Any], candidates: tuple[str, ...],
        videos: Folder, audios: Folder, path: Path, place: int | str,
    ) -> Sample:  # fmt: skip
        missing = [key for key in ("dialogue_history", "response", "chain_of_empathy") if key not in turn]
        if missing:
            problem = f"no {missing}: the reduced public test.json cannot be trained on or scored"
            raise AnnotationError(path, place, problem, Fault.NO_LABELS)
        history = turn["dialogue_history"]
        if not history:
            problem = "an empty dialogue_history; its last entry is the speaker's current utterance"
            raise AnnotationError(path, place, problem, Fault.EMPTY_TEXT)
        conversation, current = dialogue["conversation_id"], history[-1]
        number = int(current.get("index", len(history) - 1))
        profile = dialogue.get("speaker_profile", {}).get("ID")
        chain = turn["chain_of_empathy"]
        clip = _clip(videos, conversation, number, profile)
        return Sample(
            id=f"dia{conversation}utt{number}",
            dataset=self.dataset,
            split=split,
            tasks=self.tasks,
            media=Media(clip, _find(audios, conversation, number, profile)),
            language=self.language,
            subtitle=current["utterance"],
            label=chain["speaker_emotion"].strip().lower(),
            candidates=candidates,
            context=turn.get("context"),
            history=tuple(Turn(entry["role"], entry["utterance"]) for entry in history[:-1]),
            chain=ChainOfEmpathy(
                event_scenario=chain["event_scenario"],
                speaker_emotion=chain["speaker_emotion"].strip().lower(),
                emotion_cause=chain["emotion_cause"],
                goal_to_response=chain["goal_to_response"],
            ),
            response=turn["response"],
            meta={
                "conversation": conversation,
                "topic": dialogue.get("topic"),
                "speaker_profile": dialogue.get("speaker_profile"),
            },
        )


def held_out(conversation: str) -> str:
    """The split of a dialogue where there is no labelled file: 8 : 1 : 1 by a hash of its id."""
    bucket = int.from_bytes(hashlib.blake2b(f"avamerg/{conversation}".encode(), digest_size=8).digest()) % 10
    return {0: "test", 1: "validation"}.get(bucket, "train")


def _dialogues(path: Path) -> Sequence[Mapping[str, Any]]:
    dialogues = load_json(path)
    if not isinstance(dialogues, list):
        raise AnnotationError(path, 1, f"expected a list of dialogues, found a {type(dialogues).__name__}")
    return dialogues


def _turns(dialogue: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for turn in dialogue["turns"]:
        yield f"conversation {dialogue['conversation_id']}, turn {turn.get('turn_id')}", turn


def _find(folder: Folder, conversation: str, number: int, profile: object) -> Path | None:
    """A turn's media: with the profile's id, with whichever id there is, or under the baseline's short names."""
    name = f"dia{conversation}utt{number}"
    exact = folder.find(f"{name}_{profile}") if profile is not None else folder.starting_with(f"{name}_")
    return exact or (folder.find(f"dia{int(conversation)}utt{number + 1}") if conversation.isdigit() else None)


def _clip(folder: Folder, conversation: str, number: int, profile: object) -> Path:
    found = _find(folder, conversation, number, profile)
    return found or folder.expected(f"dia{conversation}utt{number}_{profile}")


@dataclass(frozen=True)
class SeriesDialogues:
    """M3ED: `annotation.json` is series -> dialogue -> utterance; the splits are lists of series."""

    dataset: str
    marker: str
    vocabulary: tuple[str, ...]
    splits: Mapping[str, str]  # split -> list of series
    spelling: Mapping[str, str] = field(default_factory=dict)
    annotation: str = "annotation.json"
    audio: tuple[str, ...] = ("modality_speech",)
    language: str = "zh"
    tasks: tuple[Task, ...] = (Task.MER,)

    def read(self, root: Path, split: str) -> Iterator[Sample | AnnotationError]:
        """Entries of one split, by series, dialogue and utterance."""
        top = root / self.marker
        listing = top / split_file(self.splits, split, self.dataset)
        path = top / self.annotation
        annotation: Any = load_json(path)
        lookup = Lookup(top, audio=self.audio)

        def sample(place: int | str, entry: tuple[str, str, str, Mapping[str, Any]]) -> Sample:
            series, dialogue, utterance, content = entry
            emotion = content["EmoAnnotation"]
            words = (word.strip().lower() for word in emotion.get("final_mul_emo", "").split(","))
            return Sample(
                id=utterance,
                dataset=self.dataset,
                split=split,
                tasks=self.tasks,
                media=lookup.media(f"{content['Speaker']}_{utterance}"),
                language=self.language,
                subtitle=content["Text"],
                label=one_of(emotion["final_main_emo"], self.vocabulary, self.spelling, path, place),
                candidates=self.vocabulary,
                words=tuple(word for word in words if word) or None,
                meta={"series": series, "dialogue": dialogue, "speaker": content["Speaker"]},
            )

        yield from entries_as_samples(self._utterances(annotation, listing, path), sample, path)

    @staticmethod
    def _utterances(
        annotation: Mapping[str, Any], listing: Path, path: Path
    ) -> Iterator[tuple[str, tuple[str, str, str, Mapping[str, Any]] | AnnotationError]]:
        for line, text in enumerate(listing.read_text(encoding="utf-8-sig").splitlines(), start=1):
            series = text.strip()
            if series and series not in annotation:
                yield series, AnnotationError(listing, line, f"series {series!r} is not in {path}", Fault.MISSING_FIELD)
            for dialogue, content in annotation.get(series, {}).items():
                for utterance, entry in content["Dialog"].items():
                    yield f"{dialogue}/{utterance}", (series, dialogue, utterance, entry)
