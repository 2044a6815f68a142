"""How an instruction is put to a model: as it was trained to be asked.

The forms are those of the paper's evaluation (BatsResearch/nayak-aclfindings24-code,
evaluate_decoder.py), which adds EOS to every choice but for Mistral-Instruct.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PromptForm:
    """What stands before and after an instruction, and whether EOS ends an answer."""

    before: str
    after: str
    ends: bool = True

    def wrap(self, instruction: str) -> str:
        """The prompt, without BOS."""
        return f"{self.before}{instruction.strip()}{self.after}"


FORMS = {
    "base": PromptForm("Instruct: ", "\nAnswer:"),
    "adapted": PromptForm("<|input|>\n", "\n<|output|>\n"),
    "mistral": PromptForm("[INST] ", " [/INST]", ends=False),
}
