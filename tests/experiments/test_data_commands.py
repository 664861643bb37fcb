"""`nano-emox data`: what it prints and writes, its exit status, and that nothing hostile or private gets into a page."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from data_modules.datasets import DATASETS
from data_modules.fixtures.catalogue import fixtures_of, write_fixture
from data_modules.fixtures.fixture import Folder
from data_modules.synthetic.corpus import VERSION
from experiments.cli import app, main
from experiments.data_tools.commands import data_app
from experiments.data_tools.pages import MADE, make_pages

HOSTILE = "<script>alert(1)<\\_script> & [bold]x[red]"
REPOSITORY = Path(__file__).parents[2]


def run(*arguments: object):
    return CliRunner().invoke(data_app, [str(argument) for argument in arguments])


def said(result) -> str:
    return " ".join(result.output.split())


@pytest.fixture(scope="module")
def caer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("caer")
    write_fixture(fixtures_of("CAER")[0], root)
    return root


@pytest.fixture(scope="module")
def sound_and_whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CAER as a synthetic corpus: nothing is wrong with it."""
    root = tmp_path_factory.mktemp("whole")
    for index, split in enumerate(("train", "validation", "test")):
        Folder(root / "CAER" / split / "Happy").video("0001.avi", frames=10 + index)
    (root / "manifest.json").write_text("{}")
    return root


def test_list_names_every_data_set_what_is_there_and_how_to_get_the_rest(caer):
    result = run("list", "--root", caer)
    assert result.exit_code == 0
    assert all(name in result.output for name in DATASETS)
    assert f"1 of {len(DATASETS)} found" in said(result)
    assert "git lfs pull" in said(result)  # CREMA-D's way
    plain = json.loads(run("list", "--root", caer, "--json").stdout)
    found = {one["name"]: one["found"] for one in plain["datasets"]}
    assert found.pop("CAER") == ["original"]
    assert not any(found.values())


def test_the_root_is_taken_from_the_environment_too(caer, monkeypatch):
    monkeypatch.setenv("DATA", str(caer))
    assert "1 of" in said(run("list"))


def test_check_says_what_is_wrong_writes_page_and_json_and_exits_with_1(caer, tmp_path):
    result = run("check", "caer", "--root", caer, "--out", tmp_path, "--workers", 1)
    assert result.exit_code == 1
    assert "train/Anger/0002 empty" in said(result)
    plain = json.loads((tmp_path / "CAER/check.json").read_text())
    assert plain["splits"][0]["broken_by_reason"] == {"empty": 1, "truncated": 1}
    page = (tmp_path / "CAER/check.html").read_text()
    assert "train/Anger/0002" in page
    assert not re.search(r"(src|href)=\"?(https?:)?//|<script|@import|url\(", page), "the page must load nothing"
    assert "<img" not in page  # no frame unless asked for


def test_frames_are_in_the_page_only_when_they_are_asked_for(sound_and_whole, tmp_path):
    run("check", "CAER", "--root", sound_and_whole, "--out", tmp_path, "--workers", 1, "--frames", 2)
    assert (tmp_path / "CAER/check.html").read_text().count("data:image/jpeg") == 2


def test_check_of_all_exits_with_0_where_nothing_is_wrong_and_links_the_pages(sound_and_whole, tmp_path):
    result = run("check", "all", "--root", sound_and_whole, "--out", tmp_path, "--workers", 1)
    assert result.exit_code == 0, result.output
    assert "nothing is wrong" in said(result)
    assert 'href="CAER/check.html"' in (tmp_path / "index.html").read_text()


def test_names_from_the_disk_are_escaped_in_the_page_and_in_the_terminal(tmp_path):
    Folder(tmp_path / "data/CAER/train/Anger").empty(f"{HOSTILE}.avi")
    Folder(tmp_path / "data/CAER/train/<b>Angry").video("1.avi")
    result = run("check", "CAER", "--root", tmp_path / "data", "--out", tmp_path / "out", "--workers", 1)
    assert result.exit_code == 1
    assert f"train/Anger/{HOSTILE}" in said(result)
    page = (tmp_path / "out/CAER/check.html").read_text()
    assert "<script" not in page
    assert "<b>Angry" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_data_set_that_is_not_there_or_not_known_is_an_error_that_helps(tmp_path):
    unknown = run("check", "CEAR", "--root", tmp_path)
    assert unknown.exit_code == 2
    assert "did you mean CAER" in said(unknown)
    absent = run("check", "MELD", "--root", tmp_path, "--out", tmp_path)
    assert isinstance(absent.exception, FileNotFoundError)
    assert "MER-UniBench" in str(absent.exception)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("list --root {none}", "none does not exist"),
        ("overlap --root {none}", "none does not exist"),
        ("check MELD --root {none}", "none does not exist"),
        ("check all --root {file}", "file is a file; give the folder"),
        ("check CAER --root {caer} --layout orginal", "CAER has no layout 'orginal'; it has ['original']"),
        ("check generic:/tmp/list.jsonl --root {caer}", "goes the path of a list below the data root"),
        ("check generic: --root {caer}", "goes the path of a list below the data root"),
        ("check CAER --root {caer} --workers 1 --out {file}/out", "file/out/CAER: Not a directory"),
        ("fixture CAER {file}", "file: Not a directory"),
        ("make data.root={caer}", "exists and is no synthetic corpus"),
    ],
)
def test_an_error_of_use_is_one_line_and_exit_status_2(caer, tmp_path, monkeypatch, capsys, line: str, message: str):
    (tmp_path / "file").write_text("")
    words = line.format(none=tmp_path / "none", file=tmp_path / "file", caer=caer).split()
    monkeypatch.setattr(sys, "argv", ["nano-emox", "data", *words])
    with pytest.raises(SystemExit) as exit_of:
        main()
    printed = capsys.readouterr().out
    assert exit_of.value.code == 2
    assert message in printed
    assert printed.count("\n") == 1


def test_make_says_what_there_is_in_a_sentence(tmp_path):
    made = {"version": VERSION, "seed": 3, "clips": 20, "recordings": 1101, "sizes": {"CAER": 20}, "megabytes": 7.2}
    (tmp_path / "manifest.json").write_text(json.dumps(made))
    result = CliRunner().invoke(app, ["data", "make", f"data.root={tmp_path}", "data.clips=20", "seed=3"])
    assert said(result) == f"synthetic corpus was there already: 1,101 clips, 7 MB, seed 3, in {tmp_path}"


def test_show_prints_every_field_and_draws_frames_and_sound(sound_and_whole, tmp_path):
    result = run("show", "CAER", "--root", sound_and_whole, "--out", tmp_path / "clip.png")
    assert result.exit_code == 0, result.output
    for word in ("train/Happy/0001", "happy", "0001.avi", "anger, disgust, fear"):
        assert word in said(result)
    picture = np.asarray(Image.open(tmp_path / "clip.png").convert("RGB")).astype(int)
    assert picture.shape[1] > 1000
    grey = (abs(picture[..., 0] - picture[..., 2]) < 6) & (picture[..., 0] < 120)  # the strip: dark grey frames, from its left
    blue = picture[..., 2] - picture[..., 0] > 60  # the waveform
    assert grey.any(axis=1).sum() > 80
    assert blue.any(axis=0).mean() > 0.8


def test_show_names_the_nearest_ids_and_says_what_is_wrong_with_a_clip(caer, tmp_path):
    typo = run("show", "CAER", "train/Angr/0001", "--root", caer)
    assert "train/Anger/0001" in str(typo.exception)
    broken = run("show", "CAER", "train/Anger/0002", "--root", caer, "--out", tmp_path / "broken.png")
    assert broken.exit_code == 1
    assert "empty: the file has 0 bytes" in said(broken)
    assert (tmp_path / "broken.png").is_file()


def test_show_prints_no_control_character_shortens_long_texts_and_writes_into_a_folder(tmp_path):
    clip = Folder(tmp_path / "data").video("a.mp4")
    text = "\x1b[2J\x9b31mred \x07" + "word " * 200_000
    (clip.parent / "list.jsonl").write_text(json.dumps({"video": "a.mp4", "label": "joy", "subtitle": text}) + "\n")
    (tmp_path / "out").mkdir()
    result = run("show", "generic:list.jsonl", "--root", clip.parent, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", result.output)
    assert "[2J31mred word" in said(result)
    assert f"({len(text) - 2000:,} characters left out)" in said(result)
    assert len(result.output) < 10_000
    assert f"picture: {tmp_path / 'out/a.png'}" in said(result)
    assert (tmp_path / "out/a.png").is_file()


def test_fixture_writes_a_layout_says_what_is_wrong_on_purpose_and_overwrites_nothing(tmp_path):
    result = run("fixture", "CAER", tmp_path / "caer")
    assert result.exit_code == 0
    assert "0002.avi <- empty" in said(result)
    assert (tmp_path / "caer/CAER/test/Fear/0001.avi").is_file() or any((tmp_path / "caer").rglob("0001.avi"))
    assert isinstance(run("fixture", "CAER", tmp_path / "caer").exception, FileExistsError)


def test_the_committed_pages_are_what_the_declarations_give():
    folder = REPOSITORY / "docs/datasets"
    pages = make_pages()
    made = {path.name for path in folder.glob("*.md") if path.read_text(encoding="utf-8").startswith(MADE)}
    assert made == set(pages), "run `nano-emox data pages`"
    for name, text in pages.items():
        assert (folder / name).read_text(encoding="utf-8") == text, f"{name} has drifted: run `nano-emox data pages`"
        assert text.startswith(MADE)


def test_a_list_of_one_s_own_clips_is_checked_and_shown_too(tmp_path):
    Folder(tmp_path / "mine").video("a.mp4")
    Folder(tmp_path / "mine").text(
        "list.jsonl", '{"video": "a.mp4", "label": "joy"}\n{"video": "b.mp4", "label": "joy"}\n{"label": 1}\n'
    )
    result = run("check", "generic:mine/list.jsonl", "--root", tmp_path, "--out", tmp_path / "out", "--workers", 1)
    assert result.exit_code == 1
    plain = json.loads(next((tmp_path / "out").rglob("check.json")).read_text())
    assert [(s["listed"], s["usable"], s["broken_by_reason"]) for s in plain["splits"] if s["name"] == "train"] == [
        (3, 1, {"missing": 1})
    ]
    shown = run("show", "generic:mine/list.jsonl", "--root", tmp_path, "--out", tmp_path / "a.png")
    assert shown.exit_code == 0, shown.output
    assert "joy" in shown.output


def test_everything_works_where_the_model_s_libraries_are_not_installed(caer, tmp_path):
    shutil.copytree(caer, tmp_path / "data")
    code = (
        "import sys\n"
        "for name in ('transformers', 'peft', 'wandb', 'tokenizers', 'torchvision', 'torchaudio', 'pandas'):\n"
        "    sys.modules[name] = None\n"
        "from typer.testing import CliRunner\nfrom experiments.cli import app\n"
        "if __name__ == '__main__':\n"
        "    for line in sys.argv[1].split(';'):\n"
        "        result = CliRunner().invoke(app, line.split())\n"
        "        print(line, result.exit_code, repr(result.exception))\n"
    )
    (tmp_path / "run.py").write_text(code)
    root, out = f"--root {tmp_path}/data", f"{tmp_path}/out"
    lines = [
        f"data list {root}",
        f"data check CAER {root} --out {out} --workers 1 --frames 1",
        f"data show CAER {root} --out {out}/x.png",
        f"data fixture CAER {out}/fixture",
    ]
    done = subprocess.run(
        [sys.executable, str(tmp_path / "run.py"), ";".join(lines)], capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    statuses = [line.split()[-2:] for line in done.stdout.splitlines()]
    assert [status for status, _ in statuses] == ["0", "1", "0", "0"], done.stdout + done.stderr
    assert (tmp_path / "out/x.png").is_file()


def test_overlap_names_clips_that_are_trained_on_and_scored(tmp_path):
    here = Folder(tmp_path / "MER2025")
    here.text("track2_train_mercaptionplus.csv", "name,openset\nsample_1,[joy]\nsample_2,[fear]\n")
    here.text("track3_train_mercaptionplus.csv", "name,reason\nsample_1,She smiles.\n")
    here.text("track2_train_ovmerd.csv", "name,openset\nsample_2,[fear]\nsample_3,[calm]\n")
    here.text("subtitle_chieng.csv", "name,chinese,english\n" + "".join(f"sample_{i},,Hi\n" for i in (1, 2, 3)))
    arguments = ("overlap", "--train", "MER-Caption+", "--evaluation", "OV-MERD", "--root", tmp_path)
    result = run(*arguments)
    assert result.exit_code == 1
    assert re.search(r"MER-Caption\+ +OV-MERD +name +1 +2 +sample_2", result.output)
    plain = json.loads(run(*arguments, "--json").stdout)
    assert plain[0]["pairs"] == [["sample_2", "sample_2"]]
    assert run("overlap", "--train", "MER-Caption+", "--evaluation", "MER-Caption+", "--root", tmp_path).exit_code == 0
