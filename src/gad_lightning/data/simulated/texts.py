"""Class names made of made-up words, of which more or fewer are shared between the names."""

from __future__ import annotations

import numpy as np

CONSONANTS, VOWELS = "bdfgjklmnprstvz", "aeiou"
SYLLABLES = [consonant + vowel for consonant in CONSONANTS for vowel in VOWELS]


def _made_word(number: int) -> str:
    """Word of two or more syllables, another one for every number.

    Example:
        >>> _made_word(0), _made_word(76), _made_word(10_000)
        ('baba', 'bebe', 'besoka')
    """
    syllables = [number % len(SYLLABLES), number // len(SYLLABLES)]
    while syllables[-1] >= len(SYLLABLES):
        syllables[-1:] = [syllables[-1] % len(SYLLABLES), syllables[-1] // len(SYLLABLES)]
    return "".join(SYLLABLES[index] for index in reversed(syllables))


def made_names(num_classes: int, words: int, overlap: float, seed: int) -> list[str]:
    """Names of ``words`` words each, no two alike.

    At 0 every word stands in one name alone. At 1 every name is a combination of a few words, as small a number as can
    tell the classes apart at each place, so that a word stands in many names. Between, each place of each name holds a
    shared word with that probability; the places shared at a smaller overlap are shared at a larger one too.

    Args:
        num_classes: how many.
        words: in a name, at least 1.
        overlap: in [0, 1].
        seed: of the combinations.

    Example:
        >>> made_names(3, 2, overlap=0, seed=0)
        ['babu bada', 'bade badi', 'bado badu']
        >>> sorted(made_names(4, 2, overlap=1, seed=0))
        ['baba babi', 'baba babo', 'babe babi', 'babe babo']
    """
    rng = np.random.default_rng([seed, 2])
    choices = 1
    while choices**words < num_classes:
        choices += 1
    combination = rng.permutation(choices**words)[:num_classes]
    shared = rng.random((num_classes, words)) < overlap
    names = []
    for index, number in enumerate(combination.tolist()):
        places = []
        for place in range(words):
            pooled = place * choices + number // choices**place % choices
            own = words * choices + index * words + place
            places.append(_made_word(pooled if shared[index, place] else own))
        names.append(" ".join(places))
    return names
