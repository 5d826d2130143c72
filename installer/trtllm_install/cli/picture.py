"""Self-contained SVG pictures that follow the reader's light or dark colours."""

from collections.abc import Iterable
from html import escape
from typing import Final

WIDTH: Final = 800
# Kind of a part -> its colour in the light and in the dark; told apart without colour by words.
COLOURS: Final = {
    "ground": ("#ffffff", "#131416"),
    "ink": ("#1b1c1d", "#e7e8ea"),
    "soft": ("#5a5d61", "#a3a7ad"),
    "bad": ("#c1121f", "#ff7b7b"),
    "label": ("#ffffff", "#131416"),
    "weights": ("#4477aa", "#6d9bd1"),
    "runtime": ("#aa3377", "#cf6ba4"),
    "state": ("#ccbb44", "#d9cb6a"),
    "cache": ("#228833", "#55b56a"),
    "graphs": ("#66ccee", "#7fd4f0"),
    "headroom": ("#d9dadb", "#3c4045"),
    "free": ("#ececec", "#2a2d31"),
    "others": ("#77797c", "#8b8f94"),
    "waiting": ("#bbbbbb", "#5d6166"),
    "gate": ("#ee6677", "#f08a97"),
}


def picture(title: str, height: float, parts: Iterable[str]) -> str:
    """Return a whole SVG document; ``title`` is what a screen reader says of it."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" role="img"'
        f' width="{WIDTH}" height="{height:g}" font-size="13"'
        f' font-family="system-ui, sans-serif">\n'
        f"<title>{escape(title)}</title>\n<style>\n{_style()}</style>\n"
        f'<rect class="ground" width="{WIDTH}" height="{height:g}"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def words(x: float, y: float, text: str, kind: str = "ink", anchor: str = "start") -> str:
    """Return a line of text with its baseline at ``y``."""
    return f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>'


def block(  # noqa: PLR0917 (x, y, width, height is how everybody says a rectangle)
    x: float, y: float, width: float, height: float, kind: str, told: str
) -> str:
    """Return a rectangle of a kind; ``told`` is shown when it is pointed at."""
    return (
        f'<rect class="{kind}" x="{x:.2f}" y="{y:g}" width="{max(width, 0.5):.2f}"'
        f' height="{height:g}"><title>{escape(told)}</title></rect>'
    )


def legend(y: float, kinds: Iterable[str]) -> Iterable[str]:
    """Yield a key to the colours, in one line."""
    x = 16.0
    for kind in kinds:
        yield block(x, y - 10, 12, 12, kind, kind)
        yield words(x + 17, y, kind, "soft")
        x += 40 + 7.2 * len(kind)


def _style() -> str:
    light, dark = (
        "".join(f".{kind}{{fill:{pair[number]}}}\n" for kind, pair in COLOURS.items())
        for number in (0, 1)
    )
    return f"{light}@media (prefers-color-scheme: dark){{\n{dark}}}\n"
