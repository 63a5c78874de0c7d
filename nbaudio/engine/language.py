"""Whether a text is English: the engine's ears, brain and voice know no other language."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

__all__ = ["other_language"]

_WORD = re.compile(r"[^\W\d_]+")
_FEWEST_WORDS = 5  # names, greetings and quoted words say nothing of the language of their sentence
_SURE = 0.99
_MOST_JUDGED = 4_000  # characters, from the beginning: of more it is said no better, and a text can be of megabytes
# Nearly every English sentence has one of these, and they are rare elsewhere. The identifier takes 0.9 s and
# 100 MB to load, so that it is asked only about texts with none.
_ENGLISH = frozenset(
    [
        "the",
        "is",
        "are",
        "was",
        "of",
        "and",
        "to",
        "what",
        "how",
        "you",
        "your",
        "it",
        "this",
        "that",
        "with",
        "for",
        "have",
        "not",
        "in",
        "my",
        "i",
    ]
)
_NAMES = {"de": "German", "es": "Spanish", "fr": "French", "it": "Italian", "nl": "Dutch", "pt": "Portuguese"}


def other_language(text: str) -> str:
    """The language that a text is in if it is surely not English; empty for English, and where it is unclear.

    Only running text is judged: a few foreign words in an English question are none.

    Examples
    --------
    >>> other_language("How do you say good morning in French? Is it bonjour?")
    ''
    >>> other_language("Quelle est la meilleure race de chien pour une famille ?")
    'French'
    >>> other_language("Какая собака лучше всего подходит для семьи?")
    'a script other than Latin'
    """
    text = text[:_MOST_JUDGED]
    letters = [character for character in text if character.isalpha()]
    if not letters:
        return ""
    if sum(ord(letter) > 0x24F for letter in letters) > len(letters) / 2:
        return "a script other than Latin"
    words = _WORD.findall(text.lower())
    if len(words) < _FEWEST_WORDS or sum(word in _ENGLISH for word in words) >= len(words) / 10:
        return ""
    code, probability = _identifier().classify(text)
    return "" if code == "en" or probability < _SURE else _NAMES.get(code, f"the language {code!r}")


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
