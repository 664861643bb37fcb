"""One data module per data set, so that `from data_modules import MIntRec; MIntRec("data")` is all there is to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from data_modules.module import DatasetModule


class CREMAD(DatasetModule):
    """Six acted emotions, voice (see `DATASETS["CREMA-D"]`)."""

    dataset = "CREMA-D"


class M3ED(DatasetModule):
    """Seven emotions in Chinese television dialogue, voice."""

    dataset = "M3ED"


class CAER(DatasetModule):
    """Seven emotions in television scenes, pictures."""

    dataset = "CAER"


class FERV39k(DatasetModule):
    """Seven facial expressions in the wild, pictures."""

    dataset = "FERV39k"


class MIntRec(DatasetModule):
    """Twenty intents."""

    dataset = "MIntRec"


class MIntRec2(DatasetModule):
    """Thirty intents (MIntRec2.0, in scope)."""

    dataset = "MIntRec2.0"


class MERCaptionPlus(DatasetModule):
    """Open emotion words and emotion reasoning (MER-Caption+)."""

    dataset = "MER-Caption+"


class MERRFine(DatasetModule):
    """Emotion reasoning (MERR fine-grained)."""

    dataset = "MERR-Fine"


class AvaMERG(DatasetModule):
    """Empathetic response with a chain of empathy."""

    dataset = "AvaMERG"


class MER2023(DatasetModule):
    """Six emotions; the test split is MER-MULTI."""

    dataset = "MER2023"


class MER2024(DatasetModule):
    """Six emotions; the test split is MER-SEMI. Subtitles are Chinese; `layout="unibench_english"` has translations."""

    dataset = "MER2024"


class MELD(DatasetModule):
    """Seven emotions in Friends."""

    dataset = "MELD"


class IEMOCAP(DatasetModule):
    """Four emotions; the test split is session 5."""

    dataset = "IEMOCAP"


class CMUMOSI(DatasetModule):
    """Sentiment from -3 to 3."""

    dataset = "CMU-MOSI"


class CMUMOSEI(DatasetModule):
    """Sentiment from -3 to 3."""

    dataset = "CMU-MOSEI"


class CHSIMS(DatasetModule):
    """Sentiment from -1 to 1, Chinese."""

    dataset = "CH-SIMS"


class CHSIMSv2(DatasetModule):
    """Sentiment from -1 to 1, Chinese."""

    dataset = "CH-SIMSv2"


class OVMERD(DatasetModule):
    """Open emotion words, checked by people."""

    dataset = "OV-MERD"


class OVMERDPlus(DatasetModule):
    """Open emotion words, the larger set of MER-UniBench."""

    dataset = "OV-MERD+"


class EMER(DatasetModule):
    """Emotion reasoning with clues."""

    dataset = "EMER"


class Generic(DatasetModule):
    """Clips of one's own, from a list with one clip a line (`.jsonl`, or `.csv` and `.tsv` with a header).

    Paths in the list start at its folder and stay in it. What a line may say: `data_modules.readers.own_clips.FIELDS`. Two clips
    for recognition, the second one for training open words and reasoning too:

        {"video": "clips/a.mp4", "subtitle": "No way!", "label": "surprise", "split": "train"}
        {"video": "clips/b.mp4", "audio": "clips/b.wav", "label": "calm", "words": ["calm"], "description": "A level voice."}

    and `Generic("mine/list.jsonl", batch_size=8)` gives batches of them.

    Args:
        file: the list.
        options: of `AffectDataModule`.

    Raises:
        AnnotationError: from `setup`: the line that cannot be used, unless `on_bad="skip"`.
    """

    def __init__(self, file: str | Path, *, batch_size: int = 8, **options: Any) -> None:
        super().__init__(Path(file).parent, batch_size=batch_size, **options)
        self.dataset = f"generic:{Path(file).name}"
