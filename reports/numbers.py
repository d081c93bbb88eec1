"""Figures as a reader wants them: three significant digits, a unit, thin spaces between thousands."""

import math

THIN = "\u202f"
_BYTES = ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB"))


def figure(value: float, whole: bool = True) -> str:
    """Three significant digits below a thousand, whole numbers with thin spaces above; three there too if not `whole`."""
    if not math.isfinite(value):
        return "?"
    if not whole and abs(value) >= 1000:
        value = float(f"{value:.3g}")
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", THIN)
    text = f"{value:.3g}"
    if "e" in text:
        text = f"{value:.6f}".rstrip("0").rstrip(".")
    return text


def duration(ms: float | None) -> str:
    """Milliseconds below a second, seconds from there on."""
    if ms is None:
        return "–"
    return f"{figure(ms / 1000, whole=False)} s" if abs(ms) >= 999.5 else f"{figure(ms)} ms"


def size(count: float | None) -> str:
    """Bytes in the largest unit that leaves a number of at least one."""
    if count is None:
        return "–"
    for unit, name in _BYTES:
        if count >= unit:
            return f"{figure(count / unit, whole=False)} {name}"
    return f"{figure(count)} bytes"


def factor(before: float | None, after: float | None) -> str:
    """The change as a factor: `41× less`, `1.2× more`, or nothing where it cannot be said."""
    if not before or after is None or after < 0:
        return ""
    if after == 0:
        return "to none"
    ratio = before / after
    if 0.995 < ratio < 1.005:
        return "unchanged"
    return f"{figure(ratio, whole=False)}× less" if ratio > 1 else f"{figure(1 / ratio, whole=False)}× more"


def percent(part: float, whole: float | None) -> str:
    """A share of a named whole."""
    return f"{figure(100 * part / whole)} %" if whole else "–"


def plural(count: float, one: str, many: str = "") -> str:
    """`1 index`, `7 indexes`."""
    return f"{figure(count)} {one if count == 1 else many or one + 's'}"


def visible(text: str) -> str:
    """The text with control, bidirectional and other invisible characters shown as escapes; newlines and tabs stay."""
    return "".join(character if _shown(character) else _escape(character) for character in text)


def _shown(character: str) -> bool:
    code = ord(character)
    if character in "\n\t":
        return True
    return not (
        code < 32 or 127 <= code < 160 or 0x200B <= code <= 0x200F or 0x202A <= code <= 0x202E
        or 0x2060 <= code <= 0x2069 or code == 0xFEFF or 0xD800 <= code <= 0xDFFF or 0x2028 <= code <= 0x2029
    )  # fmt: skip


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
