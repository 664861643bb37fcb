"""A typed configuration: what is wrong is named, with the nearest right thing."""

from pathlib import Path

import pytest

from nano_emox.config import ConfigError, load, require_paths, to_dict

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
TINY = [EXPERIMENTS / "p2e.yaml", EXPERIMENTS / "presets" / "tiny.yaml"]
PAPER = [EXPERIMENTS / "p2e.yaml", EXPERIMENTS / "presets" / "paper.yaml"]


def test_the_paper_preset_holds_the_published_numbers():
    config = load(PAPER)
    assert list(config.phases) == ["phase1_speech", "phase1_visual", "phase2", "phase3"]
    assert config.phases["phase3"].data == {
        "MER-Caption+": 0.55,
        "AvaMERG": 0.35,
        "MERR-Fine": 0.05,
        "MIntRec2.0": 0.03,
        "MIntRec": 0.02,
    }
    assert [(p.optim.lr, p.epochs, p.steps_per_epoch, p.batch_size) for p in config.phases.values()] == [
        (3e-4, 3, 5000, 3),
        (3e-4, 5, 5000, 3),
        (1e-5, 1, 5000, 3),
        (8e-6, 60, 5000, 3),
    ]
    assert config.model.tokens == {"visual": 32, "speech": 32, "face": 4, "fusion": 1}
    assert (config.model.lora.rank, config.model.lora.alpha) == (16, 32)


def test_the_tiny_preset_changes_sizes_and_lengths_but_not_the_curriculum():
    tiny, paper = load(TINY), load(PAPER)
    for name, phase in tiny.phases.items():
        published = paper.phases[name]
        assert (phase.trainable, phase.data, phase.tasks, phase.modalities, phase.init_from) == (
            published.trainable,
            published.data,
            published.tasks,
            published.modalities,
            published.init_from,
        )


def test_overrides_win_and_are_typed():
    config = load(TINY, ["phases.phase2.optim.lr=2e-5", "seed=7", "run=[phase2]"])
    assert config.phases["phase2"].optim.lr == 2e-5
    assert (config.seed, config.run) == (7, ["phase2"])
    assert to_dict(config)["phases"]["phase2"]["optim"]["lr"] == 2e-5


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("phasess.x=1", "unknown key phasess; did you mean phases?"),
        ("phases.phase2.optim.lrr=1", "did you mean phases.phase2.optim.lr?"),
        ("data.roott=/x", "did you mean data.root?"),
        ("seed=many", "seed: Value 'many'"),
        ("model.tokens.visual=x", "model.tokens.visual"),
        ("run=[phase_2]", "did you mean phase2"),
        ("seed", "not of the form key=value"),
        ("data.features=sometimes", "choose stored or online"),
        ("phases.phase2.optim.lr=-1", "phases.phase2.optim.lr: -1.0; a learning rate is above 0"),
        ("phases.phase2.optim.warmup_steps=-1", "phases.phase2.optim.warmup_steps: -1; it is at least 0"),
    ],
)
def test_a_wrong_override_names_the_key_and_the_way_out(override, message):
    with pytest.raises(ConfigError) as error:
        load(TINY, [override])
    assert message in str(error.value)


def test_a_missing_path_names_its_key_and_the_nearest_directory(tmp_path):
    (tmp_path / "weights").mkdir()
    config = load(TINY, [f"backbones.root={tmp_path / 'weigths'}"])
    with pytest.raises(ConfigError, match=r"backbones\.root: .*weigths does not exist; did you mean .*weights"):
        require_paths(config, "backbones.root")
