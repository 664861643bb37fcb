"""A lexicon of our own, so that every metric runs without a download; it claims to be no one else's.

Words are gathered in clusters; each cluster belongs to a primary emotion in three theories, and has a valence:

- `ekman`: six basic emotions (Ekman, P., 1992, An argument for basic emotions, Cognition & Emotion 6, 169-200)
- `plutchik`: eight primary emotions (Plutchik, R., 1980, A general psychoevolutionary theory of emotion, in Emotion:
  Theory, Research, and Experience 1, 3-33); a mixed emotion is filed under its stronger primary
- `shaver`: prototype analysis (Shaver, P., Schwartz, J., Kirson, D., O'Connor, C., 1987, Emotion knowledge, JPSP 52,
  1061-1086), with the subordinate cluster disgust kept apart from anger, as the data sets of this field do
- valence in [-1, 1]: pleasure axis of the circumplex (Russell, J. A., 1980, A circumplex model of affect, JPSP 39,
  1161-1178); the numbers are our reading of its figure

Unlike the released wheels, all three have a group `neutral`, so that neutral clips are scored, and `fear` is fear.
Level 1 is the primary emotion, level 2 the cluster. `-`: the theory has no such emotion, the words are dropped there.
"""

from __future__ import annotations

from functools import lru_cache

Groups = tuple[str | None, ...]

BUILTIN_WHEELS = ("ekman", "plutchik", "shaver")

# cluster | ekman | plutchik | shaver | valence | words, comma-separated where one holds a blank
_CLUSTERS = """
happiness | joy | joy | joy | 0.9 | happy happier happiest happily happiness joy joys joyful joyfully joyous glad gladly gladness delight delighted delightful pleased pleasure pleasant cheer cheerful cheerfully cheerfulness cheery merry jolly jovial glee gleeful bliss blissful enjoyment enjoying upbeat positive
amusement | joy | joy | joy | 0.7 | amused amusement amusing playful playfully playfulness humorous entertained joking teasing mirth mirthful laughter
excitement | joy | joy | joy | 0.8 | excited excitedly excitement exciting thrilled thrill elated elation ecstatic ecstasy euphoric euphoria exhilarated exhilaration enthusiastic enthusiastically enthusiasm eager eagerly eagerness zest zestful overjoyed jubilant jubilation rapture passionate passion energetic lively
contentment | joy | joy | joy | 0.6 | content contented contentment satisfied satisfaction satisfying fulfilled fulfilment fulfillment comfortable gratified serene serenity relaxed relaxation peaceful peacefully tranquil tranquility tranquillity
relief | joy | joy | joy | 0.5 | relief relieved reassured reassurance
pride | joy | joy | joy | 0.7 | proud proudly pride triumph triumphant triumphantly accomplished victorious
confidence | joy | trust | joy | 0.5 | confident confidently confidence self-assured self-confident assured assertive determined determination prepared ready brave courage courageous
optimism | joy | anticipation | joy | 0.6 | hope hopeful hopefully hopefulness optimistic optimism encouraged encouraging inspired inspiration motivated
anticipation | - | anticipation | joy | 0.3 | anticipating anticipation anticipated expectant expectation awaiting interest interested interesting curious curiosity curiously vigilant attentive
affection | joy | trust | love | 0.8 | love loving loved lovingly affection affectionate affectionately fond fondness tender tenderness tenderly adoring adoration warm warmth caring caringly care compassion compassionate empathy empathetic kind kindness gentle supportive attraction
gratitude | joy | trust | love | 0.7 | grateful gratefully gratitude thankful thankfully thankfulness appreciative appreciation appreciated
trust | joy | trust | love | 0.5 | trust trusting trustful trusted faithful faithfulness faithfully loyal loyalty devoted devotion acceptance accepting accepted approval approving agreement agreeable respect respectful
admiration | joy | trust | love | 0.6 | admiration admiring admire admired
impressed | surprise | surprise | surprise | 0.4 | impressed awe awed awestruck wonder wonderstruck marvel fascinated fascination
surprise | surprise | surprise | surprise | 0.0 | surprise surprised surprisedly surprising surprisingly astonished astonishment astonishing astounded amazed amazement amazing startled stunned speechless dumbfounded flabbergasted unexpected, taken aback
shock | surprise | surprise | surprise | -0.3 | shock shocked shocking
confusion | surprise | surprise | surprise | -0.2 | confused confusion confusing puzzled puzzlement perplexed perplexity baffled bewildered bewilderment doubt doubtful uncertain uncertainty questioning
sadness | sadness | sadness | sadness | -0.8 | sad sadder saddest sadly sadness saddened unhappy unhappily unhappiness sorrow sorrowful sorrowfully melancholy melancholic gloomy gloom glum downcast dejected dejection depressed depressing depression despondent low down miserable misery mournful mourning tearful crying weeping heartbroken heartbreak heavy-hearted upset wretched negative, in low spirits
grief | sadness | sadness | sadness | -0.9 | grief grieving grieved bereaved devastated devastation despair despairing desperate desperation hopeless hopelessness anguish anguished agony suffering hurt pain painful pained tormented
disappointment | sadness | sadness | sadness | -0.6 | disappointed disappointedly disappointment disappointing discouraged discouragement disheartened dismay dismayed letdown disillusioned disillusionment defeated, let down
loneliness | sadness | sadness | sadness | -0.7 | lonely loneliness lonesome alone isolated isolation abandoned neglected rejected rejection excluded homesick forlorn
nostalgia | sadness | sadness | sadness | -0.2 | nostalgic nostalgia sentimental sentimentality wistful wistfully wistfulness longing yearning bittersweet
helplessness | sadness | sadness | sadness | -0.6 | helpless helplessly helplessness powerless powerlessness aggrieved grievance
weariness | sadness | sadness | sadness | -0.4 | tired tiredness weary weariness exhausted exhaustion fatigued fatigue drained listless
guilt | sadness | sadness | sadness | -0.6 | guilty guiltily guilt remorse remorseful regret regretful regretfully apologetic apology sorry repentant contrite self-blame self-reproach
shame | sadness | sadness | sadness | -0.6 | ashamed shame shameful embarrassed embarrassment embarrassing humiliated humiliation mortified awkward awkwardness shy shyness self-conscious
pity | sadness | sadness | sadness | -0.2 | pity pitying sympathy sympathetic
boredom | - | disgust | - | -0.3 | bored boredom boring
anger | anger | anger | anger | -0.8 | angry angrier angriest angrily anger angered enraged rage raging furious furiously fury irate livid outraged outrage mad wrath wrathful incensed infuriated hostile hostility aggressive aggression hate hateful hatred resentful resentment indignant indignation bitter bitterness spiteful vengeful
annoyance | anger | anger | anger | -0.5 | annoyed annoyance annoying irritated irritation irritable irritably irritating frustrated frustration frustrating exasperated exasperation aggravated grumpy grouchy displeased displeasure dissatisfied dissatisfaction discontent discontented impatient impatience impatiently bothered agitated agitation complaining accusing accusation blaming vexed
jealousy | anger | anger | anger | -0.5 | jealous jealousy jealously envious envy
contempt | disgust | disgust | disgust | -0.6 | contempt contemptuous contemptuously scorn scornful disdain disdainful disrespect mocking mockery sarcastic sarcasm ironic irony disapproval disapproving dismissive
disgust | disgust | disgust | disgust | -0.7 | disgust disgusted disgustedly disgusting revulsion revolted revolting repulsed repulsion repugnance repelled loathing aversion averse nauseated nausea sickened distaste distasteful
fear | fear | fear | fear | -0.8 | fear fears feared fearing fearful fearfully fearfulness afraid scared scary frightened fright frightening terrified terror terrifying horror horrified panic panicked panicky petrified dread dreading alarmed alarm intimidated threatened
worry | fear | fear | fear | -0.5 | worry worries worried worriedly worrying anxious anxiously anxiety nervous nervously nervousness uneasy uneasily uneasiness unease apprehensive apprehension concerned concern tense tension stressed stress stressful distressed distress insecure insecurity restless restlessness overwhelmed troubled hesitant hesitation cautious wary timid vulnerable, on edge
calm | neutral | neutral | neutral | 0.0 | neutral neutrally neutrality calm calmly calmness composed composure unemotional emotionless expressionless impassive indifferent indifference detached steady even-tempered matter-of-fact plain ordinary normal flat serious seriousness thoughtful pensive, no emotion, no clear emotion
"""


@lru_cache(maxsize=1)
def _rows() -> tuple[tuple[str, tuple[str, ...], float, tuple[str, ...]], ...]:
    rows = []
    for line in _CLUSTERS.strip().splitlines():
        cluster, *primaries, valence, words = (cell.strip() for cell in line.split("|"))
        singles, *phrases = words.split(",")
        rows.append((cluster, tuple(primaries), float(valence), (*singles.split(), *map(str.strip, phrases))))
    return tuple(rows)


@lru_cache(maxsize=1)
def builtin_tables() -> dict[str, dict[str, Groups]]:
    """Compile the clusters: by level (`level1`, `level2`, one-column `cluster`), from word to its groups."""
    tables: dict[str, dict[str, Groups]] = {"level1": {}, "level2": {}, "cluster": {}}
    for cluster, primaries, _, words in _rows():
        for word in words:
            if word in tables["cluster"]:
                raise ValueError(f"builtin lexicon: {word!r} is in {tables['cluster'][word][0]!r} and in {cluster!r}")
            tables["level1"][word] = tuple(None if primary == "-" else primary for primary in primaries)
            tables["level2"][word] = tuple(None if primary == "-" else cluster for primary in primaries)
            tables["cluster"][word] = (cluster,)
    return tables


@lru_cache(maxsize=1)
def builtin_valences() -> dict[str, float]:
    """Return the valence of each cluster, in [-1, 1]."""
    return {cluster: valence for cluster, _, valence, _ in _rows()}
