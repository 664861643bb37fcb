"""The science of the synthetic world: who shows what, and how much each modality knows."""

import re

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from data_modules.synthetic.clips import draw_clip, draw_dialogue_clips, draw_intent_clip
from data_modules.synthetic.intents import SENTENCES, SHARED, shared_sentences
from data_modules.synthetic.latents import EMOTIONS, NEGATIVE, Mode, Shares, draw_latent, generator, pool
from data_modules.synthetic.situations import FEELINGS, SITUATIONS
from data_modules.synthetic.words import FACE_CUES, VOICE_CUES, cue_phrases, face_cues, voice_cues
from data_modules.vocabularies import EMPATHETIC_DIALOGUES, MINTREC, MINTREC2

TIMES = np.linspace(0.05, 0.95, 8, dtype=np.float32)


@pytest.fixture(scope="module")
def clips():
    """(clips of training people, clips of other people), as MER2023 draws them."""
    rng = generator(0, "test")
    halves = []
    for split, count in (("train", 2500), ("test", 1200)):
        people = pool(0, split, 40)
        halves.append([draw_clip(rng, "MER2023", people[i % 40]) for i in range(count)])
    return halves


def test_same_seed_same_people_and_splits_share_nobody():
    first, again, others = pool(3, "train", 20), pool(3, "train", 20), pool(3, "test", 20)
    assert [person.seed for person in first] == [person.seed for person in again]
    assert not {person.seed for person in first} & {person.seed for person in others}
    assert not {person.name for person in first} & {person.name for person in others}


def test_modes_have_their_shares(clips):
    latents = [clip.latent for half in clips for clip in half if clip.latent.emotion != "neutral"]
    share = {mode: np.mean([latent.mode is mode for latent in latents]) for mode in Mode}
    assert share[Mode.POKER_FACE] == pytest.approx(Shares().poker_face, abs=0.03)
    assert share[Mode.FLAT_VOICE] == pytest.approx(Shares().flat_voice, abs=0.03)
    assert share[Mode.MASKING] > 0.02
    assert share[Mode.SARCASM] > 0.02
    for latent in latents:
        assert latent.face == latent.emotion or latent.voice == latent.emotion
        assert latent.mode not in (Mode.MASKING, Mode.SARCASM) or latent.emotion in NEGATIVE


def test_neutral_is_neutral_everywhere():
    latent = draw_latent(generator(0, "n"), pool(0, "train", 1)[0], "neutral")
    assert {latent.face, latent.voice, latent.scene, latent.words} == {"neutral"}


def test_a_mask_comes_after_the_onset():
    person = pool(0, "train", 1)[0]
    latent = draw_latent(generator(0, "m"), person, "sad", Shares(0.0, 0.0, 1.0, 0.0))
    assert latent.mode is Mode.MASKING
    curve = latent.face_track(TIMES)[:, 4]  # mouth_curve
    assert curve[1] < -0.2
    assert (curve[4:] > 0.4).all()


@pytest.mark.parametrize(("modality", "vector"), [("face", "face_vector"), ("voice", "voice_vector")])
def test_an_expressive_modality_tells_the_emotion(clips, modality, vector):
    train, test = ([c.latent for c in half if getattr(c.latent, modality) != "neutral"] for half in clips)
    probe = LogisticRegression(max_iter=500, C=10)
    probe.fit([getattr(latent, vector) for latent in train], [latent.emotion for latent in train])
    assert probe.score([getattr(latent, vector) for latent in test], [latent.emotion for latent in test]) > 0.93


def test_together_the_modalities_know_what_none_knows_alone(clips):
    views = {
        "visual": lambda c: np.r_[c.latent.face_track(TIMES).ravel(), c.latent.scene_vector],
        "voice": lambda c: c.latent.voice_vector,
        "all": lambda c: np.r_[c.latent.face_track(TIMES).ravel(), c.latent.scene_vector, c.latent.voice_vector],
    }
    scores = {}
    for name, view in views.items():
        forest = RandomForestClassifier(60, random_state=0).fit([view(c) for c in clips[0]], [c.label for c in clips[0]])
        scores[name] = forest.score([view(c) for c in clips[1]], [c.label for c in clips[1]])
    assert scores["all"] > 0.95
    assert scores["visual"] < 0.88
    assert scores["voice"] < 0.84


def test_words_alone_tell_little(clips):
    told = [clip.latent.words == clip.label for clip in clips[1]]
    assert np.mean(told) < 0.5


def test_cues_are_the_attributes_above_threshold():
    rng, person = generator(0, "cues"), pool(0, "train", 1)[0]
    for emotion in EMOTIONS:
        latent = draw_latent(rng, person, emotion)
        for cues, table, vector in (
            (face_cues(latent, 8), FACE_CUES, latent.face_vector),
            (voice_cues(latent, 8), VOICE_CUES, latent.voice_vector),
        ):
            said = {phrase: value for value, pair in zip(vector, table.values(), strict=True) for phrase in pair if phrase}
            assert all(abs(said[cue]) >= 0.38 for cue in cues)
            signs = {phrase: sign for pair in table.values() for phrase, sign in zip(pair, (1, -1), strict=True)}
            assert all(np.sign(said[cue]) == signs[cue] for cue in cues)


def test_descriptions_name_the_cues_and_end_with_the_state(clips):
    for clip in clips[0][:200]:
        assert len(clip.description.split()) <= 45
        assert clip.description.rstrip(".").endswith(clip.words[-1])
        for cue in face_cues(clip.latent, 2):
            assert cue in clip.description
        assert all(len(phrase) >= 3 for phrase in cue_phrases(clip.latent).values())


@pytest.mark.parametrize(("dataset", "vocabulary"), [("MIntRec", MINTREC), ("MIntRec2.0", MINTREC2)])
def test_every_intent_has_sentences_and_shared_ones_need_the_emotion(dataset, vocabulary):
    assert len(set(vocabulary)) == {"MIntRec": 20, "MIntRec2.0": 30}[dataset]
    assert set(vocabulary) <= set(SENTENCES)
    assert all(shared_sentences(intent, vocabulary) for intent in vocabulary if intent not in ("Confirm",))
    rng, person = generator(0, dataset), pool(0, "train", 1)[0]
    seen: dict[tuple[str, str], str] = {}
    for intent in vocabulary * 40:
        clip = draw_intent_clip(rng, dataset, person, intent)
        key = (clip.text.lower(), clip.latent.emotion)
        assert seen.setdefault(key, intent) == intent, f"{key} is both {seen[key]} and {intent}"
    by_text: dict[str, set[str]] = {}
    for (text, _), intent in seen.items():
        by_text.setdefault(text, set()).add(intent)
    assert sum(len(intents) > 1 for intents in by_text.values()) > 10
    assert all(len(by_emotion) > 1 for by_emotion in SHARED.values())


def test_a_dialogue_needs_situation_and_feeling():
    for situation in SITUATIONS:
        assert len(set(situation.fine)) == len(FEELINGS)
        assert set(situation.fine) <= set(EMPATHETIC_DIALOGUES)
    rng, person = generator(0, "dialogue"), pool(0, "train", 1)[0]
    for _ in range(100):
        for i, clip in enumerate(draw_dialogue_clips(rng, person, 2)):
            dialogue = clip.dialogue
            assert len(dialogue.history) == 2 * i
            assert clip.label == dialogue.chain.speaker_emotion
            told = " ".join([dialogue.text, dialogue.context, *(turn.text for turn in dialogue.history)]).lower()
            assert clip.label not in re.findall(r"\w+", told)
            assert 8 <= len(dialogue.response.split()) <= 18
