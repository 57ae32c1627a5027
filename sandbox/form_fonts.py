"""Faces for the sample form: an embedded CJK face where the machine has one, else a face that readers bring.

Owns:    finding an open CJK face of the system, cutting it down to the characters used, and giving it to reportlab.
Rules:   only faces under open licences are looked for (Noto CJK, Droid Sans Fallback, WenQuanYi); the file embeds the used glyphs
         alone. Without one, STSong-Light of Adobe-GB1 is named and not embedded: every common reader has it, with both scripts.
"""

import io
from functools import lru_cache
from pathlib import Path

from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTCollection, TTFont, newTable
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont as ReportlabFont

NAMED_FACE = "STSong-Light"
EMBEDDED_FACE = "FormFace"
_CANDIDATES = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
)
_MAX_ERROR_UNITS = 1.0


def register_face(characters: str) -> str:
    """Register a face with these characters in reportlab and return its name."""
    data = _subset("".join(sorted(set(characters))))
    if data is None:
        pdfmetrics.registerFont(UnicodeCIDFont(NAMED_FACE))
        return NAMED_FACE
    pdfmetrics.registerFont(ReportlabFont(EMBEDDED_FACE, io.BytesIO(data)))
    return EMBEDDED_FACE


@lru_cache(maxsize=8)
def _subset(characters: str) -> bytes | None:
    path = next((Path(name) for name in _CANDIDATES if Path(name).exists()), None)
    if path is None:
        return None
    font = _open(path)
    options = Options()
    options.layout_features = []
    options.notdef_outline = True
    options.drop_tables += ["GSUB", "GPOS", "GDEF", "BASE", "vhea", "vmtx", "VORG", "DSIG"]
    subsetter = Subsetter(options)
    subsetter.populate(text=characters + " ")
    subsetter.subset(font)
    if "CFF " in font:
        _to_quadratic(font)
    output = io.BytesIO()
    font.save(output)
    font.close()
    return output.getvalue()


def _open(path: Path) -> TTFont:
    """Open a file or, in a collection, the face for Hong Kong, else the first."""
    if path.suffix != ".ttc":
        return TTFont(path, lazy=True)
    faces = TTCollection(path, lazy=True).fonts
    return next((face for face in faces if (face["name"].getDebugName(1) or "").endswith("HK")), faces[0])


def _to_quadratic(font: TTFont) -> None:
    """Turn CFF outlines into TrueType ones: reportlab embeds no others."""
    glyphs = font.getGlyphSet()
    outlines = {}
    for name in font.getGlyphOrder():
        pen = TTGlyphPen(None)
        glyphs[name].draw(Cu2QuPen(pen, _MAX_ERROR_UNITS, reverse_direction=True))
        outlines[name] = pen.glyph()
    table = newTable("glyf")
    table.glyphOrder = font.getGlyphOrder()
    table.glyphs = outlines
    font["loca"] = newTable("loca")
    font["glyf"] = table
    del font["CFF "]
    maxp = font["maxp"]
    maxp.tableVersion = 0x00010000
    for name in ("maxZones", "maxTwilightPoints", "maxStorage", "maxFunctionDefs", "maxInstructionDefs",
                 "maxStackElements", "maxSizeOfInstructions", "maxComponentElements", "maxPoints", "maxContours",
                 "maxCompositePoints", "maxCompositeContours", "maxComponentDepth"):  # fmt: skip
        setattr(maxp, name, 1 if name == "maxZones" else 0)
    font["post"].formatType = 3.0
    font.sfntVersion = "\x00\x01\x00\x00"
