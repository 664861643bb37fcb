"""The endless streams for pre-training, and what can be seen and heard in them."""

import re
from itertools import islice

import numpy as np
from PIL import Image
from sklearn.linear_model import Ridge

from data_modules.record import Task
from data_modules.synthetic.latents import FACE_ATTRIBUTES, SCENE_ATTRIBUTES, VOICE_ATTRIBUTES
from data_modules.synthetic.sheet import contact_sheet
from data_modules.synthetic.streams import TEXT_WEIGHTS, face_batch, text_samples, voice_batch


def test_face_batch_has_frames_and_attributes():
    frames, faces, scenes = face_batch(np.random.default_rng(0), 3, 64)
    assert frames.shape == (3, 3, 64, 64)
    assert frames.dtype == np.uint8
    assert faces.shape == (3, len(FACE_ATTRIBUTES))
    assert scenes.shape == (3, len(SCENE_ATTRIBUTES))
    assert np.abs(faces).max() <= 1
    again = face_batch(np.random.default_rng(0), 3, 64)
    assert all((a == b).all() for a, b in zip(again, (frames, faces, scenes), strict=True))


def test_pixels_show_the_attributes():
    """Even raw pixels of unknown people predict the corner of the mouth and the light."""
    frames, faces, scenes = face_batch(np.random.default_rng(1), 700, 32)
    pixels = frames.mean(1).reshape(len(frames), -1) / 255
    probe = Ridge(10.0).fit(pixels[:600], np.c_[faces, scenes][:600])
    predicted, true = probe.predict(pixels[600:]), np.c_[faces, scenes][600:]
    found = {name: np.corrcoef(predicted[:, i], true[:, i])[0, 1] for i, name in enumerate(FACE_ATTRIBUTES + SCENE_ATTRIBUTES)}
    assert found["mouth_open"] > 0.5
    assert found["light_level"] > 0.6


def test_voice_batch_is_audible_and_keeps_its_loudness():
    waves, attributes = voice_batch(np.random.default_rng(0), 60, 1.0)
    assert waves.shape == (60, 16_000)
    assert waves.dtype == np.float32
    assert np.abs(waves).max() <= 1
    decibels = 20 * np.log10(np.sqrt((waves**2).mean(1)))
    loudness = attributes[:, VOICE_ATTRIBUTES.index("loudness")]
    assert np.corrcoef(decibels, loudness)[0, 1] > 0.85


def test_text_samples_cover_every_data_set_and_task_with_few_words():
    samples = list(islice(text_samples(np.random.default_rng(0)), 1500))
    assert {sample.dataset for sample, _ in samples} == set(TEXT_WEIGHTS)
    assert {task for sample, _ in samples for task in sample.tasks} == set(Task)
    vocabulary: set[str] = set()
    for sample, cues in samples:
        assert set(cues) <= {"visual", "speech", "face"}
        assert cues
        chain = sample.chain
        texts = [sample.subtitle, sample.description, sample.context, sample.response, *cues.values(), *(sample.words or ())]
        if chain is not None:
            steps = [chain.event_scenario, chain.speaker_emotion, chain.emotion_cause, chain.goal_to_response]
            assert len(" ".join(steps).split()) <= 60
            texts += steps
        vocabulary |= set(re.findall(r"[a-z']+", " ".join(text or "" for text in texts).lower()))
    assert len(vocabulary) < 900


def test_streams_never_end_and_repeat_with_their_seed():
    first = [sample for sample, _ in islice(text_samples(np.random.default_rng(5)), 30)]
    again = [sample for sample, _ in islice(text_samples(np.random.default_rng(5)), 30)]
    assert first == again
    assert len({sample.id for sample in first}) == 30


def test_contact_sheet_is_a_picture(tmp_path):
    with Image.open(contact_sheet(tmp_path / "sheet.png", seed=0, people=1, size=64)) as image:
        assert image.width > 7 * 64
