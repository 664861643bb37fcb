"""Questions as in the supplementary's section D; an answer that is written can be read back."""

import pytest

from data_modules.record import ChainOfEmpathy, Media, Sample, Task, Turn
from nano_emox.tasks import answer, parse, question


def clip(**fields):
    fields = {"id": "c1", "dataset": "any", "split": "train", "tasks": tuple(Task), "media": Media(audio="c1.wav")} | fields
    return Sample(**fields)


CHAIN = ChainOfEmpathy("the exam result came", "anxious", "she fears to fail", "offering reassurance")
DIALOGUE = clip(
    label="anxious",
    candidates=("anxious", "proud"),
    chain=CHAIN,
    response="You did your best. I am here.",
    history=(Turn("speaker", "It came today."), Turn("listener", "And?")),
)


def test_the_questions_carry_their_identifiers_and_sorted_candidates():
    identifiers = {
        Task.MER: "[Recognition]",
        Task.OV_MER: "[Recogn_OV]",
        Task.ERI: "[Inference]",
        Task.MIR: "[Intent]",
        Task.ERG: "[Interaction]",
    }
    for task, identifier in identifiers.items():
        assert question(task, ["sad", "happy"]).startswith(identifier)
    assert question(Task.MER, ["sad", "Anger", "happy"]).endswith("candidate labels: Anger, happy, sad.")
    assert question(Task.MSA) == question(Task.OV_MER)
    with pytest.raises(ValueError, match="candidates"):
        question(Task.MIR)


@pytest.mark.parametrize(
    ("sample", "task", "read"),
    [
        (clip(label="happy", candidates=("happy", "sad"), tasks=(Task.MER,)), Task.MER, {"label": "happy"}),
        (DIALOGUE, Task.MER, {"label": "anxious"}),
        (clip(label="Ask for help", candidates=("Ask for help", "Thank")), Task.MIR, {"label": "Ask for help"}),
        (clip(words=("angry", "let down")), Task.OV_MER, {"words": ("angry", "let down")}),
        (clip(score=-1.2), Task.MSA, {"label": "negative"}),
        (clip(score=-1.2, words=("sad",)), Task.MSA, {"words": ("sad",)}),
        (clip(description="The brows are low. The person feels angry and tired."), Task.ERI, {"words": ("angry", "tired")}),
        (DIALOGUE, Task.ERG, {"label": "anxious", "reply": "You did your best. I am here.", "chain": CHAIN}),
    ],
)
def test_parse_gives_back_what_answer_said(sample, task, read):
    parsed = parse(task, answer(sample, task), sample.candidates)
    assert parsed.parsed
    assert {name: getattr(parsed, name) for name in read} == read


@pytest.mark.parametrize(
    ("task", "text"),
    [
        (Task.MER, "I would rather not say"),
        (Task.MER, ""),
        (Task.MIR, "Dance"),
        (Task.OV_MER, "angry"),
        (Task.MSA, "who knows"),
        (Task.ERI, ""),
        (Task.ERG, "I am here for you."),
        (Task.ERG, "<think>Firstly, the event scenario of this conversation is: x</think>\nreply"),
    ],
)
def test_what_has_not_the_asked_form_is_unparsed_and_never_an_exception(task, text):
    parsed = parse(task, text, ("happy", "sad", "Thank"))
    assert not parsed.parsed
    assert parsed.text == text


def test_a_label_is_read_without_case_but_only_from_the_candidates():
    assert parse(Task.MER, "The most likely label is HAPPY.", ("happy", "sad")).label == "happy"
    assert parse(Task.MER, "The most likely label is merry.", ("happy", "sad")).label is None


def test_a_missing_field_names_sample_and_field():
    with pytest.raises(ValueError, match=r"any/c1.*'eri'.*'description'"):
        answer(clip(), Task.ERI)
