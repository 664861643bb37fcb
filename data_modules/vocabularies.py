"""The words that published data sets use for their classes, each list once: readers check against it, the synthetic corpus uses it."""

from __future__ import annotations

SEVEN_EMOTIONS = (
    "anger",
    "disgust",
    "fear",
    "happy",
    "neutral",
    "sad",
    "surprise",
)  # CAER, FERV39k, M3ED; CREMA-D less surprise
SEVEN_SPELLING = {"angry": "anger", "happiness": "happy", "sadness": "sad", "surprised": "surprise"}
MER_EMOTIONS = ("angry", "happy", "neutral", "sad", "surprise", "worried")  # MER2023, MER2024
MELD_EMOTIONS = ("anger", "joy", "sadness", "neutral", "disgust", "fear", "surprise")  # in the order of the indices
IEMOCAP_EMOTIONS = ("happy", "sad", "neutral", "anger")  # the same; happy includes excited
IEMOCAP_CODES = {"hap": "happy", "exc": "happy", "sad": "sad", "neu": "neutral", "ang": "anger"}
IEMOCAP_SIX_CODES = {**IEMOCAP_CODES, "exc": "excited", "fru": "frustrated"}
IEMOCAP_OTHERS = ("fea", "sur", "dis", "oth", "xxx")  # xxx: the raters did not agree
MINTREC = (  # in the published order: ten attitudes, ten goals
    "Complain", "Praise", "Apologise", "Thank", "Criticize", "Agree", "Taunt", "Flaunt", "Joke", "Oppose",
    "Comfort", "Care", "Inform", "Advise", "Arrange", "Introduce", "Leave", "Prevent", "Greet", "Ask for help",
)  # fmt: skip
MINTREC2 = (
    "Acknowledge", "Advise", "Agree", "Apologise", "Arrange", "Ask for help", "Asking for opinions", "Care", "Comfort",
    "Complain", "Confirm", "Criticize", "Doubt", "Emphasize", "Explain", "Flaunt", "Greet", "Inform", "Introduce",
    "Invite", "Joke", "Leave", "Oppose", "Plan", "Praise", "Prevent", "Refuse", "Taunt", "Thank", "Warn",
)  # fmt: skip
OUT_OF_SCOPE = "UNK"  # of MIntRec2.0: none of its intents
EMPATHETIC_DIALOGUES = (
    "afraid", "angry", "annoyed", "anticipating", "anxious", "apprehensive", "ashamed", "caring",
    "confident", "content", "devastated", "disappointed", "disgusted", "embarrassed", "excited", "faithful",
    "furious", "grateful", "guilty", "hopeful", "impressed", "jealous", "joyful", "lonely",
    "nostalgic", "prepared", "proud", "sad", "sentimental", "surprised", "terrified", "trusting",
)  # fmt: skip
CREMA_SENTENCES = {
    "IEO": "It's eleven o'clock",
    "TIE": "That is exactly what happened",
    "IOM": "I'm on my way to the meeting",
    "IWW": "I wonder what this is about",
    "TAI": "The airplane is almost full",
    "MTI": "Maybe tomorrow it will be cold",
    "IWL": "I would like a new alarm clock",
    "ITH": "I think I have a doctor's appointment",
    "DFA": "Don't forget a jacket",
    "ITS": "I think I've seen this before",
    "TSI": "The surface is slick",
    "WSI": "We'll stop in a couple of minutes",
}
