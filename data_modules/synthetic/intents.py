"""What people want when they speak: the intents of MIntRec and MIntRec2.0, and sentences for them.

More than half of the sentences belong to one intent. The others are shared by two or three, which only the emotion
tells apart: "Nice job." is Praise from somebody happy and Taunt from somebody disgusted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_modules.synthetic.words import fill, pick

SPECIFIC = 0.55  # share of sentences that belong to one intent

# intent: (typical emotions, its own sentences)
SENTENCES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Acknowledge": (("neutral",), ("Okay, I got the message.", "Right, I understand.", "Yes, I heard about the {thing}.")),
    "Advise": (
        ("neutral",),
        ("You could try the {place} first.", "Maybe take the {thing} with you.", "I would wait until {time}."),
    ),
    "Agree": (("happy", "neutral"), ("Yes, I think so too.", "Good idea, let us do that.", "You are right about the {thing}.")),
    "Apologise": (("sad",), ("I am sorry, it was my fault.", "Please forgive me.", "I did not mean to break the {thing}.")),
    "Arrange": (
        ("neutral",),
        ("You take the {place}, I take the rest.", "Put the {thing} over there.", "Everybody meet at {time}."),
    ),
    "Ask for help": (("fear",), ("Can you help me?", "I need help with the {thing}.", "Somebody please help me.")),
    "Asking for opinions": (
        ("neutral",),
        ("How do you like the {thing}?", "Which one would you choose?", "Do you have an opinion on this?"),
    ),
    "Care": (("fear",), ("Did you eat today?", "Take care of yourself.", "Do you feel better now?")),
    "Comfort": (
        ("sad", "neutral"),
        ("Do not cry, I am with you.", "It is not your fault.", "Everything gets better with time."),
    ),
    "Complain": (
        ("anger", "sad"),
        ("I always have to clean the {place}.", "My feet hurt all day.", "Nobody ever listens to me."),
    ),
    "Confirm": (("neutral",), ("So you mean the {thing}, right?", "You said {time}, correct?", "Is that your final answer?")),
    "Criticize": (("anger", "disgust"), ("You are so lazy.", "You ruined the {thing}.", "That was a terrible choice.")),
    "Doubt": (("surprise",), ("Are you sure about that?", "Is that really true?", "How is that even possible?")),
    "Emphasize": (("anger",), ("This is very important.", "I mean it, never again.", "Every single {thing} counts.")),
    "Explain": (
        ("neutral",),
        ("It works because of the {thing}.", "The reason is simple.", "I was late because of the traffic."),
    ),
    "Flaunt": (("happy",), ("I am the best in the {place}.", "I won the prize, of course.", "Everybody admires my {thing}.")),
    "Greet": (("happy",), ("Good morning, everybody.", "Hi, nice to see you.", "Hello, how are you?")),
    "Inform": (("neutral",), ("The {thing} is in the {place}.", "Your {thing} came {day}.", "Your boss is waiting.")),
    "Introduce": (("happy", "neutral"), ("My name is Alex.", "Meet {person}.", "This is {person} from the {place}.")),
    "Invite": (("happy",), ("Would you like to join us?", "Come to my party.", "You are invited to dinner.")),
    "Joke": (
        ("happy",),
        ("I married the {thing}, just kidding.", "My cat runs the {place}.", "I only work here for the cake."),
    ),
    "Leave": (("neutral", "sad"), ("Goodbye, see you later.", "I am going home.", "It is late, good night.")),
    "Oppose": (("anger",), ("I disagree with that.", "I am against the plan.", "That is wrong and you know it.")),
    "Plan": (
        ("neutral", "happy"),
        ("Next week we will paint the {place}.", "First the {place}, then dinner.", "We are going to start at {time}."),
    ),
    "Praise": (("happy",), ("You are amazing.", "Your {thing} looks great.", "What a beautiful {thing} you have.")),
    "Prevent": (("fear",), ("Stop, do not open the {thing}.", "Do not go in there.", "Hold on, put the {thing} down.")),
    "Refuse": (
        ("anger", "disgust"),
        ("I will not sign this.", "No thanks, I do not want it.", "I can not accept the {thing}."),
    ),
    "Taunt": (("disgust",), ("Oh look, the genius is here.", "Did your mother buy that {thing}?", "Poor little baby.")),
    "Thank": (("happy",), ("Thanks a lot.", "I really appreciate your help.", "Thank you for coming.")),
    "Warn": (("fear", "anger"), ("Be careful with the {thing}.", "Watch out behind you.", "There is danger in the {place}.")),
}
# sentence: {emotion: intent}
SHARED: dict[str, dict[str, str]] = {
    "Nice job on the {thing}.": {"happy": "Praise", "disgust": "Taunt", "anger": "Criticize"},
    "You did it again.": {"happy": "Praise", "anger": "Criticize", "sad": "Complain"},
    "Look at what I made.": {"happy": "Flaunt", "neutral": "Introduce", "sad": "Apologise"},
    "You should not do that.": {"neutral": "Advise", "anger": "Oppose", "fear": "Prevent"},
    "I have to go now.": {"neutral": "Leave", "sad": "Apologise", "anger": "Refuse"},
    "Are you okay?": {"fear": "Care", "disgust": "Taunt", "happy": "Greet"},
    "Can you come to the {place}?": {"fear": "Ask for help", "neutral": "Arrange", "happy": "Invite"},
    "Thank you for the {thing}.": {"happy": "Thank", "disgust": "Taunt", "sad": "Apologise"},
    "This is my {thing}.": {"neutral": "Introduce", "happy": "Flaunt", "anger": "Oppose"},
    "We close at {time}.": {"neutral": "Inform", "anger": "Complain"},
    "It will be fine.": {"sad": "Comfort", "neutral": "Inform", "happy": "Agree"},
    "Sure, you know it all.": {"happy": "Agree", "disgust": "Taunt", "neutral": "Acknowledge"},
    "No way.": {"anger": "Oppose", "happy": "Joke", "surprise": "Doubt"},
    "Well, hello there.": {"happy": "Greet", "disgust": "Taunt"},
    "Please sit down.": {"happy": "Greet", "neutral": "Arrange", "fear": "Care"},
    "I can not lift this {thing}.": {"fear": "Ask for help", "anger": "Complain", "happy": "Joke"},
    "The {place} is closed tonight.": {"neutral": "Inform", "sad": "Complain", "fear": "Prevent"},
    "Do it like this next time.": {"neutral": "Advise", "anger": "Criticize", "sad": "Comfort"},
    "Somebody saved my day.": {"happy": "Thank", "neutral": "Introduce", "anger": "Complain"},
    "Leave the {thing} alone.": {"sad": "Comfort", "fear": "Prevent", "neutral": "Leave"},
    "I will see about that.": {"neutral": "Plan", "anger": "Refuse", "surprise": "Doubt"},
    "You want me to go there?": {"neutral": "Confirm", "surprise": "Doubt", "anger": "Refuse"},
    "Listen to me.": {"neutral": "Explain", "anger": "Emphasize", "fear": "Warn"},
    "I see what you mean.": {"neutral": "Acknowledge", "surprise": "Doubt", "happy": "Agree"},
    "Come with us to the {place}.": {"happy": "Invite", "neutral": "Plan", "fear": "Warn"},
    "What about the {thing}?": {"neutral": "Asking for opinions", "surprise": "Confirm", "fear": "Care"},
    "It is all about the {thing}.": {"neutral": "Explain", "anger": "Emphasize", "happy": "Flaunt"},
}


@dataclass(frozen=True, slots=True)
class Speech:
    """An intent, the emotion that goes with it, and what is said."""

    intent: str
    emotion: str
    text: str


def shared_sentences(intent: str, vocabulary: tuple[str, ...]) -> list[tuple[str, str]]:
    """(sentence, emotion) of the sentences that `intent` shares with another intent of the vocabulary."""
    result = []
    for sentence, by_emotion in SHARED.items():
        known = {emotion: name for emotion, name in by_emotion.items() if name in vocabulary}
        if len(known) > 1:
            result += [(sentence, emotion) for emotion, name in known.items() if name == intent]
    return result


def draw_speech(rng: np.random.Generator, vocabulary: tuple[str, ...], intent: str) -> Speech:
    """Something said with this intent."""
    if intent not in vocabulary:
        raise ValueError(f"intent {intent!r} is none of {list(vocabulary)}")
    shared = shared_sentences(intent, vocabulary)
    if shared and rng.random() >= SPECIFIC:
        sentence, emotion = shared[int(rng.integers(len(shared)))]
    else:
        emotions, sentences = SENTENCES[intent]
        emotion, sentence = pick(rng, emotions), pick(rng, sentences)
    return Speech(intent, emotion, fill(rng, sentence))
