"""One data module per data set, so that `from data_modules import MIntRec; MIntRec("data")` is all there is to it."""

from __future__ import annotations

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


class EMER(DatasetModule):
    """Emotion reasoning with clues."""

    dataset = "EMER"
