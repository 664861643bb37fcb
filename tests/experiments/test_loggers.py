"""Where W&B writes: online only after a login, or where it is asked for."""

import pytest

from experiments.assembly import configure
from experiments.loggers import make_loggers, wandb_mode


@pytest.mark.parametrize("host", ["api.wandb.ai", "api.forge.coreweave.com", "wandb.example.org"])
def test_a_stored_login_means_online(host, tmp_path, monkeypatch):
    file = tmp_path / "netrc"
    file.write_text(f"machine {host}\n  login user\n  password secret\n")
    monkeypatch.setenv("NETRC", str(file))
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    own_server = host == "wandb.example.org"
    assert wandb_mode(configure("tiny")) == ("offline" if own_server else "online")
    if own_server:
        monkeypatch.setenv("WANDB_BASE_URL", f"https://{host}")
        assert wandb_mode(configure("tiny")) == "online"


def test_without_a_login_offline_and_the_environment_and_the_configuration_decide(tmp_path, monkeypatch):
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    assert wandb_mode(configure("tiny")) == "offline"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert wandb_mode(configure("tiny")) == "disabled"
    assert wandb_mode(configure("tiny", ["wandb.mode=online"])) == "online"


def test_a_run_that_logs_nothing_starts_no_wandb_run(tmp_path):
    config = configure("tiny", [f"output={tmp_path}", "wandb.mode=offline"])
    for logger in make_loggers(config, "p2e"):
        logger.finalize("failed")
    assert list(tmp_path.iterdir()) == []
