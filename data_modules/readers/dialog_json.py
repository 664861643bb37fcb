"""Dialogues in JSON, one sample per turn of the speaker: AvaMERG."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_modules.readers.annotation import AnnotationError, Fault, entries_as_samples
from data_modules.readers.lookup import AUDIO, VIDEO, Folder
from data_modules.readers.tables import load_json
from data_modules.record import ChainOfEmpathy, Media, Sample, Task, Turn


@dataclass(frozen=True)
class EmpatheticDialogues:
    """AvaMERG: `[{conversation_id, speaker_profile, turns: [{turn_id, context, dialogue_history, response, ...}]}]`.

    The public `test.json` has no labels, so validation and test are the labelled `valid.json` where a user has it (both
    are then the same dialogues), and otherwise a hold-out of `train.json` by dialogue: a tenth each, chosen by a hash
    of the conversation's id, the same on every machine. Nothing is ever scored on dialogues of the train split.

    The label of a turn is the emotion of its chain of empathy, lower case. Candidates are the 32 words of
    EmpatheticDialogues and every other word that occurs in the files. The clip is the speaker's; the listener's, where it is
    there, is in `meta` as `reply_video` and `reply_audio`, below the data root.

    Attributes:
        folder: of the data set, below the data root.
        only: this file is every split, e.g. the public `test.json`, whose turns are then reported as without labels.
    """

    dataset: str
    folder: str
    vocabulary: tuple[str, ...]
    splits: tuple[str, ...] = ("train", "validation", "test")
    train: str = "train.json"
    labelled: str = "valid.json"
    only: str = ""
    video: tuple[str, ...] = (
        *("video_v5_0", "train_video/video_v5_0", "train_video", "valid_video/video_v5_0", "valid_video"),
        *("test/test_video/video_v5_0", "test/test_video", "test_video", "video"),
    )
    audio: tuple[str, ...] = (
        *("audio_v5_0", "train_audio/audio_v5_0", "train_audio", "valid_audio/audio_v5_0", "valid_audio"),
        *("test/test_audio/audio_v5_0", "test/test_audio", "test_audio", "audio"),
    )
    language: str = "en"
    tasks: tuple[Task, ...] = (Task.ERG, Task.MER)

    @property
    def marker(self) -> str:
        """The file that has to be there."""
        return f"{self.folder}/{self.only or self.train}"

    def read(self, root: Path, split: str) -> Iterator[Sample | AnnotationError]:
        """Entries of one split, by dialogue and turn."""
        if split not in self.splits:
            raise ValueError(f"{self.dataset} has no split {split!r}; there are {sorted(self.splits)}")
        top = root / self.folder
        names = (self.only,) if self.only else (self.train, self.labelled)
        files = {name: load_dialogues(top / name) for name in names if name == names[0] or (top / name).exists()}
        chosen = self.labelled if split != "train" and self.labelled in files else names[0]
        whole = bool(self.only) or self.labelled in files  # otherwise train.json is all there is
        path = top / chosen
        candidates = tuple(sorted({*self.vocabulary, *_emotions(files.values())}))
        clips = _Clips(Folder(top, self.video, VIDEO), Folder(top, self.audio, AUDIO))
        turns = turns_of(files[chosen], path, lambda conversation: whole or held_out(conversation) == split)

        def sample(place: int | str, entry: tuple[str, Mapping[str, Any], Mapping[str, Any]]) -> Sample:
            return self._sample(root, split, *entry, candidates, clips, path, place)

        yield from entries_as_samples(turns, sample, path)

    def _sample(
        self, root: Path, split: str, conversation: str, dialogue: Mapping[str, Any], turn: Mapping[str, Any],
        candidates: tuple[str, ...], clips: _Clips, path: Path, place: int | str,
    ) -> Sample:  # fmt: skip
        missing = [key for key in ("dialogue_history", "response", "chain_of_empathy") if key not in turn]
        if missing:
            problem = f"no {missing}: the reduced public test.json cannot be trained on or scored"
            raise AnnotationError(path, place, problem, Fault.NO_LABELS)
        history = turn["dialogue_history"]
        if not history or not history[-1]["utterance"].strip() or not turn["response"].strip():
            raise AnnotationError(path, place, "an empty dialogue_history, utterance or response", Fault.EMPTY_TEXT)
        current = history[-1]
        if current["role"] != "speaker":
            problem = (
                f"the last entry of dialogue_history is of the {current['role']}; expected the speaker's current utterance"
            )
            raise AnnotationError(path, place, problem)
        number = int(current.get("index", len(history) - 1))
        speaker, listener = (dialogue.get(f"{role}_profile") or {} for role in ("speaker", "listener"))
        chain = turn["chain_of_empathy"]
        meta = {"conversation": conversation, "topic": dialogue.get("topic"), "speaker_profile": speaker or None}
        for key, clip in clips.found(conversation, number + 1, listener.get("ID")).items():
            meta[f"reply_{key}"] = clip.relative_to(root).as_posix()
        return Sample(
            id=f"dia{conversation}utt{number}",
            dataset=self.dataset,
            split=split,
            tasks=self.tasks,
            media=clips.media(conversation, number, speaker.get("ID")),
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
            meta=meta,
        )


def held_out(conversation: str) -> str:
    """The split of a dialogue where there is no labelled file: 8 : 1 : 1 by a hash of its id."""
    bucket = int.from_bytes(hashlib.blake2b(f"avamerg/{conversation}".encode(), digest_size=8).digest()) % 10
    return {0: "test", 1: "validation"}.get(bucket, "train")


def load_dialogues(path: Path) -> Sequence[Any]:
    """The dialogues of a file.

    Raises:
        AnnotationError: it is not a list.
    """
    dialogues = load_json(path)
    if not isinstance(dialogues, list):
        raise AnnotationError(path, 1, f"expected a list of dialogues, found a {type(dialogues).__name__}")
    return dialogues


def turns_of(
    dialogues: Sequence[Any], path: Path, wanted: Callable[[str], bool]
) -> Iterator[tuple[str, tuple[str, Mapping[str, Any], Mapping[str, Any]] | AnnotationError]]:
    """(place, (conversation, dialogue, turn)) of the wanted dialogues; a dialogue that has no turns is an entry, too."""
    for number, dialogue in enumerate(dialogues, start=1):
        place = f"dialogue {number}"
        if not isinstance(dialogue, dict) or not isinstance(dialogue.get("turns"), list) or "conversation_id" not in dialogue:
            if wanted(place):
                yield place, AnnotationError(path, place, "expected an object with conversation_id and turns")
            continue
        conversation = str(dialogue["conversation_id"])
        if not wanted(conversation):
            continue
        place = f"conversation {conversation}"
        if not dialogue["turns"]:
            yield place, AnnotationError(path, place, "no turns", Fault.EMPTY_TEXT)
        for turn in dialogue["turns"]:
            yield f"{place}, turn {turn.get('turn_id')}", (conversation, dialogue, turn)


def _emotions(files: Iterable[Sequence[Any]]) -> Iterator[str]:
    for dialogue in (dialogue for file in files for dialogue in file if isinstance(dialogue, dict)):
        for turn in dialogue.get("turns") or ():
            emotion = (turn.get("chain_of_empathy") or {}).get("speaker_emotion")
            if isinstance(emotion, str) and emotion.strip():
                yield emotion.strip().lower()


@dataclass
class _Clips:
    """Media by conversation, number of the utterance and profile of who speaks."""

    videos: Folder
    audios: Folder

    def media(self, conversation: str, number: int, profile: object) -> Media:
        video = self._find(self.videos, conversation, number, profile)
        expected = f"dia{conversation}utt{number}" + ("" if profile is None else f"_{profile}")
        return Media(video or self.videos.expected(expected), self._find(self.audios, conversation, number, profile))

    def found(self, conversation: str, number: int, profile: object) -> dict[str, Path]:
        """What there is: `video`, `audio`."""
        clips = {"video": self.videos, "audio": self.audios}
        return {key: path for key, folder in clips.items() if (path := self._find(folder, conversation, number, profile))}

    @staticmethod
    def _find(folder: Folder, conversation: str, number: int, profile: object) -> Path | None:
        """With the profile's id, with whichever id there is, or under the short names that the baseline gives."""
        name = f"dia{conversation}utt{number}"
        exact = folder.only_with(name) if profile is None else folder.find(f"{name}_{profile}")
        return exact or (folder.find(f"dia{int(conversation)}utt{number + 1}") if conversation.isdecimal() else None)
