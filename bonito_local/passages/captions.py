"""Captions of films and talks (WebVTT, SubRip): what is said, without the times."""

from __future__ import annotations

import re

from bonito_local.passages.blocks import Block, tidy
from bonito_local.passages.charsets import decode_declared
from bonito_local.passages.completeness import Part, check_completeness
from bonito_local.passages.notes import Notes

_TIME = re.compile(r"(?:(\d+):)?(\d\d):(\d\d)[.,](\d{3})")
_CUE = re.compile(rf"\s*{_TIME.pattern}\s*-->\s*{_TIME.pattern}")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
_TAG = re.compile(r"</?[A-Za-z0-9.:]+(?:\s[^<>]*)?>|\{\\[^}]*\}")
_PAUSE = 3.0  # seconds of silence: what follows is another paragraph
_ENDS = (".", "!", "?", "…", '"', "”")


def caption_blocks(data: bytes, notes: Notes) -> list[Block]:
    """Read captions as paragraphs: those of one voice without a pause are one.

    A line that the caption after it repeats, as automatic captions do, is read once.
    """
    text = decode_declared(data, "").replace("\r\n", "\n").replace("\r", "\n")
    cues, remarks = _cues(text)
    paragraphs: list[list[str]] = []
    voices: list[str] = []  # put before what each says
    speaker, end, last = "", 0.0, [""]
    for start, stop, voice, lines in cues:
        fresh = [line for line in lines if line not in last]
        last = lines
        if not fresh:
            end = stop
            continue
        complete = bool(paragraphs) and paragraphs[-1][-1].endswith(_ENDS)
        if not paragraphs or voice != speaker or (start - end > _PAUSE and complete):
            voices += [voice]
            paragraphs.append([f"{voice}: {fresh[0]}" if voice else fresh[0], *fresh[1:]])
        else:
            paragraphs[-1] += fresh
        speaker, end = voice, stop
    notes.left_out(remarks, "note of the captions", "")
    blocks = [Block(tidy(" ".join(lines))) for lines in paragraphs]
    raw = "\n".join(line for _, _, _, lines in cues for line in lines)
    said = "\n".join(block.text for block in blocks)
    for note in check_completeness([Part("", raw)], said, left_out=_repeated(cues), added=voices):
        notes.add(note.title, note.remedy)
    return blocks


_Cue = tuple[float, float, str, list[str]]


def _cues(text: str) -> tuple[list[_Cue], int]:
    """Return each caption's start, end, voice and lines, and how many notes there are."""
    cues: list[_Cue] = []
    remarks = 0
    for chunk in re.split(r"\n[ \t]*\n", text):
        lines = chunk.strip("\n").split("\n")
        at = next((i for i, line in enumerate(lines[:3]) if _CUE.match(line)), None)
        if at is None:
            remarks += lines[0].startswith("NOTE")
            continue
        times = _CUE.match(lines[at])
        if times is None:
            continue
        start, stop = _seconds(times.groups()[:4]), _seconds(times.groups()[4:])
        spoken = "\n".join(lines[at + 1 :])
        voice = _VOICE.search(spoken)
        shown = [tidy(line) for line in _TAG.sub("", _VOICE.sub("", spoken)).split("\n")]
        cues.append((start, stop, tidy(voice[1]) if voice else "", [s for s in shown if s]))
    return cues, remarks


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, thousandths = (int(part or 0) for part in parts)
    return 3600 * hours + 60 * minutes + seconds + thousandths / 1000


def _repeated(cues: list[_Cue]) -> list[str]:
    last: list[str] = []
    repeated: list[str] = []
    for _, _, _, lines in cues:
        repeated += [line for line in lines if line in last]
        last = lines
    return repeated
