"""Every golden case of the released code, exactly. Any number of cases in the same format works.

`GOLDEN_DIR` (default ../shared/golden beside the repository) holds one JSON file per metric, `EMOTION_WHEEL_DIR`
(default: beside it) the released wheels. A file without a check here is a failure, not a skip.
`null` stands for NaN or "not in the table"; `raises` for the exception's type.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from nano_emox.metrics import empathy, empathy_tables, intent, overlap, rewards, wheels
from nano_emox.metrics.class_averages import ClassAverages, averages_of_labels
from nano_emox.metrics.diversity import distinct_n
from nano_emox.metrics.lexicon import Lexicon, load_lexicon
from nano_emox.metrics.parsers import extract_speaker_emotion, parse_open_set, postprocess_reply
from nano_emox.metrics.sentiment import sentiment_scores
from nano_emox.metrics.wheel_scores import (
    f_of,
    hits_any_wheel,
    label_groups,
    mean_over_wheels,
    wheel_hit_rates,
    wheel_set_scores,
)

REPOSITORY = Path(__file__).resolve().parents[2]
GOLDEN = Path(os.environ.get("GOLDEN_DIR") or REPOSITORY.parent / "shared" / "golden")
WHEELS = Path(os.environ.get("EMOTION_WHEEL_DIR") or GOLDEN.parent / "emotion_wheel")
FILES = sorted(path.relative_to(GOLDEN).as_posix() for path in GOLDEN.rglob("*.json")) if GOLDEN.is_dir() else []

pytestmark = pytest.mark.skipif(not FILES, reason=f"no golden cases at {GOLDEN}; set GOLDEN_DIR")


@cache
def released() -> Lexicon:
    return load_lexicon(WHEELS)


@cache
def direct_groups() -> dict[str, list[dict[str, str]]]:
    return wheels.wheel_groups(WHEELS)


def averages(scores: ClassAverages) -> dict[str, float]:
    return {
        "acc": scores.accuracy,
        "weighted_f1": scores.weighted_f1,
        "weighted_precision": scores.weighted_precision,
        "weighted_recall": scores.weighted_recall,
        "macro_f1": scores.macro_f1,
        "macro_precision": scores.macro_precision,
        "macro_recall": scores.macro_recall,
        "n": scores.samples,
    }


def mintrec2(scores: ClassAverages) -> dict[str, float]:
    return {
        "acc": scores.accuracy,
        "f1": scores.macro_f1,
        "weighted_f1": scores.weighted_f1,
        "prec": scores.macro_precision,
        "weighted_prec": scores.weighted_precision,
        "rec": scores.macro_recall,
        "weighted_rec": scores.weighted_recall,
    }


def set_scores(gold: dict, predictions: dict) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for level in ("level1", "level2"):
        scores = wheel_set_scores(gold, predictions, released(), level)
        result[level] = {
            wheel: {"n": each.samples, "precision": each.precision, "recall": each.recall, "f": each.f}
            for wheel, each in scores.items()
        }
        result[level]["avg_f_p_r"] = [
            mean_over_wheels(getattr(each, name) for each in scores.values()) for name in ("f", "precision", "recall")
        ]
    return result


def check_corpus(name2gt: dict, name2pred: dict) -> Any:
    result = set_scores(name2gt, name2pred)
    for case in ("case1", "case2"):
        each = wheel_set_scores(name2gt, name2pred, released(), case)[case]
        result[case] = {"n": each.samples, "precision": each.precision, "recall": each.recall}
    return result


def check_pair(gt: Any, pred: Any) -> Any:
    gold, predicted = parse_open_set(gt), parse_open_set(pred)
    penalty = rewards.length_penalty(predicted, gold)
    f1 = rewards.wheel_f1_reward(predicted, gold, released())
    sides = {level: [label_groups(labels, released(), level) for labels in (gt, pred)] for level in ("level1", "level2")}
    return set_scores({"x": gt}, {"x": pred}) | {
        "mapped_sets": {
            f"{wheel}_{level}": {"gt": sorted(sides[level][0][column]), "pred": sorted(sides[level][1][column])}
            for column, wheel in enumerate(wheels.WHEELS)
            for level in ("level1", "level2")
        },
        "grpo": {
            "f1_5wheel_avg": f1,
            "jaccard_5wheel_avg": rewards.wheel_jaccard_reward(predicted, gold, released()),
            "length_penalty_p3": penalty,
            "accuracy_reward_with_penalty": penalty * f1,
        },
        "hit_or_not_any_wheel": hits_any_wheel(gt, pred, released()),
    }


def check_direct(word: str) -> Any:
    direct = direct_groups()
    return {
        wheel: {level: direct[level][column][word] for level in wheels.LEVELS} if word in direct["level1"][column] else None
        for column, wheel in enumerate(wheels.WHEELS)
    }


def check_word(word: str) -> Any:
    # the word as it is: lower-casing and stripping are the caller's there
    found = {level: table.get(word, (None,) * len(released().columns(level))) for level, table in released().tables.items()}
    result = {case: found[case][0] or "" for case in ("case1", "case2")}
    for level in wheels.LEVELS:
        result |= {f"{wheel}_{level}": found[level][column] or "" for column, wheel in enumerate(wheels.WHEELS)}
    return result


def check_hit_rate(name2gt: dict, name2pred: dict) -> Any:
    scores = wheel_hit_rates(name2gt, name2pred, released())
    result: dict[str, Any] = {
        wheel: {"n": each.samples, "hitrate": each.hit_rate, "mscore": each.penalised} for wheel, each in scores.items()
    }
    result["avg_hitrate"] = mean_over_wheels(each.hit_rate for each in scores.values())
    result["avg_mscore"] = mean_over_wheels(each.penalised for each in scores.values())
    return result


def check_mintrec(name2gt: dict, name2pred: dict) -> Any:
    scores = intent.intent_scores(name2gt, name2pred)
    return {
        "official_rounded_percent": intent.released_report(scores),
        "unrounded_fraction": averages(scores) if scores.samples else None,
    }


def check_upstream(y_true: list, y_pred: list, ood_label_id: int) -> Any:
    everything = averages_of_labels(y_true, y_pred)
    return {
        "mintrec2_metrics": mintrec2(everything),
        "mintrec2_metrics_in_scope_only": mintrec2(intent.in_scope_scores(y_true, y_pred, ood_label_id)),
        "oid_metrics": intent.open_intent_scores(y_true, y_pred),
        "mintrec1_metrics": {name: score for name, score in mintrec2(everything).items() if not name.startswith("weighted")},
    }


def check_sentiment(name2gt: dict, name2sentiment: dict) -> Any:
    scores = sentiment_scores(name2gt, name2sentiment)
    return {"n_nonzero": scores.samples, "waf": scores.weighted_f1, "acc": scores.accuracy}


def check_avamerg(name2gt: dict, name2response: dict) -> Any:
    emotions = {name: extract_speaker_emotion(response) for name, response in name2response.items()}
    return {
        "evaluate_avamerg_metrics": outcome(lambda: empathy.released_report(name2gt, name2response)),
        "extracted": emotions,
        "emotion_accuracy_unrounded": empathy.fine_accuracy(name2gt, emotions) * 100,
        "hitrate_unrounded": outcome(lambda: empathy.coarse_hit_rate(name2gt, emotions) * 100),
    }


def check_e3rg(response: str, gt: str) -> Any:
    hit = empathy.e3rg_hit(response, gt)
    emotion = empathy.e3rg_emotion(response)
    return {"emotion": emotion, "coarse": empathy_tables.COARSE_GROUPS[emotion], "hit": hit}


def check_label_maps(emotion: str) -> Any:
    projected = empathy.project_gold(emotion)
    return {
        "gt_after_dataset_projection": projected,
        "coarse_hit_group": empathy_tables.COARSE_GROUPS.get(emotion),
        "coarse_of_projected_gt": empathy_tables.COARSE_GROUPS.get(projected),
        "dice_talk_map": empathy_tables.TALKING_HEAD_GROUPS.get(emotion),
    }


def check_dist(responses: list) -> Any:
    names = {
        "sentence_mean_official": "sentence",
        "corpus_ngram_ratio": "corpus",
        "corpus_distinct_over_tokens": "corpus_tokens",
    }
    return {
        name: {str(n): distinct_n(responses, n, level) for n in (1, 2, 3)}  # type: ignore[arg-type]
        for name, level in names.items()
    }


def check_score_parse(judge_response: str) -> Any:
    score = outcome(lambda: {"score": overlap.judge_score(judge_response)})
    return {"clue": score, "label": score}


def check_parse(value: Any, py_type: str = "str") -> Any:
    nano, upstream = parse_open_set(value), parse_open_set(value, "upstream")
    return {"nano": nano, "upstream": upstream} | ({"agree": nano == upstream} if py_type == "str" else {})


CHECKS: dict[str, Callable[..., Any]] = {
    "avamerg_extract_emotion.json": lambda response: {"emotion": extract_speaker_emotion(response)},
    "avamerg_label_maps.json": check_label_maps,
    "avamerg_metrics.json": check_avamerg,
    "dist_n.json": check_dist,
    "e3rg_hit.json": check_e3rg,
    "ew_corpora.json": check_corpus,
    "ew_pairs.json": check_pair,
    "ew_wheel_map_direct.json": check_direct,
    "ew_word_pipeline.json": check_word,
    "mer_hitrate.json": check_hit_rate,
    "mintrec.json": check_mintrec,
    "mintrec_upstream.json": check_upstream,
    "msa_waf.json": check_sentiment,
    "overlap_mean.json": lambda name2score: {"mean_per_model": overlap.overlap_means(name2score)},
    "overlap_score_parse.json": check_score_parse,
    "parse_openset.json": check_parse,
    "qwen_postprocess.json": lambda text: {"text": postprocess_reply(text)},
}
TABLES: dict[str, Any] = {
    "lookup/avamerg_coarse_map.json": list(map(list, empathy_tables.COARSE_GROUPS.items())),
    "lookup/avamerg_gt_projection.json": list(map(list, empathy_tables.GOLD_PROJECTION.items())),
    "lookup/avamerg_emotion_keywords.json": [[label, list(words)] for label, words in empathy_tables.EMOTION_KEYWORDS],
}


def outcome(compute: Callable[[], Any]) -> Any:
    try:
        return compute()
    except Exception as error:
        return {"raises": type(error).__name__, "message": str(error)}


def differences(got: Any, expected: Any, where: str = "") -> list[str]:
    """Name each place where the two differ; numbers must be equal to the last bit."""
    if isinstance(expected, dict) and "raises" in expected:
        return [] if isinstance(got, dict) and got.get("raises") == expected["raises"] else [f"{where}: {got}"]
    if isinstance(expected, dict) and isinstance(got, dict):
        missing = [f"{where}: has {sorted(got)}"] if got.keys() != expected.keys() else []
        shared = [key for key in expected if key in got]
        return missing + [line for key in shared for line in differences(got[key], expected[key], f"{where}/{key}")]
    if isinstance(expected, list) and isinstance(got, list) and len(got) == len(expected):
        pairs = enumerate(zip(got, expected, strict=True))
        return [line for index, (left, right) in pairs for line in differences(left, right, f"{where}[{index}]")]
    if expected is None and (got is None or (isinstance(got, float) and math.isnan(got))):
        return []
    return [] if got == expected else [f"{where}: got {got!r}, expected {expected!r}"]


@pytest.mark.parametrize("file", FILES)
def test_every_case_is_exact(file: str) -> None:
    content = json.loads((GOLDEN / file).read_text(encoding="utf-8"))
    if file in TABLES:
        assert TABLES[file] == content["table"]
        return
    if file == "lookup/mer_label_sets.json":
        check_label_sets(content)
        return
    assert file in CHECKS, f"{file} has no check here: every golden file must be covered"
    if file.startswith(("ew_", "mer_")) and not WHEELS.is_dir():
        pytest.skip(f"no emotion wheels at {WHEELS}; set EMOTION_WHEEL_DIR")
    cases = content["cases"]
    assert cases, f"{file} holds no case"
    failed = []
    for case in cases:
        got = outcome(lambda inputs=case["inputs"]: CHECKS[file](**inputs))
        failed += [f"{case['id']} {line}" for line in differences(got, case["expected"])]
    assert not failed, f"{len(failed)} differences in {len(cases)} cases:\n" + "\n".join(failed[:10])


def check_label_sets(content: dict) -> None:
    """Our lexicon knows every label of the MER data sets, neutral too, and keeps different ones apart in each wheel."""
    builtin = load_lexicon("builtin")
    for dataset, labels in content.items():
        if dataset == "note":
            continue
        for column in range(len(builtin.wheels)):
            groups = {label: builtin.groups([label])[column] for label in labels}
            assert all(groups.values()), (dataset, groups)
            assert len(set(groups.values())) == len(labels), (dataset, groups)


def test_f_of_nothing_is_nan_or_zero_as_asked() -> None:
    assert math.isnan(f_of(0.0, 0.0))
    assert f_of(0.0, 0.0, "zero") == 0.0
