"""A recorded session as one picture that moves by itself: no player, no script, nothing loaded."""

import re
from collections.abc import Sequence

_FONT_FACES = re.compile(r"@font-face\s*{[^}]*}", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_OPENING = re.compile(r"<svg\b[^>]*\bviewBox=\"([^\"]+)\"[^>]*>", re.DOTALL)


def without_remote_fonts(svg: str) -> str:
    """The picture in whatever monospaced font is at hand: it asks nobody for one."""
    return _COMMENT.sub("", _FONT_FACES.sub("", svg)).replace(
        "font-family: Fira Code, monospace", "font-family: 'Fira Code', monospace"
    )


def moving_picture(frames: Sequence[str], seconds_each: Sequence[float]) -> str:
    """One SVG that shows each of `frames`, SVGs of one size, for its seconds, again and again.

    Raises `ValueError` for no frames, for lengths that differ, and for what is no SVG.
    """
    if not frames or len(frames) != len(seconds_each):
        raise ValueError("as many lengths as frames, and at least one")
    whole_s = sum(seconds_each)
    boxes, rules, groups = set(), [], []
    begins_s = 0.0
    for number, (frame, seconds) in enumerate(zip(frames, seconds_each, strict=True)):
        opening = _OPENING.search(frame)
        end = frame.rfind("</svg>")
        if opening is None or end < 0:
            raise ValueError(f"frame {number} is no SVG")
        boxes.add(opening[1])
        first, last = 100.0 * begins_s / whole_s, 100.0 * (begins_s + seconds) / whole_s
        rules.append(
            f"@keyframes frame-{number} {{ {first:.3f}% {{ visibility: visible }} "
            f"{last:.3f}% {{ visibility: hidden }} }}\n"
            f".frame-{number} {{ visibility: hidden; "
            f"animation: frame-{number} {whole_s:g}s step-end infinite }}"
        )
        inner = without_remote_fonts(frame[opening.end() : end])
        groups.append(f'<g class="frame-{number}">{inner}</g>')
        begins_s += seconds
    if len(boxes) != 1:
        raise ValueError("frames of one size")
    style = "\n".join(rules)
    return (
        f'<svg viewBox="{boxes.pop()}" xmlns="http://www.w3.org/2000/svg">'
        f"<style>\n{style}\n</style>\n" + "\n".join(groups) + "</svg>\n"
    )
