"""The machinery of `make bench` on its smallest preset: what is compared is the same, and everything is written.

Times are never asserted.
"""

import json

import pytest
import torch
from torch import nn

from bench import data, evaluation, machine, memory, report, scaling, start
from bench.__main__ import measure
from bench.presets import ROWS, Row, preset
from bench.reference import ReferencePath, fuse_maps
from bench.report import Results
from bench.samples import lengths, make_samples
from bench.setting import make_setting
from bench.timing import Ratio, ratio, round_robin
from bench.training import Training
from data_modules.record import Item, Task
from nano_emox.metrics.lexicon import Lexicon, load_lexicon
from nano_emox.metrics.wheels import WHEELS, compile_wheels
from nano_emox.predict import Predictor

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    return make_setting(preset("smoke"), CPU, tmp_path_factory.mktemp("bench"))


@pytest.mark.parametrize("phase", ROWS)
def test_both_paths_have_the_same_loss(setting, phase):
    theirs, own = Training(setting, phase).check()
    assert theirs == pytest.approx(own, rel=1e-5)


@pytest.mark.parametrize("phase", ROWS)
def test_both_paths_have_the_same_gradients(setting, phase):
    both = Training(setting, phase)
    nn.Module.eval(setting.model)
    trained = {name: p for name, p in setting.model.named_parameters() if p.requires_grad}
    found = []
    for path in ("reference", "ours"):
        setting.model.zero_grad()
        if path == "reference":
            both.reference.prepare()
            both.reference.loss(both.decoded).backward()
        else:
            setting.own_decoder()
            losses, _ = setting.model(both.collate(setting.from_store(both.rows, both.modalities)))
            losses.loss.backward()
        found.append({name: p.grad.clone() for name, p in trained.items() if p.grad is not None})
    theirs, own = found
    assert theirs.keys() == own.keys()
    assert own
    for name, gradient in own.items():
        torch.testing.assert_close(gradient, theirs[name], rtol=2e-4, atol=2e-5, msg=lambda text, n=name: f"{n}: {text}")


def test_the_reference_really_computes_more(setting):
    both = Training(setting, "phase2")
    both.prepare_reference()
    released = machine.flops_of(both.reference_step)
    both.prepare_ours()
    assert released > 1.5 * machine.flops_of(both.our_step)


def test_both_paths_give_the_same_answers(setting):
    rows = make_samples([Row(Task.MER, 200, 9)] * 3, setting.clips, setting.prompts, evaluation.MODALITIES)
    nn.Module.eval(setting.model)
    path = ReferencePath(setting.model, setting.prompts, evaluation.MODALITIES)
    path.prepare()
    theirs = [setting.prompts.text(path.answer(Item(s, t, 0, setting.media(s)), 6)) for s, t in rows]
    setting.own_decoder()
    predictor = Predictor(setting.model, setting.prompts, modalities=evaluation.MODALITIES, max_new_tokens=6)
    answers = predictor.answers(setting.from_store(rows, evaluation.MODALITIES))
    assert [text.strip() for text in theirs] == [answer.text for answer in answers]


def test_maps_fused_at_full_resolution_are_the_pooled_ones(setting):
    face = setting.model.encoders["face"].tower
    maps = face.maps(torch.rand(2, 3, 64, 64))
    torch.testing.assert_close(fuse_maps(face, maps), face.fuse(maps), rtol=1e-4, atol=1e-5)


def test_rows_have_the_tokens_that_are_asked_for(setting):
    for phase, rows in setting.preset.rows.items():
        modalities = setting.preset.phases[phase].modalities
        for row, (sample, task) in zip(rows, setting.rows(phase), strict=True):
            tokens, supervised = lengths(sample, task, setting.prompts, modalities)
            assert abs(supervised - row.supervised) <= 1
            if "text" in modalities:
                assert abs(tokens - row.tokens) <= 1


def test_wheels_read_again_say_the_same(tmp_path):
    folder = evaluation.write_wheels(tmp_path)
    again = Lexicon("again", WHEELS, compile_wheels(folder))
    words = ["happy", "sad", "warm", "unheard"]
    assert any(again.groups(words))
    assert load_lexicon(folder).groups(words) == again.groups(words)


def test_ratios_are_of_medians_per_sample():
    one = ratio("x", [8.0, 6.0, 10.0], [2.0, 1.0, 4.0], shares=(1, 2))
    assert (one.ratio, one.low, one.high) == (8.0, 5.0, 12.0)


def test_paths_take_turns():
    order = []
    taken = round_robin({name: lambda name=name: order.append(name) for name in "ab"}, 3, warm_up=False)
    assert "".join(order) == "abbaab"
    assert [len(column) for column in taken.values()] == [3, 3]


def test_a_part_alone_leaves_its_results(tmp_path):
    results = measure("smoke", CPU, ["data"], 1, tmp_path)
    written = json.loads((tmp_path / "latest.json").read_text())
    assert set(written["ratios"]) == {"data.store"} == set(written["ranges"])
    assert written["settings"]["preset"] == "smoke"
    assert written["machine"]["torch"] == torch.__version__
    assert (tmp_path / "ratios.png").stat().st_size > 5000
    assert report.table(results).row_count == 1


def test_what_a_gpu_is_asked_runs_on_a_cpu_too(setting, tmp_path):
    found = machine.utilisation(setting, "phase1_speech", 1)
    assert 0 < found.mfu < 2
    assert found.flops > 1e8
    assert found.tokens_per_second > 0
    path = machine.trace(setting, "phase1_speech", tmp_path / "trace.json")
    assert "traceEvents" in json.loads(path.read_text())


def test_memory_of_a_step_is_measured(setting, tmp_path):
    before = memory.reset_peak(CPU)
    block = torch.ones(64, 2**20)  # 256 MiB
    assert 240 < (memory.peak_bytes(CPU) - before) / memory.MIB < 300
    del block


@pytest.mark.slow
def test_memory_of_both_paths_in_processes_of_their_own(tmp_path):
    found = {r.name: r for r in memory.measure("smoke", "cpu", tmp_path, 1)}
    assert set(found) == {"memory.train_step", "memory.whole"}
    assert all(r.reference > 0 and r.ours > 0 for r in found.values())


@pytest.mark.slow
def test_an_epoch_of_both_paths(tmp_path):
    found = measure("smoke", CPU, ["epoch"], 1, tmp_path).ratios
    assert [one.name for one in found] == [*(f"epoch.tiny_{phase}" for phase in ROWS), "epoch.tiny"]
    assert all(one.ratio > 0 for one in found)
    assert found[-1].ours == pytest.approx(sum(one.ours for one in found[:-1]))


@pytest.mark.slow
def test_curves_and_their_picture(tmp_path):
    curves = list(scaling.measure("smoke", CPU, tmp_path, 1, lambda text: None, brief=True))
    assert [curve.name for curve in curves] == ["sequence length", "extraction"]
    assert report.draw_curves(curves, tmp_path / "curves.png").stat().st_size > 5000
    results = report.Results({"preset": "smoke"}, {}, curves=curves)
    report.write(results, tmp_path)
    assert json.loads((tmp_path / "latest.json").read_text())["curves"]["extraction"]["points"][0][0] == 0


@pytest.mark.slow
def test_the_start_is_measured(tmp_path):
    found, step = start.measure(tmp_path, 1)
    assert step.name == "start.first_step"
    assert found.ratio > 0 < step.ratio


def test_growth_is_read_off_the_ends():
    for nothing in ([], [(0, 0.5)]):
        assert scaling.Curve("x", "n", "s", [*nothing, (1, 1.0), (2, 3.0), (4, 16.0)]).exponent == pytest.approx(2.0)


def test_the_page_takes_the_measured_part_and_keeps_the_rest(tmp_path):
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    settings = {"preset": "smoke", "rounds": 1, "when": "now", "device": "cpu"}
    results = Results(settings, machine.describe(CPU), [Ratio("data.store", 3.0, 2.0, 4.0, 3.0, 1.0, note="an item")])
    report.write(results, tmp_path / "out", page)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "| `data.store` | **3.0** | 2.0 to 4.0 | an item |" in text
    assert "old" not in text
    assert (tmp_path / "pictures" / "bench_ratios.png").is_file()


def test_a_page_without_a_place_is_an_error(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("nothing")
    with pytest.raises(ValueError, match="put both lines"):
        report.write(Results({"preset": "x"}, {"gpu": "g", "cpu": "c"}), tmp_path, page)


def test_extraction_rate_counts_clips(setting, tmp_path):
    assert data.extraction_rate(setting, tmp_path, 0, 9) > 0
    with pytest.raises(ValueError, match="16 clips for 2 processes"):
        data.extraction_rate(setting, tmp_path, 2, 16)
