"""The label tables behind the published AvaMERG and E3RG numbers; the order of entries is part of the metric.

Written down from the facts file (section 4 and its look-up tables), as `label:group` pairs. `embarrassed` keeps its
early place in the coarse map although a later duplicate changed its group to disgusted.
"""

from __future__ import annotations

from types import MappingProxyType


def _pairs(text: str) -> MappingProxyType[str, str]:
    return MappingProxyType(dict(pair.split(":") for pair in text.split()))


COARSE_GROUPS = _pairs(
    """
    neutral:neutral happy:happy surprised:surprised angry:angry fear:fear sad:sad disgusted:disgusted
    contempt:contempt joyful:happy prepared:happy content:happy caring:happy trusting:happy faithful:happy
    confident:happy hopeful:happy grateful:happy proud:happy excited:happy anticipating:happy lonely:sad guilty:sad
    anxious:sad nostalgic:sad embarrassed:disgusted disappointed:sad sentimental:sad ashamed:sad devastated:sad
    impressed:surprised furious:angry annoyed:angry afraid:fear terrified:fear apprehensive:fear jealous:contempt
    """
)
"""36 labels to 8 groups (ERG hit rate)."""

TALKING_HEAD_GROUPS = MappingProxyType(
    COARSE_GROUPS | _pairs("anxious:fear disappointed:contempt nostalgic:neutral prepared:neutral devastated:surprised")
)
"""The map that E3RG uses to drive faces only; it disagrees with `COARSE_GROUPS` in five labels."""

GOLD_PROJECTION = _pairs(
    """
    conflicted:anxious vulnerability:afraid helplessness:afraid sadness:sad pensive:sentimental frustration:annoyed
    weary:tired anxiety:anxious reflective:sentimental upset:disappointed worried:anxious fear:afraid frustrated:sad
    fatigue:tired lost:jealous disappointment:disappointed nostalgia:nostalgic exhaustion:tired uneasy:anxious
    loneliness:lonely fragile:afraid confused:jealous vulnerable:afraid thoughtful:sentimental stressed:anxious
    concerned:anxious tiredness:tired burdened:anxious melancholy:sad overwhelmed:anxious worry:anxious
    heavy-hearted:sad melancholic:sad nervous:anxious fearful:afraid stress:anxious confusion:anxious
    inadequacy:ashamed regret:guilty helpless:afraid concern:anxious exhausted:tired overwhelm:anxious tired:tired
    disappointed:sad surprised:surprised excited:happy angry:angry proud:happy annoyed:angry grateful:happy lonely:sad
    afraid:fear terrified:fear guilty:sad impressed:surprised disgusted:disgusted hopeful:happy confident:happy
    furious:angry anxious:sad anticipating:happy joyful:happy nostalgic:sad prepared:happy jealous:contempt
    content:happy devastated:surprised embarrassed:sad caring:happy sentimental:sad trusting:happy ashamed:sad
    apprehensive:fear faithful:happy
    """
)
"""Applied once to the gold label by the released data set code (never to predictions)."""

EMOTION_KEYWORDS: tuple[tuple[str, tuple[str, ...]], ...] = tuple(
    (label, tuple(words.split()))
    for label, _, words in (
        line.strip().partition(": ")
        for line in """\
        angry: angry anger furious mad irate enraged
        annoyed: annoyed annoyance irritated irritation vexed bothered
        caring: caring compassionate empathetic kind sympathetic concern
        content: content contentment satisfied pleased peaceful fulfilled
        disappointed: disappointed disappointment letdown discouraged disheartened
        excited: excited excitement enthusiastic thrilled eager animated
        faithful: faithful loyal devoted dedicated steadfast fidelity
        frustrated: frustrated frustration exasperated aggravated irked
        grateful: grateful gratitude thankful appreciative obliged
        guilty: guilty guilt remorseful ashamed contrite regretful
        hopeful: hopeful hope optimistic encouraged buoyant expectant anticipating
        joyful: joyful joy happy delighted cheerful gleeful
        lonely: lonely loneliness lonesome isolated forlorn desolate
        loneliness: lonely loneliness lonesome isolated forlorn desolate
        nostalgic: nostalgic nostalgia sentimental wistful yearning
        overwhelmed: overwhelmed overwhelm swamped burdened overloaded
        sad: sad sadness sorrowful melancholy grief depressed
        sadness: sad sadness sorrowful melancholy grief depressed
        surprised: surprised surprise amazed astonished shocked stunned
        terrified: terrified terror frightened afraid scared petrified
        trusting: trusting trust confident relying believing assured prepared
        worried: worried worry anxious nervous concerned uneasy apprehensive
        anxious: anxious anxiety worried nervous concerned uneasy""".splitlines()
    )
)
"""Keyword search in free text: the first label wins of which a keyword is a substring."""
