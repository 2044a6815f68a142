"""Which language a passage is in: by its script, and by words that each language is full of."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

_LEAST_WORDS = 12  # fewer do not tell
_LEAST_KINDS = 3  # of such words
_LEAST_SHARE = 0.12  # of its words that are such words of the language, in a text of it
_SAMPLE = 2000  # characters looked at
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
# Words of three languages or more (de, a, en, in) say little; each list has its own beside them.
_WORDS = {
    "en": "the of and to in is that for it was on are as with be by this have from or not at "
    "which but an they all their there been if has will would can any each may must shall such "
    "other than",
    "de": "der die und das den von zu mit sich auf für ist im dem nicht ein eine als auch es an "
    "werden aus er hat dass sie nach wird bei einer um am sind noch wie einem über zum",
    "fr": "le la les des et en un une du que est dans qui par pour au sur pas plus ne se ce avec "
    "sont aux ou son sa il elle cette ces nous vous leur être ont d'un d'une",
    "es": "el la los las que y en un una del se por con no para al lo como más su sus es o pero "
    "este esta ha son entre cuando muy sin sobre ser también fue hay",
    "pt": "o a os as que e do da em um uma para com não no na dos das por mais se ao como foi ele "
    "seu sua ou ser é são pelo pela isso mas também até nos",
    "it": "il la le gli di che e un una per del della in non con si da dei al alla sono più nel "
    "anche come ha delle dal è ma questo questa loro essere nella",
    "nl": "de het een van en in is dat op te voor met zijn aan er niet ook die als bij door maar "
    "naar om wordt uit heeft nog over worden deze kan tot",
    "sv": "och att det som en är av för på med den till inte ett har de var om jag så men från "
    "eller vid kan där sig efter när ska också",
    "da": "og at det er en som af for på med den til ikke et har de var om jeg men fra eller ved "
    "kan der sig efter når skal også være blev",
    "pl": "i w na z się nie do że to jest o jak po co dla od przez są przy ale tak oraz lub może "
    "był tym który która które",
    "cs": "a v na se je že s z do o to pro jsou by ale jako po který která které nebo podle být "
    "byl jeho také při od tak",
    "fi": "ja on ei se että oli hän mutta ovat kun myös tai sen joka ole olla niin kuin mukaan "
    "hänen jos vain sekä ovat tämä",
    "tr": "ve bir bu da de için ile olarak olan daha gibi en çok ne o kadar sonra ancak her "
    "değil veya olduğu tarafından",
    "ro": "și în de la cu a pe nu că din care este un o mai pentru sunt se au fost ce sau prin "
    "această acest",
    "hu": "a az és hogy nem is egy van volt meg de csak már ez mint vagy azt kell ha még el lesz",
    "id": "yang dan di ini itu dengan untuk dari dalam pada tidak adalah akan ke karena oleh juga "
    "sebagai atau telah",
    "vi": "và của là có được cho trong không các một với những này đã người về khi để từ",
}  # fmt: skip
_SCRIPTS = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("zh", re.compile(r"[\u4e00-\u9fff]")),
    ("ko", re.compile(r"[\uac00-\ud7af]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
    ("el", re.compile(r"[\u0370-\u03ff]")),
    ("ar", re.compile(r"[\u0600-\u06ff]")),
    ("he", re.compile(r"[\u0590-\u05ff]")),
    ("hi", re.compile(r"[\u0900-\u097f]")),
    ("th", re.compile(r"[\u0e00-\u0e7f]")),
)


def language(text: str) -> str:
    """Return the ISO 639-1 code of a text's language, or "" where it cannot be told.

    A script stands for the language that most write in it ("ru" for Cyrillic). Lists of names and
    figures, and texts of less than a dozen words, have no language.
    """
    sample = text[:_SAMPLE]
    if not sample.isascii():
        letters = sum(map(str.isalpha, sample))
        for code, script in _SCRIPTS:
            # Japanese is mostly Chinese characters: few of its own tell it.
            if len(script.findall(sample)) > letters * (0.1 if code == "ja" else 0.4):
                return code
    said = [word.casefold().replace("\u2019", "'") for word in _WORD.findall(sample)]
    if len(said) < _LEAST_WORDS:
        return ""
    counts, kinds = Counter[str](), Counter[str]()
    for word, times in Counter(said).items():
        for code in _languages().get(word, ()):
            counts[code] += times
            kinds[code] += 1
    for code, most in counts.most_common():
        if most >= _LEAST_SHARE * len(said) and kinds[code] >= _LEAST_KINDS:
            # "to", "a" and "do" are Czech too.
            return "en" if counts["en"] > most / 2 else code
    return ""


@cache
def _languages() -> dict[str, tuple[str, ...]]:
    """The languages that each word is one of the common words of."""
    found: dict[str, tuple[str, ...]] = {}
    for code, words in _WORDS.items():
        for word in words.split():
            found[word] = (*found.get(word, ()), code)
    return found
