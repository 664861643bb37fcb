"""Dialogues to empathise with: what happened is in the words, how the speaker feels about it only in face and voice.

The fine emotion of a dialogue (one of the 32 of EmpatheticDialogues) follows from the situation and the coarse emotion:
an exam makes the happy proud and the sad disappointed. So text alone and clip alone both fall short.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_modules.record import ChainOfEmpathy, Turn
from data_modules.synthetic.words import pick

FEELINGS = ("happy", "sad", "anger", "fear", "surprise", "disgust")


@dataclass(frozen=True, slots=True)
class Situation:
    """A situation: its topic, what the speaker says about it, and the fine emotion for each of `FEELINGS`."""

    topic: str
    scenario: str
    lines: tuple[str, ...]
    more: tuple[str, ...]
    fine: tuple[str, ...]


SITUATIONS = (
    Situation(
        "exam",
        "The speaker got the result of an exam.",
        ("I got my exam result today.", "The teacher gave us the exam back.", "My exam result came in the mail."),
        ("I looked at the number twice.", "It was the last exam of the year.", "I showed it to my parents."),
        ("proud", "disappointed", "furious", "anxious", "surprised", "ashamed"),
    ),
    Situation(
        "interview",
        "The speaker had a job interview.",
        ("I had a job interview this morning.", "The company asked me to an interview.", "I came from the interview just now."),
        ("They asked me about my last job.", "There were three people in the room.", "It took a whole hour."),
        ("confident", "devastated", "annoyed", "apprehensive", "impressed", "embarrassed"),
    ),
    Situation(
        "party",
        "The speaker had a birthday party.",
        ("It was my birthday party on Sunday.", "My friends planned a party for me.", "I turned thirty at a party."),
        ("You should have seen who came.", "There was a big cake for me.", "It went on until midnight."),
        ("joyful", "lonely", "angry", "anxious", "surprised", "disgusted"),
    ),
    Situation(
        "trip",
        "The speaker went on a trip.",
        ("We took a trip to the mountains.", "I came back from a trip to the sea.", "Our family trip was last week."),
        ("We stayed in a small hotel.", "I will never forget that bus.", "We were on the road for two days."),
        ("excited", "nostalgic", "annoyed", "terrified", "impressed", "disgusted"),
    ),
    Situation(
        "letter",
        "The speaker got a letter from an old friend.",
        (
            "An old friend sent me a letter.",
            "I found a letter from my friend at the door.",
            "My friend wrote to me after ten years.",
        ),
        ("It was four pages long.", "I read it three times.", "There was a photo with it."),
        ("grateful", "sentimental", "jealous", "apprehensive", "surprised", "embarrassed"),
    ),
    Situation(
        "dog",
        "The speaker took a dog to the doctor.",
        ("I took my dog to the doctor.", "The animal doctor called about my dog.", "My dog was at the doctor all day."),
        ("They kept him there for a night.", "He is eleven years old.", "They made some tests."),
        ("hopeful", "sad", "furious", "afraid", "surprised", "guilty"),
    ),
    Situation(
        "neighbor",
        "The speaker has a new neighbor.",
        (
            "A new neighbor moved in next door.",
            "I met my new neighbor on the stairs.",
            "My neighbor came to my door last night.",
        ),
        ("I can hear everything through the wall.", "He has a key to our house.", "We share the same garden."),
        ("content", "lonely", "angry", "terrified", "surprised", "disgusted"),
    ),
    Situation(
        "game",
        "The speaker has a big game with the team.",
        ("We have the big game with my team.", "My team plays the final game.", "The coach named the team for the game."),
        ("I know my place on the team now.", "We trained for it all summer.", "The whole school will be there."),
        ("anticipating", "disappointed", "jealous", "anxious", "impressed", "ashamed"),
    ),
)
ASK = ("Oh, tell me more about it.", "And how was it?", "What happened then?")
CAUSES = {
    "happy": "The {topic} turned out well.",
    "sad": "The {topic} brought a loss.",
    "anger": "Somebody was unfair about the {topic}.",
    "fear": "The {topic} may go wrong.",
    "surprise": "Nobody expected this about the {topic}.",
    "disgust": "Something about the {topic} was ugly.",
}
GOALS = {
    "happy": "To share the joy.",
    "sad": "To offer comfort.",
    "anger": "To calm and show understanding.",
    "fear": "To give reassurance.",
    "surprise": "To show interest.",
    "disgust": "To accept the feeling without judging.",
}
OPENERS = {
    "happy": ("That is wonderful!", "I am so happy for you!", "Congratulations, what good news!"),
    "sad": ("I am so sorry to hear that.", "That must hurt a lot.", "Oh no, I feel with you."),
    "anger": ("That really is not fair.", "I would be angry too.", "You have every right to be upset."),
    "fear": ("It is okay to be worried.", "I understand your fear.", "Take a deep breath."),
    "surprise": ("Wow, what a surprise!", "Really? I did not expect that!", "That is hard to believe!"),
    "disgust": ("That sounds really unpleasant.", "I can see why you feel bad.", "Yes, that is hard to bear."),
}
CLOSERS = {
    "happy": (
        "You can be {fine} about the {topic}.",
        "Let us celebrate the {topic} together.",
        "Enjoy every bit of the {topic}.",
    ),
    "sad": (
        "I am here if you want to talk about the {topic}.",
        "The {topic} does not change who you are.",
        "Let yourself feel it.",
    ),
    "anger": ("Do you want to talk about the {topic}?", "Maybe we can solve the {topic} together.", "Let us find a fair way."),
    "fear": (
        "The {topic} will be all right.",
        "You are not alone with the {topic}.",
        "We can prepare for the {topic} together.",
    ),
    "surprise": (
        "How did the {topic} come about?",
        "What will you do about the {topic} now?",
        "Tell me all about the {topic}.",
    ),
    "disgust": (
        "You do not have to like the {topic}.",
        "Next time the {topic} will be better.",
        "Nobody blames you for the {topic}.",
    ),
}


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One turn of a dialogue with everything that its answer needs; `text` is what is said in the clip."""

    topic: str
    coarse: str
    context: str
    history: tuple[Turn, ...]
    text: str
    chain: ChainOfEmpathy
    response: str


def draw_turns(rng: np.random.Generator, turns: int, coarse: str | None = None) -> list[Dialogue]:
    """A dialogue about one situation, its one or two user turns; the feeling stays the same."""
    situation = SITUATIONS[int(rng.integers(len(SITUATIONS)))]
    coarse = coarse or pick(rng, FEELINGS)
    fine = situation.fine[FEELINGS.index(coarse)]
    said = [pick(rng, situation.lines), *(pick(rng, situation.more) for _ in range(turns - 1))]
    history: list[Turn] = []
    result = []
    for text in said:
        closing = pick(rng, CLOSERS[coarse]).format(topic=situation.topic, fine=fine)
        result.append(
            Dialogue(
                topic=situation.topic,
                coarse=coarse,
                context=f"A talk about the {situation.topic}.",
                history=tuple(history),
                text=text,
                chain=ChainOfEmpathy(
                    event_scenario=situation.scenario,
                    speaker_emotion=fine,
                    emotion_cause=CAUSES[coarse].format(topic=situation.topic),
                    goal_to_response=GOALS[coarse],
                ),
                response=f"{pick(rng, OPENERS[coarse])} {closing}",
            )
        )
        history += [Turn("speaker", text), Turn("listener", pick(rng, ASK))]
    return result
