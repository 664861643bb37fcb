"""A blind study from predictions to the table; filled forms are hostile until checked."""

from __future__ import annotations

import copy
import json
import re

import numpy as np
import pytest

from data_modules.record import Media, Sample, Task, Turn
from nano_emox.evaluation import Prediction
from nano_emox.human_evaluation import DIMENSIONS, draw_study, kappa_of, read_key, read_ratings, score_ratings, write_study

NAMES = [dimension.name for dimension in DIMENSIONS]
SYSTEMS = ("ours", "peer", "small")
HOSTILE = 'So sorry.</script><img src=x onerror="alert(1)"> \u2028'


def sample(index: int) -> Sample:
    history = (Turn("speaker", "I lost my job."), Turn("listener", "Oh no."))
    return Sample(
        f"dia{index}", "AvaMERG", "test", (Task.ERG,), Media(video="clip.mp4"), subtitle=f"Line {index}",
        context="A talk about work.", history=history, response="gold",
    )  # fmt: skip


def reply(system: str, index: int) -> Prediction:
    text = f"{HOSTILE} {index}" if system == "small" else f"words {hash_free(system)} {index}"
    return Prediction(f"dia{index}", "AvaMERG", "erg", "h", "<think>x</think>" + text, True, reply=text)


def hash_free(system: str) -> int:
    return 10 + SYSTEMS.index(system)


@pytest.fixture
def study():
    predictions = {system: [reply(system, index) for index in range(12)] for system in SYSTEMS}
    predictions["peer"][3] = Prediction("dia3", "AvaMERG", "erg", "h", "gibberish", False)
    predictions["peer"].append(Prediction("x", "MER2023", "mer", "h", "happy", True, label="happy"))
    samples = {("AvaMERG", f"dia{index}"): sample(index) for index in range(12)}
    return draw_study(predictions, samples, dialogues=8, raters=3, seed=5)


@pytest.fixture
def written(study, tmp_path):
    return tmp_path / "study", write_study(study, tmp_path / "study", {"ours": "a.jsonl"})


def content(form) -> dict:
    found = re.search(r"^const content = (.*);$", form.read_text(), re.M)
    assert found
    return json.loads(found.group(1))


def fill(form, rate) -> dict:
    """What the form's download holds, with `rate(dialogue, text, dimension)`."""
    shown = content(form)
    ratings = {
        item["id"]: {each["id"]: {name: rate(item["id"], each["text"], name) for name in NAMES} for each in item["replies"]}
        for item in shown["items"]
    }
    return {"format": shown["format"], "study": shown["study"], "rater": shown["rater"], "complete": True, "ratings": ratings}


def by_system(dialogue, text, name) -> int:
    return {"1": 5, "S": 1}[text.removeprefix("words ")[0]] if "11" not in text[:9] else 3


def saved(directory, records):
    paths = []
    for index, record in enumerate(records):
        paths.append(directory / f"ratings{index}.json")
        paths[-1].write_text(json.dumps(record))
    return paths


def test_a_form_is_blind_shuffled_and_reaches_nothing(study, written):
    directory, forms = written
    assert [form.name for form in forms] == ["rater-01.html", "rater-02.html", "rater-03.html"]
    page = forms[0].read_text()
    assert "ours" not in page
    assert "dia1" not in page, "ids of the data set would tell who answered"
    assert "<img" not in page, "texts cannot become markup"
    assert not re.search(r"https?://|<link|src=[\"']", page), "nothing is loaded"
    shown = content(forms[0])
    first = shown["items"][0]
    assert [turn["role"] for turn in first["turns"]] == ["speaker", "listener", "speaker"]
    assert sorted(each["id"] for each in first["replies"]) == ["A", "B", "C"]
    orders = {tuple(item["id"] for item in content(form)["items"]) for form in forms}
    assert len(orders) == 3, "every rater has an own order"
    letters = {letters[dialogue]["A"] for letters in study.letters for dialogue in letters}
    assert letters == set(SYSTEMS), "a letter is no system"
    assert (directory / "key.json").stat().st_mode & 0o077 == 0
    with pytest.raises(ValueError, match="seals a study already"):
        write_study(study, directory, {})


def test_the_draw_is_seeded_and_takes_only_what_all_answered(study):
    predictions = {system: [reply(system, index) for index in range(12)] for system in SYSTEMS}
    samples = {("AvaMERG", f"dia{index}"): sample(index) for index in range(12)}
    assert "dia3" not in {each.sample for each in study.dialogues}
    assert study.left_out == {"ours": 0, "peer": 1, "small": 0}
    again = draw_study(predictions, samples, dialogues=8, raters=3, seed=6)
    assert again == draw_study(predictions, samples, dialogues=8, raters=3, seed=6)
    assert again != draw_study(predictions, samples, dialogues=8, raters=3, seed=7)
    with pytest.raises(ValueError, match="only 12 dialogues are answered by all systems, 13 are wanted"):
        draw_study(predictions, samples, dialogues=13)
    with pytest.raises(ValueError, match=r"AvaMERG/dia.*: no such dialogue"):
        draw_study(predictions, {}, dialogues=8)
    with pytest.raises(ValueError, match="needs 2 to 26 systems"):
        draw_study({"ours": []}, samples)


def test_the_table_undoes_the_blinding(written, tmp_path):
    directory, forms = written
    paths = saved(tmp_path, [fill(form, by_system) for form in forms])
    scores = score_ratings(read_key(directory), read_ratings(paths, read_key(directory)))
    means = {system: row["empathy"]["mean"] for system, row in scores["systems"].items()}
    assert means == {"ours": 5.0, "peer": 3.0, "small": 1.0}
    assert scores["systems"]["peer"]["average"] == {"mean": 3.0, "interval": [3.0, 3.0]}
    assert scores["kappa"]["average"] == pytest.approx(1, abs=1e-4)
    assert scores["raters"] == [1, 2, 3]
    assert scores["dialogues"] == 8


def test_kappa_is_that_of_fleiss_1971():
    # the worked example of the paper's literature: 10 subjects, 14 raters, kappa = 0.210
    counts = [[0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1], [7, 7, 0, 0, 0],
              [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7]]  # fmt: skip
    ratings = np.array([np.repeat([1, 2, 3, 4, 5], row) for row in counts]).T
    assert kappa_of(ratings) == pytest.approx(0.210, abs=5e-4)
    assert kappa_of(ratings[:1]) is None, "one rater agrees with nobody"
    assert kappa_of(np.full((3, 4), 5)) is None, "0 / 0"


def test_an_unfinished_form_is_named_or_left_out(written, tmp_path):
    directory, forms = written
    records = [fill(form, by_system) for form in forms]
    del records[1]["ratings"]["d004"]["B"]["safety"]
    del records[2]["ratings"]["d006"]
    key = read_key(directory)
    ratings = read_ratings(saved(tmp_path, records), key)
    with pytest.raises(ValueError, match="rater 2: d004, reply B has no rating of safety"):
        score_ratings(key, ratings)
    scores = score_ratings(key, ratings, partial=True)
    assert (scores["dialogues"], scores["left_out"]) == (6, 2)


def _with(record, path, value):
    changed = copy.deepcopy(record)
    *parents, last = path
    target = changed
    for name in parents:
        target = target[name]
    target[last] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["ratings", "d001", "A", "empathy"], 6, "d001, reply A: empathy is '6', not one of 1 to 5"),
        (["ratings", "d001", "A", "empathy"], True, "empathy is 'True'"),
        (["ratings", "d001", "A", "empathy"], "5", "not one of 1 to 5"),
        (["ratings", "d001", "A", "charm"], 5, "d001, reply A, scale 'charm' was not"),
        (["ratings", "d001", "D"], {}, "d001, reply 'D' was not on this rater's form"),
        (["ratings", "d999"], {}, "dialogue 'd999' was not"),
        (["ratings", "d001"], [1], "d001, reply: ratings by name are expected"),
        (["ratings"], None, "dialogue: ratings by name are expected"),
        (["rater"], 9, "there is no rater '9'"),
        (["rater"], True, "there is no rater 'True'"),
        (["study"], "0" * 16, "belongs to study"),
        (["format"], "x", "not what the form's"),
        (["more"], 1, "not what the form's"),
    ],
)
def test_a_hostile_form_is_refused_with_file_and_dialogue(written, tmp_path, path, value, message):
    directory, forms = written
    (file,) = saved(tmp_path, [_with(fill(forms[0], by_system), path, value)])
    with pytest.raises(ValueError, match=message) as raised:
        read_ratings([file], read_key(directory))
    assert str(file) in str(raised.value)


@pytest.mark.parametrize("text", ["", "{", "[" * 200_000, '{"a": 1, "a": 2}', "[]", "\udcff", "NaN"], ids=range(7))
def test_what_is_no_json_is_refused(written, tmp_path, text):
    directory, _ = written
    file = tmp_path / "ratings.json"
    file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=re.escape(str(file))):
        read_ratings([file], read_key(directory))


def test_a_rater_counts_once_and_a_changed_key_is_noticed(written, tmp_path):
    directory, forms = written
    paths = saved(tmp_path, [fill(forms[0], by_system)] * 2)
    with pytest.raises(ValueError, match="rater 1 is already in"):
        read_ratings(paths, read_key(directory))
    key_file = directory / "key.json"
    key_file.write_text(key_file.read_text().replace('"peer"', '"best"'))
    with pytest.raises(ValueError, match="the key was changed"):
        read_ratings(paths, read_key(directory))


def test_the_command_reads_dialogues_from_the_data_root_and_scores_what_comes_back(tmp_path):
    from experiments.human_eval import make_study_from_files, score_study
    from nano_emox.config import ConfigError
    from nano_emox.evaluation import PredictionLog

    turns = [{"index": 0, "role": "speaker", "utterance": "I lost my job."}]
    test, gold = [], []
    for index in range(3):
        turn = {
            "turn_id": "0",
            "context": "A talk.",
            "dialogue_history": turns,
            "response": f"gold {index}",
            "chain_of_empathy": {
                "event_scenario": "e",
                "speaker_emotion": "sad",
                "emotion_cause": "c",
                "goal_to_response": "g",
            },
        }
        profile = {"age": "young", "gender": "male", "timbre": "low", "ID": 7}
        gold.append(
            Prediction(
                f"dia1000{index}utt0", "AvaMERG", "erg", "h", "t", True, reply=f"said {index}", gold_reply=f"gold {index}"
            )
        )
        test.append(
            {"conversation_id": f"1000{index}", "speaker_profile": profile, "listener_profile": profile, "turns": [turn]}
        )
        for kind, ending in (("video", "mp4"), ("audio", "wav")):
            media = tmp_path / f"data/AvaMERG/{kind}_v5_0/dia1000{index}utt0_7.{ending}"
            media.parent.mkdir(parents=True, exist_ok=True)
            media.touch()
    for split, dialogues in (("train", []), ("valid", test), ("test", [])):
        (tmp_path / f"data/AvaMERG/{split}.json").write_text(json.dumps(dialogues))
    with PredictionLog(tmp_path / "ours.jsonl") as log:
        for each in gold:
            log.append(each)
    options = {"dialogues": 2, "raters": 2, "seed": 0}
    forms = make_study_from_files([f"{tmp_path}/ours.jsonl"], tmp_path / "data", tmp_path / "out", reference=True, **options)
    assert {turn["text"] for item in content(forms[0])["items"] for turn in item["turns"]} == {"I lost my job."}
    paths = saved(tmp_path, [fill(form, lambda dialogue, text, name: 5 if "gold" in text else 2) for form in forms])
    scores = score_study(tmp_path / "out", paths)
    assert scores == json.loads((tmp_path / "out/scores.json").read_text())
    assert {system: row["average"]["mean"] for system, row in scores["systems"].items()} == {"ours": 2.0, "reference": 5.0}
    for files in (["ours=/none.jsonl"], [f"{tmp_path}/ours.jsonl"]):
        with pytest.raises(ConfigError):
            make_study_from_files(files, tmp_path / "data", tmp_path / "out2", **options)
