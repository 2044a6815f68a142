"""The annotations of a page of a PDF: what was filled into its form, and comments."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_MOST = 5_000  # annotations of a page
_HIDDEN = 2 | 32  # flags: hidden, not viewed
_PASSWORD = 1 << 13  # flag of a text field


@dataclass(frozen=True, slots=True)
class Field:
    """A form field that is filled in: its value, its name for people and its box."""

    value: str
    name: str
    box: tuple[float, float, float, float]  # left, bottom, right, top


def read_annotations(form: Any, page: Any) -> tuple[list[Field], list[str]]:
    """Return the fields that are filled in on a page, and the texts of comments.

    `form` is pdfium's form environment, None where the document has no form.
    """
    from pypdfium2 import raw

    fields: list[Field] = []
    comments: list[str] = []
    quiet = (raw.FPDF_ANNOT_LINK, raw.FPDF_ANNOT_POPUP, raw.FPDF_ANNOT_WIDGET)
    for at in range(min(_MOST, raw.FPDFPage_GetAnnotCount(page))):
        annotation = raw.FPDFPage_GetAnnot(page, at)
        if not annotation:
            continue
        kind = raw.FPDFAnnot_GetSubtype(annotation)
        if kind == raw.FPDF_ANNOT_WIDGET and form:
            filled = _field(raw, form.raw, annotation)
            fields += [filled] if filled else []
        elif kind not in quiet:
            text = _string(raw.FPDFAnnot_GetStringValue, annotation, b"Contents")
            comments += [" ".join(text.split())] if text.strip() else []
        raw.FPDFPage_CloseAnnot(annotation)
    return fields, comments


def _field(raw: Any, form: Any, annotation: Any) -> Field | None:
    if raw.FPDFAnnot_GetFlags(annotation) & _HIDDEN:
        return None
    kind = raw.FPDFAnnot_GetFormFieldType(form, annotation)
    if kind in (raw.FPDF_FORMFIELD_CHECKBOX, raw.FPDF_FORMFIELD_RADIOBUTTON):
        value = "[x]" if raw.FPDFAnnot_IsChecked(form, annotation) else ""
    elif kind in (raw.FPDF_FORMFIELD_TEXTFIELD, raw.FPDF_FORMFIELD_COMBOBOX):
        if raw.FPDFAnnot_GetFormFieldFlags(form, annotation) & _PASSWORD and (
            kind == raw.FPDF_FORMFIELD_TEXTFIELD
        ):
            return None
        value = _string(raw.FPDFAnnot_GetFormFieldValue, form, annotation)
    elif kind == raw.FPDF_FORMFIELD_LISTBOX:
        value = _options(raw, form, annotation)
    else:
        return None
    value = " ".join(value.split())
    if not value:
        return None
    name = _string(raw.FPDFAnnot_GetFormFieldAlternateName, form, annotation)
    rect = raw.FS_RECTF()
    raw.FPDFAnnot_GetRect(annotation, ctypes.byref(rect))
    return Field(value, " ".join(name.split()), (rect.left, rect.bottom, rect.right, rect.top))


def _options(raw: Any, form: Any, annotation: Any) -> str:
    chosen = [
        _string(raw.FPDFAnnot_GetOptionLabel, form, annotation, at)
        for at in range(min(_MOST, max(0, raw.FPDFAnnot_GetOptionCount(form, annotation))))
        if raw.FPDFAnnot_IsOptionSelected(form, annotation, at)
    ]
    return ", ".join(chosen)


def _string(call: Callable[..., int], *arguments: Any) -> str:
    size = call(*arguments, None, 0)  # in bytes, with the two of the end
    if size <= 2:
        return ""
    units = (ctypes.c_ushort * (size // 2 + 1))()
    call(*arguments, units, size)
    return bytes(units)[: size - 2].decode("utf-16-le", "replace")
