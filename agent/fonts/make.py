#!/usr/bin/env python3
"""Makes the fonts in this folder: Roboto, cut down to the scripts that host names and paths are
mostly written in, with five signs of our own that it lacks.

    pip install fonttools
    ./make.py DIRECTORY-OF-ROBOTO     # Debian: fonts-roboto-unhinted
"""
import sys
from pathlib import Path

from fontTools import subset
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont

RANGES = [
    (0x20, 0x7E), (0xA0, 0x24F), (0x2B0, 0x36F), (0x370, 0x3FF), (0x400, 0x52F),
    (0x1E00, 0x1EFF), (0x2010, 0x2027), (0x2030, 0x203A), (0x20AC, 0x20AC), (0x2212, 0x2212),
    (0xFFFD, 0xFFFD),
]


def turned(points, quarter_turns):
    """Points of a unit square, turned around its middle."""
    for _ in range(quarter_turns):
        points = [(y, 1 - x) for x, y in points]
    return points


def line(x1, y1, x2, y2, w):
    """A straight stroke of width w."""
    dx, dy = x2 - x1, y2 - y1
    length = (dx * dx + dy * dy) ** 0.5
    nx, ny = -dy / length * w / 2, dx / length * w / 2
    return [(x1 + nx, y1 + ny), (x2 + nx, y2 + ny), (x2 - nx, y2 - ny), (x1 - nx, y1 - ny)]


def signs(w):
    """Shapes in a unit square, as polygons; w is the width of a stroke."""
    arrow = [
        [(0, .5 - w / 2), (0, .5 + w / 2), (.93, .5 + w / 2), (.93, .5 - w / 2)],
        [(1, .5), (.62, .88), (.62 - w * .72, .88 - w * .72), (1 - w * 1.42, .5),
         (.62 - w * .72, .12 + w * .72), (.62, .12)],
    ]
    return {
        0x2192: arrow,
        0x2190: [[(1 - x, y) for x, y in reversed(p)] for p in arrow],
        0x2713: [line(.02, .5, .4, .12, w * 1.2), line(.3, .15, 1, .9, w * 1.2)],
        0x2715: [line(.1, .1, .9, .9, w * 1.2), line(.1, .9, .9, .1, w * 1.2)],
        0x25BE: [[(.1, .65), (.9, .65), (.5, .25)]],
    }


def clockwise(points):
    area = sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(points, points[1:] + points[:1]))
    return points if area < 0 else points[::-1]


def make(source, target, stroke):
    font = TTFont(source)
    options = subset.Options(layout_features=["kern", "mark", "mkmk", "ccmp", "locl"], hinting=False)
    options.name_IDs = [0, 1, 2, 13, 14]
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=[c for a, b in RANGES for c in range(a, b + 1)])
    subsetter.subset(font)

    # Signs stand between the baseline and the height of a capital.
    left, side, height = 90, 1160, 1456
    bottom = (height - side) / 2
    order = font.getGlyphOrder()
    for code, polygons in signs(stroke).items():
        pen = TTGlyphPen(None)
        for points in polygons:
            scaled = [(round(left + x * side), round(bottom + y * side)) for x, y in points]
            scaled = clockwise(scaled)
            pen.moveTo(scaled[0])
            for point in scaled[1:]:
                pen.lineTo(point)
            pen.closePath()
        name = f"uni{code:04X}"
        font["glyf"][name] = pen.glyph()
        font["hmtx"][name] = (side + 2 * left, left)
        for table in font["cmap"].tables:
            if table.isUnicode():
                table.cmap[code] = name
    for record in font["name"].names:
        if record.nameID == 1:
            record.string = "Roboto for hallpass"
    font.save(target)


roboto = Path(sys.argv[1])
here = Path(__file__).parent
make(roboto / "Roboto-Regular.ttf", here / "Roboto-Regular.ttf", .12)
make(roboto / "Roboto-Bold.ttf", here / "Roboto-Bold.ttf", .17)
