"""Fixed inputs of `verify`: passages to prompt with, and texts that tokenizers differ on."""

from __future__ import annotations

from bonito_local.tasks import TASK_TYPES, format_prompt

PASSAGES = (
    "Either party may end this agreement by giving thirty days' written notice. The notice is "
    "sent by registered mail, and takes effect on the day it is received.",
    "The patient was admitted with a fever of 39.4 degrees and a dry cough. A chest X-ray showed "
    "a shadow in the left lung. She was given amoxicillin for seven days and went home well.",
    "The lighthouse at Cape Marrow was built in 1871 of granite from the island's own quarry. "
    "Its lamp, first fuelled with whale oil, could be seen from twenty miles away.",
    "Employees accrue two days of leave for each month worked. Unused leave of up to ten days "
    "is carried into the next year; the rest lapses on 31 March.",
)

TEXTS = (
    "",
    " ",
    "a",
    " leading space",
    "  two leading spaces",
    "trailing space ",
    "Hello, world! It's 2024, isn't it? I'LL say WE'VE 12345 apples at $3.99.",
    "one\ntwo\n\nthree\r\n\tfour   five\n \n  \n",
    "def f(x):\n    return x ** 2  # squared\n\n\nclass A:\n\tpass\n",
    '{"key": [1, 2.5e-3, null], "url": "https://example.org/a?b=c&d=%20"}',
    "naïve café Zürich Ærøskøbing – “quotes” … §5 ©",
    "Привет, мир! Ёлка. Ελληνικά. 漢字とかな。 한국어 العربية עברית हिन्दी ไทย",
    "🚀🦙 👩‍👩‍👧 🇩🇰 ✅ e\u0301 \u200b \ufeff \u00a0 \u3000",
    "<s> </s> <unk> [INST] <|im_start|> <|endoftext|>",
    "<|tasktype|> <|context|> <|task|> <|pipe|> {{context}}",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ................ ================ \t\t\t\t",
    *(format_prompt(task, PASSAGES[0]) for task in TASK_TYPES[:4]),
    *PASSAGES,
)
