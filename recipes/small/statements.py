"""Yes-no questions and statements made of a question that a person wrote and its answer.

"Who wrote Hamlet?" with "Shakespeare" becomes "Did Shakespeare write Hamlet?" and "Shakespeare
wrote Hamlet." With an answer that is wrong, the same forms have the label "no". A question whose
form is not known gives nothing: better few rows than odd ones.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_BE = r"(?:is|are|was|were)"
_DO = r"(?:did|does|do)"
_MONTH = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
)
_PREPOSITION = re.compile(
    r"^(?:in|on|at|during|after|before|since|from|between|by|until|within|around|near|under)\b",
    re.I,
)
_ADJUNCT = re.compile(
    r"^(?P<head>.+ [a-z]+) (?P<tail>(?:in|on|during|after|before|since|from|at|by) "
    r"(?:\d[\d,.]*|(?:the )?[A-Z][\w.'-]*(?: (?:of |the )?[A-Z\d][\w.'-]*){0,3}))$"
)
_LOOSE = re.compile(
    r" (?:with|alongside|against|of|in|on|during|after|before|since|from|at|by|when|while|as|for|if"
    r"|to) "
)
_NUMBER = re.compile(
    r"^(?:about |around |over |nearly |more than |at least |approximately )?"
    r"(?:\d[\d,.]*(?: (?:million|billion|thousand))?|one|two|three|four|five|six|seven|eight|nine|"
    r"ten|eleven|twelve|twenty|thirty|forty|fifty|sixty|hundreds|thousands)$",
    re.I,
)
_PARTICIPLE = re.compile(
    r"(?P<subject>.+?) (?P<verb>(?!between|even|often|children|seven|eleven|then|open|women|men)"
    r"\w+(?:ed|en)|born|built|held|founded|made)(?P<rest>(?: .+)?)$"
)
_IRREGULAR = dict(
    pair.split(":")
    for pair in (
        "wrote:write made:make led:lead won:win took:take gave:give became:become began:begin "
        "built:build held:hold found:find said:say went:go came:come got:get had:have did:do "
        "saw:see knew:know thought:think told:tell left:leave kept:keep brought:bring bought:buy "
        "taught:teach caught:catch fought:fight sought:seek sent:send spent:spend lost:lose "
        "met:meet paid:pay ran:run sang:sing sat:sit sold:sell shot:shoot slept:sleep spoke:speak "
        "stood:stand stole:steal swam:swim threw:throw wore:wear drew:draw drove:drive ate:eat "
        "fell:fall flew:fly forbade:forbid forgot:forget froze:freeze grew:grow hid:hide "
        "rose:rise rode:ride rang:ring shook:shake sank:sink spread:spread struck:strike "
        "swore:swear understood:understand woke:wake withdrew:withdraw overthrew:overthrow "
        "chose:choose broke:break bore:bear dealt:deal meant:mean felt:feel heard:hear "
        "laid:lay lay:lie let:let put:put set:set cut:cut hit:hit beat:beat cost:cost read:read"
    ).split()
)


@dataclass(frozen=True, slots=True)
class Forms:
    """A yes-no question, and the statement that answers it with yes where one could be made."""

    question: str
    statement: str = ""


class Verbs:
    """Base forms of English verbs, as far as a sample of text shows which words there are."""

    def __init__(self, sample: Iterable[str]) -> None:
        self._known = {w for text in sample for w in re.findall(r"\b[a-z]{3,}\b", text)}

    def base_of_past(self, verb: str) -> str | None:
        """Return "write" for "wrote"; None for what does not look like a past form."""
        if verb in _IRREGULAR:
            return _IRREGULAR[verb]
        if not verb.endswith("ed"):
            return None
        stem = verb[:-2]
        candidates = [stem, verb[:-1]]
        if verb.endswith("ied"):
            candidates = [verb[:-3] + "y"]
        elif len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "sl":
            candidates = [stem[:-1], stem]
        elif re.search(
            r"(?:[^aeiou][aeiou][bdgmnprtvz]|at|iz|ut|ov|iv|uc|ag|ur|ir|id|as|os|ar|at)$", stem
        ):
            candidates = [verb[:-1], stem]
        return next((c for c in candidates if c in self._known), None)

    def base_of_present(self, verb: str) -> str | None:
        """Return "write" for "writes"."""
        for ending, instead in (("ies", "y"), ("es", ""), ("s", "")):
            base = verb.removesuffix(ending) + instead
            if verb.endswith(ending) and not verb.endswith("ss") and base in self._known:
                return base
        return None


def forms(question: str, answer: str, verbs: Verbs) -> Forms | None:
    """Return the yes-no forms of a question and an answer, where its form is known."""
    text = question.strip().rstrip("? ").strip()
    answer = answer.strip().rstrip(".,;")
    if len(re.findall(r"\b(?:wh(?:at|en|ere|o|y|ich)|how)\b", text, re.I)) > 1:
        return None
    if not answer or len(text.split()) > 20 or len(answer.split()) > 8 or '"' in text:
        return None
    for make in (_how_many, _when, _where, _called, _who_is, _who_did, _what_did):
        made = make(text, answer, verbs)
        if made is not None:
            return _tidy(made)
    return None


def _how_many(text: str, answer: str, verbs: Verbs) -> Forms | None:
    match = re.match(
        rf"How many (?P<noun>[a-z][\w' -]*?) (?P<verb>{_BE}|{_DO}|\w+) (?P<rest>.+)$", text
    )
    if not text.startswith("How many"):
        return None
    if match is None or not _NUMBER.match(answer):
        return None
    noun, verb, rest = match["noun"], match["verb"], match["rest"]
    if re.fullmatch(_BE, verb):
        if rest.startswith("there"):
            place = rest.removeprefix("there").strip()
            tail = f" {place}" if place else ""
            return Forms(
                f"{verb} there {answer} {noun}{tail}", f"There {verb} {answer} {noun}{tail}"
            )
        if re.match(r"[a-z]+(?:ed|en|wn)\b", rest):
            return Forms(f"{verb} {answer} {noun} {rest}", f"{answer} {noun} {verb} {rest}")
        return None
    if re.fullmatch(_DO, verb):
        adjunct = _ADJUNCT.match(rest)
        if adjunct:
            return Forms(f"{verb} {adjunct['head']} {answer} {noun} {adjunct['tail']}")
        return None if _LOOSE.search(f" {rest} ") else Forms(f"{verb} {rest} {answer} {noun}")
    if verb in ("live", "work", "attend", "use", "make", "belong", "speak"):
        return Forms(f"do {answer} {noun} {verb} {rest}", f"{answer} {noun} {verb} {rest}")
    base = verbs.base_of_past(verb)
    if base is None:
        return None
    return Forms(f"did {answer} {noun} {base} {rest}", f"{answer} {noun} {verb} {rest}")


def _when(text: str, answer: str, verbs: Verbs) -> Forms | None:
    match = re.match(
        rf"(?:When|(?:In|On|During) (?:what|which) (?:year|month|date|day|century|decade)"
        rf"|What year) (?P<verb>{_BE}|{_DO}) (?P<rest>.+)$",
        text,
    )
    if match is None:
        return None
    when = _time(answer)
    rest = match["rest"]
    if when is None or re.search(r" (?:in|on|at|during|after|before)$", rest):
        return None
    statement = ""
    middle = _PARTICIPLE.match(rest)
    if re.fullmatch(_BE, match["verb"]) and middle and len(middle["subject"].split()) <= 6:
        statement = f"{middle['subject']} {match['verb']} {middle['verb']}{middle['rest']} {when}"
    return Forms(f"{match['verb']} {rest} {when}", statement)


def _time(answer: str) -> str | None:
    if _PREPOSITION.match(answer):
        return answer[:1].lower() + answer[1:]
    if re.match(
        rf"(?:{_MONTH} \d{{1,2}}\b|\d{{1,2}} {_MONTH}|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day)",
        answer,
    ):
        return f"on {answer}"
    if re.match(
        rf"(?:{_MONTH}|(?:the )?(?:early |late |mid-)?\d{{3,4}}s?\b|the \d+th century)", answer
    ):
        return f"in {answer}"
    return None


def _where(text: str, answer: str, verbs: Verbs) -> Forms | None:
    match = re.match(
        rf"(?:Where|In (?:what|which) (?:city|country|state|town|region)) "
        rf"(?P<verb>{_BE}|{_DO}) (?P<rest>.+)$",
        text,
    )
    if match is None or re.search(
        r"\b(?:go|come|move|travel|flee|send|sent|from|to|in|at)$", match["rest"]
    ):
        return None
    if _PREPOSITION.match(answer):
        place = answer[:1].lower() + answer[1:]
    elif re.match(r"(?:the )?[A-Z]", answer):
        place = f"in {answer}"
    else:
        return None
    return Forms(f"{match['verb']} {match['rest']} {place}")


def _called(text: str, answer: str, verbs: Verbs) -> Forms | None:
    match = re.match(
        rf"What (?P<verb>{_BE}) (?P<rest>.+ (?:called|named|known as|nicknamed|titled))$", text
    )
    if match is None:
        return None
    verb, rest = match["verb"], match["rest"]
    subject, _, last = rest.rpartition(" known as" if rest.endswith("known as") else " ")
    last = "known as" if rest.endswith("known as") else last
    return Forms(f"{verb} {rest} {answer}", f"{subject} {verb} {last} {answer}")


def _who_is(text: str, answer: str, verbs: Verbs) -> Forms | None:
    match = re.match(
        rf"(?P<what>Who|What|(?:What|Which) [a-z][a-z -]*?) (?P<verb>{_BE}) (?P<rest>(?:the|a|an|"
        rf"[a-z]+ed|born|built|known|given|written|made|held|chosen|considered|responsible) .+)$",
        text,
    )
    if match is None or re.search(
        r" (?:of|in|on|at|for|with|by|to|from|as|called|like|about)$", text
    ):
        return None
    if match["what"] != "Who" and re.search(
        r"\b(?:year|date|day|month|time|percentage|kind|type)\b", match["what"]
    ):
        return None
    if _PREPOSITION.match(answer) or (answer[:1].islower() and len(answer.split()) > 4):
        return None
    if match["what"] == "Who" and not answer[:1].isupper() and not answer.startswith("the "):
        return None
    if not answer[:1].isalpha():  # "Were 12 % the losses?"
        return None
    if match["rest"].startswith(("a ", "an ")) and match["what"] != "Who":
        return None
    return Forms(
        f"{match['verb']} {answer} {match['rest']}", f"{answer} {match['verb']} {match['rest']}"
    )


def _who_did(text: str, answer: str, verbs: Verbs) -> Forms | None:
    match = re.match(r"(?:Who|(?:What|Which) [a-z][a-z -]*?) (?P<verb>[a-z]+) (?P<rest>.+)$", text)
    if match is None or re.fullmatch(
        rf"{_BE}|{_DO}|has|have|had|can|could|will|would|of|besides|else", match["verb"]
    ):
        return None
    if not answer[:1].isupper() and not answer.startswith("the "):
        return None
    verb, rest = match["verb"], match["rest"]
    if base := verbs.base_of_past(verb):
        return Forms(f"did {answer} {base} {rest}", f"{answer} {verb} {rest}")
    if verb.endswith("s") and text.startswith("Who ") and (base := verbs.base_of_present(verb)):
        return Forms(f"does {answer} {base} {rest}", f"{answer} {verb} {rest}")
    return None


def _what_did(text: str, answer: str, verbs: Verbs) -> Forms | None:
    match = re.match(
        rf"(?:What|Who|Whom|(?:What|Which) [a-z]+) (?P<verb>{_DO}) (?P<rest>.+)$", text
    )
    if match is None:
        return None
    rest = match["rest"]
    if len(rest.split()) < 2 or re.search(r"\b(?:do|happen|occur|mean)$|\bdo\b", rest):
        return None
    if re.match(r"What (?:year|date|day|month|time|percentage|kind|type)", text):
        return None
    if adjunct := _ADJUNCT.match(rest):
        return Forms(f"{match['verb']} {adjunct['head']} {answer} {adjunct['tail']}")
    return None if _LOOSE.search(rest + " ") else Forms(f"{match['verb']} {rest} {answer}")


def _tidy(made: Forms) -> Forms | None:
    question = " ".join(made.question.split())
    statement = " ".join(made.statement.split())
    if re.search(r"\b(\w+) \1\b", question) or len(question.split()) < 4:
        return None
    question = f"{question[:1].upper()}{question[1:]}?"
    return Forms(question, statement and f"{statement[:1].upper()}{statement[1:]}.")


def kind_of(answer: str) -> str:
    """Return a coarse type, so that a wrong answer looks like a right one."""
    if re.fullmatch(r"(?:in |the )?\d{4}s?", answer):
        return "year"
    if re.search(rf"{_MONTH}|\d{{4}}", answer):
        return "date" if re.search(r"\d", answer) else "month"
    if _NUMBER.match(answer):
        return "number"
    if re.search(r"^\D{0,2}\d|^(?:over|about|nearly) \D?\d", answer, re.I):
        return next((sign for sign in ("%", "percent", "$", "€", "£") if sign in answer), "amount")
    if answer[:1].isupper():
        return "name"
    article = re.match(r"(?:the|an?) ", answer)
    return f"{article[0] if article else ''}phrase{'s' if answer.endswith('s') else ''}"


def wrong_answer(answer: str, others: Sequence[str], rng: random.Random) -> str | None:
    """Return an answer to something else that could be taken for one; None if there is none."""
    words = set(answer.lower().split())
    kind = kind_of(answer)
    fitting = [
        other
        for other in others
        if kind_of(other) == kind
        and not words & (set(other.lower().split()) - {"the", "a", "an", "of", "in"})
        and abs(len(other.split()) - len(answer.split())) <= 2
    ]
    if fitting:
        return rng.choice(fitting)
    if kind == "year" and (year := re.search(r"\d{4}", answer)):
        steps = (-30, -20, -10, 10, 20) if answer.endswith("s") else (-31, -12, -7, -4, -2, 3, 5, 9)
        other = int(year[0]) + rng.choice(steps)
        return answer.replace(year[0], str(other))
    if kind == "number" and (number := re.fullmatch(r"\d{1,3}", answer)):
        return str(max(2, int(number[0]) + rng.choice((-5, -3, 2, 4, 7, 10, int(number[0])))))
    return None
