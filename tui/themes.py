"""The app's own colours: sea green and coral, dark and light. Textual's themes are there too."""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="bonito-dark",
    primary="#35b5ac",
    secondary="#6c9ac4",
    accent="#ff8f66",
    foreground="#d9e2e8",
    background="#0e161d",
    surface="#141f28",
    panel="#1c2a35",
    success="#6fc78f",
    warning="#e6b95c",
    error="#ee6f78",
    dark=True,
    variables={
        "footer-key-foreground": "#ff8f66",
        "input-selection-background": "#35b5ac 35%",
        "block-cursor-background": "#244a55",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#1c2a35",
    },
)
LIGHT = Theme(
    name="bonito-light",
    primary="#0d7872",
    secondary="#3a6a96",
    accent="#b8441f",
    foreground="#1a2831",
    background="#f4f7f8",
    surface="#fbfcfd",
    panel="#e4ebee",
    success="#25734a",
    warning="#8a5d00",
    error="#b02a37",
    dark=False,
    variables={
        "footer-key-foreground": "#b8441f",
        "input-selection-background": "#0d7872 25%",
        "block-cursor-background": "#c5e2e0",
        "block-cursor-foreground": "#0c1a20",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#e4ebee",
    },
)
