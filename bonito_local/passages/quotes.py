"""Lines of a mail: which its writer wrote, and which are quotes, forwarded mails, signatures.

The lines that mail programs put before a quote are known in English, German, French, Italian,
Spanish, Portuguese and Dutch.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

# "head": headers of a quoted or forwarded mail, and the line that introduces it.
Label = Literal["written", "quote", "head", "signature", "forwarded"]

_QUOTED = re.compile(r"\s{0,3}(?:>|[A-Z]{2,3}> )")
_ESCAPED = re.compile(r">+From ")  # how a mailbox file keeps a line that begins with "From "
_BAR = re.compile(r"\s?\|\s(?!.*\|\s*$)")  # a quote's, only after an introduction: else a table's
_MOST_SIGNATURE = 20  # lines: more is text below a rule
_SHORT_SIGNATURE = 8  # the same where the rule lacks the space that a signature's has
_MOST_WRAPPED = 4  # lines that an introduction is wrapped to

_WROTE = re.compile(
    r"""(?:
      (?:On|At|In)\b.{4,260}?\b(?:wrote|writes|said)
    | .{0,120}?<[^<>\s]+@[^<>\s]+>.{0,60}?\b(?:wrote|writes|schrieb|a\ écrit|ha\ scritto|escribió)
    | Quoting\ .{2,120}
    | (?:Am|Den|Vom)\b.{4,260}?\b(?:schrieb|hat)\b.{0,200}?
    | .{2,120}\bschrieb\ (?:am|um)\b.{4,100}?
    | Le\b.{4,260}?\b(?:a\ écrit|écrivait|écrit)
    | Il\b.{4,260}?\b(?:ha\ scritto|scrisse|scriveva)
    | El\b.{4,260}?\b(?:escribió|escribe)
    | Em\b.{4,260}?\b(?:escreveu|escreva)
    | Op\b.{4,260}?\b(?:schreef|heeft)\b.{0,200}?
    )[^:]{0,60}:\s*\Z""",
    re.VERBOSE | re.DOTALL,
)
_STARTS = re.compile(r"(?:On|Am|Le|Il|El|Em|Op)\b.*\d")
# What tells an introduction from a sentence: an address, a time, a date.
_DATED = re.compile(r"@|\b\d{1,2}[:.h]\d\d\b|\b(?:19|20)\d\d\b|\b\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b")
_NAME_WROTE = re.compile(r".{2,60}\b(?:wrote|schrieb|a écrit|ha scritto|escribió) ?:\s*\Z")
# In any language: an address and a date or time, and a colon.
_ADDRESS_AND_DATE = re.compile(r"(?=.*\S+@\S+)(?=.*\d{1,2}[:./]\d\d).{8,200}:\s*\Z")

_ORIGINAL = re.compile(
    r"\s*-{2,}\s*(?:Original(?: Message| Appointment|nachricht)|Ursprüngliche (?:Nachricht|E-?Mail)"
    r"|Message d['’]origine|Message original|Messaggio originale|Mensaje original"
    r"|Mensagem original|Oorspronkelijk bericht|Reply message)\s*-{2,}\s*",
    re.IGNORECASE,
)
_FORWARD = re.compile(
    r"\s*(?:-{2,}\s*(?:Forwarded (?:message|by)\b.*|Weitergeleitete (?:Nachricht|E-?Mail)"
    r"|Message transféré|Message transmis|Messaggio inoltrato|Mensaje reenviado"
    r"|Mensagem encaminhada|Doorgestuurd bericht)\s*-*"
    r"|Begin forwarded message\s?:|Anfang der weitergeleiteten (?:Nachricht|E-?Mail)\s?:"
    r"|Début du message (?:transféré|réexpédié)\s?:|Inizio (?:del )?messaggio inoltrato\s?:"
    r"|Inicio del mensaje reenviado\s?:|Início da mensagem (?:re)?encaminhada\s?:)\s*",
    re.IGNORECASE,
)
_LIST_RULE = re.compile(r"[_-]{20,}\s*")
_RULE = re.compile(r"\s*[_-]{5,}\s*")
_FROM = r"From|Von|De|Da|Van|Fra|Från|Od|От|От кого"
_DATE = (
    r"Sent|Date|Gesendet|Datum|Gesendet am|Envoyé|Envoyé le|Date d['’]envoi|Inviato|Data|Enviado"
    r"|Enviado el|Fecha|Enviada em|Verzonden|Sendt|Skickat|Wysłano|Отправлено|Дата"
)
_TO = (
    r"To|An|À|A|Para|Aan|Til|Till|Do|DW|Кому|Cc|CC|Kopie|Копия|Bcc|Reply-To|Antwort an|Répondre à"
    r"|Organization"
)
_SUBJECT = r"Subject|Betreff|Objet|Oggetto|Asunto|Assunto|Onderwerp|Emne|Ämne|Temat|Тема"
_INDENTED = re.compile(r"\s{2}|\s*$").match
_OTHER = r"Importance|Priorität|Wichtigkeit|Attachments|Anlagen|Pièces jointes|Allegati|Resent-.*"


def _field(names: str) -> re.Pattern[str]:
    return re.compile(rf"\s*[*_]{{0,2}}(?:{names})\s?:[*_]{{0,2}}(?:\s|$)")


_FIRST = _field(f"{_FROM}|{_DATE}|{_SUBJECT}")
_FIELDS = tuple(map(_field, (_FROM, _DATE, _TO, _SUBJECT, _OTHER)))
_SENT_FROM = re.compile(
    r"(?:Sent (?:from|via) (?:my )?.{1,40}|Get Outlook for .{1,20}|Sent with .{1,40}Mail.{0,20}"
    r"|Von meinem .{1,30} gesendet\.?|Gesendet (?:von|mit|über) .{1,50}|Diese Nachricht wurde von"
    r" meinem .{1,50} gesendet\.?|Holen Sie sich Outlook für .{1,20}"
    r"|Envoyé (?:de|depuis) (?:mon|ma) .{1,40}|Envoyé par le service .{1,50}"
    r"|Obtenir Outlook pour .{1,20}"
    r"|Télécharger Outlook pour .{1,20}|Inviato da(?:l mio)? .{1,40}|Scarica Outlook per .{1,20}"
    r"|Ottieni Outlook per .{1,20}|Enviado desde (?:mi )?.{1,40}|Obtener Outlook para .{1,20}"
    r"|Enviado do meu .{1,40}|Verzonden vanaf mijn .{1,40}|Verstuurd vanaf mijn .{1,40})"
)

_FORWARDED_SUBJECT = re.compile(r"\s*(?:fwd?|wg|tr|rv|i|enc)\s?:", re.IGNORECASE)
_INTRODUCES = re.compile(
    r"\b(?:wrote|writes|schrieb[^:]{0,120}|écrit|scritto|escribió|escreveu|schreef[^:]{0,80})\s?:\s*\Z"
)
_MARK = re.compile(r"\A\s{0,3}> ?")
FEW_WORDS = 10  # of the writer's own, beside which a forwarded mail is what there is to read


def label_lines(lines: Sequence[str]) -> list[Label]:
    """Say of each line of a mail what it is; answers are kept wherever they stand.

    Lines with a quote's mark are quotes. What follows the headers of another mail, or an
    introduction with address or date, is that mail to its end, where its lines have no marks.
    What follows a forwarded mail's headers is "forwarded".
    """
    labels: list[Label] = ["written"] * len(lines)
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line.strip():
            at += 1
        elif _is_quoted(lines, at):
            labels[at] = "quote"
            at += 1
        elif line == "-- " or line == "--":
            rest = _signature(lines, at)
            labels[at : at + rest] = ["signature"] * rest
            at += rest or 1
        elif _SENT_FROM.fullmatch(line.strip()):
            labels[at] = "signature"
            at += 1
        elif rest := _list_footer(lines, at):
            labels[at : at + rest] = ["signature"] * rest
            at += rest
        elif end := _head_end(lines, at):
            at = _label_mail(lines, labels, at, end)
        elif end := _introduction_end(lines, at):
            at = _label_quote(lines, labels, at, end)
        else:
            at += 1
    return labels


def select_lines(
    lines: Sequence[str], forwarded: bool = False
) -> tuple[list[tuple[int, str]], list[tuple[str, str]]]:
    """Return the lines to read, with their places, and those left out, as "quote" or "signature".

    Of a mail whose writer wrote nothing, or next to nothing where it was `forwarded`, the mail
    that it passes on is read.
    """
    labels = label_lines(lines)
    kept = [(i, _unescaped(lines[i])) for i, label in enumerate(labels) if label == "written"]
    own = sum(len(line.split()) for _, line in kept)
    if own == 0 or (forwarded and own < FEW_WORDS):
        places = [i for i, label in enumerate(labels) if label == "forwarded"]
        passed_on = [lines[i] for i in places]
        if not any(line.strip() for line in passed_on) and _forwards(lines, labels):
            places = [i for i, label in enumerate(labels) if label == "quote"]
            passed_on = [_MARK.sub("", lines[i]) for i in places]
        inner, left_out = select_lines(passed_on, forwarded=True) if passed_on else ([], [])
        if inner:
            outer = [(label, lines[i]) for i, label in enumerate(labels) if i not in set(places)]
            kept += [(places[i], line) for i, line in inner]
            return kept, [*_left_out(outer), *left_out]
    return kept, _left_out(list(zip(labels, lines, strict=True)))


def ends_introduction(text: str) -> bool:
    """Whether a text ends as a line does that introduces a quote."""
    return bool(_INTRODUCES.search(text))


def is_forwarded(subject: str) -> bool:
    """Whether a subject is a forwarded mail's."""
    return bool(_FORWARDED_SUBJECT.match(subject))


def _left_out(lines: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [
        ("signature" if label == "signature" else "quote", line)
        for label, line in lines
        if label != "written" and line.strip()
    ]


def _unescaped(line: str) -> str:
    """Return a line without the sign that a mailbox file puts before "From "."""
    return line[1:] if _ESCAPED.match(line) else line


def _forwards(lines: Sequence[str], labels: Sequence[Label]) -> bool:
    heads = [line for line, label in zip(lines, labels, strict=True) if label == "head"]
    return any(_FORWARD.fullmatch(line) for line in heads)


def _is_quoted(lines: Sequence[str], at: int) -> bool:
    line = lines[at]
    if not _QUOTED.match(line):
        return False
    if not _ESCAPED.match(line):
        return True
    # A quote that begins with "From " stands among quoted lines.
    around = [lines[i] for i in (at - 1, at + 1) if 0 <= i < len(lines)]
    return any(_QUOTED.match(other) and not _ESCAPED.match(other) for other in around)


def _signature(lines: Sequence[str], at: int) -> int:
    """Return how many lines from a signature's rule on are one, 0 where text follows."""
    rest = lines[at + 1 :]
    end = next((i for i, line in enumerate(rest) if _starts_mail(rest, i)), len(rest))
    filled = sum(bool(line.strip()) for line in rest[:end])
    most = _MOST_SIGNATURE if lines[at] == "-- " else _SHORT_SIGNATURE
    return end + 1 if filled <= most else 0


def _list_footer(lines: Sequence[str], at: int) -> int:
    """Return how many lines a mailing list put below a mail from here on."""
    if not _LIST_RULE.fullmatch(lines[at]) or at + 1 == len(lines):
        return 0
    if not re.search(r"mailing list|liste de diffusion|Mailingliste", lines[at + 1]):
        return 0
    end = next((i for i in range(at, len(lines)) if not lines[i].strip()), len(lines))
    return end - at if end - at <= _SHORT_SIGNATURE else 0


def _starts_mail(lines: Sequence[str], at: int) -> bool:
    return bool(lines[at].strip()) and (
        _is_quoted(lines, at) or bool(_head_end(lines, at) or _introduction_end(lines, at))
    )


def _head_end(lines: Sequence[str], at: int) -> int:
    """Return where the headers of another mail end that begin here; 0 where none do."""
    start = at
    marked = False
    while start < len(lines) and start - at < 4:
        line = lines[start]
        if _FORWARD.fullmatch(line) or _ORIGINAL.fullmatch(line):
            marked = True
        elif line.strip() and not _RULE.fullmatch(line):
            break
        start += 1
    if start < len(lines) and (marked or start == at or _RULE.fullmatch(lines[at])):
        fields_end = _fields_end(lines, start)
        if fields_end:
            return fields_end
    return start if marked else 0


def _fields_end(lines: Sequence[str], start: int) -> int:
    """Return where header fields end that begin here; 0 where there are fewer than three."""
    if not _FIRST.match(lines[start]):
        return 0
    kinds: set[int] = set()
    end = at = start
    while at < len(lines) and at - end < 4:
        kind = next((i for i, field in enumerate(_FIELDS) if field.match(lines[at])), None)
        if kind is not None:
            kinds.add(kind)
            end = at + 1
        elif len(kinds) >= 3 and not lines[at].strip():
            break
        at += 1
    if len(kinds) < 3 or 0 not in kinds or _is_told_of(lines, start, end):
        return 0
    return end


def _is_told_of(lines: Sequence[str], start: int, end: int) -> bool:
    """Whether header fields are indented and the text below is not: they are a part of it.

    A report that a mail was not delivered names the mail so.
    """
    below = next((line for line in lines[end:] if line.strip()), "")
    return bool(below) and not below[0].isspace() and all(map(_INDENTED, lines[start:end]))


def _introduction_end(lines: Sequence[str], at: int) -> int:
    """Return where the line that introduces a quote ends, which may be wrapped; else 0."""
    text = ""
    for end in range(at, min(at + _MOST_WRAPPED, len(lines))):
        line = lines[end].strip()
        if not line or (end > at and (_is_quoted(lines, end) or _STARTS.match(line))):
            return 0
        text = f"{text} {line}".strip()
        if line.endswith(":") and _WROTE.match(text):
            return end + 1
        if (
            end == at
            and (_NAME_WROTE.match(text) or _ADDRESS_AND_DATE.match(text))
            and _next_quoted(lines, end + 1)
        ):
            return end + 1
    return 0


def _next_quoted(lines: Sequence[str], at: int) -> bool | None:
    """Whether the next line that is not empty is a quote; None where there is none."""
    for i in range(at, len(lines)):
        if lines[i].strip():
            return _is_quoted(lines, i) or bool(_BAR.match(lines[i]))
    return None


def _label_quote(lines: Sequence[str], labels: list[Label], at: int, end: int) -> int:
    """Label an introduction and, where its quote has no marks, the rest; return what is next."""
    quoted = _next_quoted(lines, end)
    introduction = " ".join(lines[at:end])
    if quoted is False and not _DATED.search(introduction):
        return end  # a sentence of the writer's that ends with a colon
    labels[at:end] = ["head"] * (end - at)
    if quoted is None:
        return len(lines)
    if quoted:
        while end < len(lines) and (_BAR.match(lines[end]) or not lines[end].strip()):
            labels[end] = "quote" if lines[end].strip() else labels[end]
            end += 1
        return end
    if any(label == "written" and lines[i].strip() for i, label in enumerate(labels[:at])):
        labels[end:] = ["quote"] * (len(lines) - end)
        return len(lines)
    return end  # nothing was written above: what follows may be the answer


def _label_mail(lines: Sequence[str], labels: list[Label], at: int, end: int) -> int:
    """Label another mail's headers and its text; return what is next."""
    labels[at:end] = ["head"] * (end - at)
    if _next_quoted(lines, end):
        return end
    labels[end:] = ["forwarded"] * (len(lines) - end)
    return len(lines)
