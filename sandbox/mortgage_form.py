"""A cross-border mortgage application form, as the sample portal's bank would print it.

Owns:    the document: three pages, three written languages, real tables, a field to sign. Leaves signing to everybody else.
Rules:   all data is fictitious; text is real text, and the glyphs that it needs are embedded where the machine has an open CJK face.
"""

import io
import string
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import SigFieldSpec, append_signature_field
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle
from reportlab.platypus.flowables import Flowable

from sandbox.form_fonts import register_face

SIGNATURE_FIELD = "ApplicantSignature"
_LATIN = "Helvetica"
_INK = colors.HexColor("#16202a")
_LINE = colors.HexColor("#9aa8b1")
_SHADE = colors.HexColor("#eef3f5")
_BOX = (22, 52, 110, 84)  # of the signature on the last page, millimetres from the lower left corner


@dataclass(frozen=True)
class _Styles:
    """Paragraph styles over one face."""

    title: ParagraphStyle
    subtitle: ParagraphStyle
    heading: ParagraphStyle
    body: ParagraphStyle
    english: ParagraphStyle
    cell: ParagraphStyle
    small: ParagraphStyle

    @classmethod
    def over(cls, face: str) -> "_Styles":
        body = ParagraphStyle("body", fontName=face, fontSize=9.5, leading=14.5, textColor=_INK, wordWrap="CJK")
        cell = ParagraphStyle("cell", parent=body, fontSize=9, leading=12.5)
        return cls(
            title=ParagraphStyle("title", fontName=face, fontSize=19, leading=26, textColor=_INK),
            subtitle=ParagraphStyle("subtitle", fontName=face, fontSize=11, leading=16, textColor=_INK),
            heading=ParagraphStyle("heading", parent=body, fontSize=12.5, leading=18, spaceBefore=9, spaceAfter=4),
            body=body,
            english=ParagraphStyle("english", parent=body, fontName=_LATIN, wordWrap=None),
            cell=cell,
            small=ParagraphStyle("small", parent=cell, fontName=_LATIN, fontSize=8, leading=10.5, wordWrap=None),
        )


_DECLARATIONS = (
    ("本人聲明：本申請表所載資料真實、完整；本人明白銀行將依據香港、澳門及內地的適用法律處理有關資料，並同意為辦理跨境按揭而"
     "將上述資料傳送至位於廣東省的受理機構。", "body"),
    ("本人声明：本申请表所载资料真实、完整；本人明白银行将依据香港、澳门及内地的适用法律处理有关资料，并同意为办理跨境按揭而"
     "将上述资料传送至位于广东省的受理机构。", "body"),
    ("I declare that the particulars in this application are true and complete. I understand that the bank handles them under the "
     "laws that apply in Hong Kong, Macao and the Mainland, and I agree that they are sent to the receiving institution in Guangdong "
     "for the purpose of this mortgage.", "english"),
)  # fmt: skip


def make_mortgage_form(holder: Mapping[str, str]) -> bytes:
    """Return the application of one person as a PDF with an empty signature field.

    Args:
        holder: verified claims: `name`, `birthdate`, and where known `name_chinese`.
    """
    # Every character of this module may be printed, every number, and whatever the name brings.
    face = register_face(Path(__file__).read_text(encoding="utf-8") + string.digits + "".join(holder.values()))
    styles = _Styles.over(face)
    frame = partial(_frame, face)
    buffer = io.BytesIO()
    document = SimpleDocTemplate(
        buffer,
        pagesize=A4,
        leftMargin=20 * mm,
        rightMargin=20 * mm,
        topMargin=18 * mm,
        bottomMargin=20 * mm,
        title="Cross-border mortgage application 跨境按揭貸款申請表",
        author="Sandbox Guangdong portal (simulated)",
        invariant=1,
    )
    pages = [*_first_page(holder, styles), PageBreak(), *_second_page(styles), PageBreak(), *_last_page(styles)]
    document.build(pages, frame, frame)
    writer = IncrementalPdfFileWriter(io.BytesIO(buffer.getvalue()))
    box = tuple(round(side * mm) for side in _BOX)
    append_signature_field(writer, SigFieldSpec(SIGNATURE_FIELD, on_page=-1, box=box))
    output = io.BytesIO()
    writer.write(output)
    return output.getvalue()


def _first_page(holder: Mapping[str, str], styles: _Styles) -> list[Flowable]:
    name = holder.get("name", "")
    rows = [
        ("姓名（拉丁字母）", "Name in Latin letters", name),
        ("姓名（中文）", "Name in Chinese", holder.get("name_chinese", "") or "—"),
        ("出生日期", "Date of birth", holder.get("birthdate", "") or "—"),
        ("旅行證件", "Travel document", "港澳居民來往內地通行證（已核驗 verified）"),
        ("職業", "Occupation", "受僱 Employed"),
        ("每月收入", "Monthly income", "HKD 68,000"),
        ("通訊地址", "Correspondence address", "香港九龍示例道一號 1 Example Road, Kowloon, Hong Kong"),
    ]
    return [
        Paragraph("跨境按揭貸款申請表", styles.title),
        Paragraph("跨境按揭贷款申请表", styles.subtitle),
        Paragraph("Cross-border mortgage application", styles.english),
        Spacer(1, 4 * mm),
        Paragraph("模擬文件，僅供示範 · 模拟文件，仅供示范 · Simulated document, for demonstration only", styles.body),
        Paragraph("一、申請人資料 Applicant", styles.heading),
        _facts(rows, styles),
        Paragraph("二、受理機構 Receiving institution", styles.heading),
        _facts(
            [
                ("機構", "Institution", "广东示例银行 Sample Bank of Guangdong (simulated)"),
                ("分行", "Branch", "深圳前海分行 Qianhai Branch, Shenzhen"),
                ("申請編號", "Application number", "XB-2026-000123"),
            ],
            styles,
        ),
    ]


def _second_page(styles: _Styles) -> list[Flowable]:
    schedule = [("年 Year", "本金 Principal", "利息 Interest", "餘額 Balance")]
    balance, rate, years = 3_000_000, 0.031, 20
    payment = balance * rate / (1 - (1 + rate) ** -years)
    remaining = float(balance)
    for year in range(1, years + 1):
        interest = remaining * rate
        principal = payment - interest
        remaining = max(0.0, remaining - principal)
        schedule.append((str(year), f"{principal:,.0f}", f"{interest:,.0f}", f"{remaining:,.0f}"))
    table = Table(
        [[Paragraph(cell, styles.cell) for cell in row] for row in schedule], colWidths=[30 * mm] + [46 * mm] * 3
    )
    table.setStyle(_grid(header=True))
    return [
        Paragraph("三、物業及貸款 Property and loan", styles.heading),
        _facts(
            [
                ("物業地址", "Property", "广东省深圳市南山区示例路八号 8 Example Road, Nanshan, Shenzhen"),
                ("成交價", "Price", "CNY 4,800,000"),
                ("貸款額", "Loan", "CNY 3,000,000"),
                ("年利率", "Interest rate a year", "3.10 %"),
                ("年期", "Term", "20 年 years"),
            ],
            styles,
        ),
        Paragraph("四、還款表（人民幣）Repayment schedule in CNY", styles.heading),
        table,
    ]


def _last_page(styles: _Styles) -> list[Flowable]:
    parts: list[Flowable] = [Paragraph("五、聲明及簽署 Declaration and signature", styles.heading)]
    for text, style in _DECLARATIONS:
        parts += [Paragraph(text, getattr(styles, style)), Spacer(1, 3 * mm)]
    parts.append(
        Paragraph("申請人以電子簽署簽立。请在下方签署。The applicant signs electronically below.", styles.body)
    )
    return parts


def _facts(rows: list[tuple[str, str, str]], styles: _Styles) -> Table:
    cells = [
        [[Paragraph(chinese, styles.cell), Paragraph(english, styles.small)], Paragraph(_escape(value), styles.cell)]
        for chinese, english, value in rows
    ]
    table = Table(cells, colWidths=[52 * mm, 116 * mm])
    table.setStyle(_grid(header=False))
    return table


def _grid(*, header: bool) -> TableStyle:
    shaded = ((0, 0), (-1, 0)) if header else ((0, 0), (0, -1))
    return TableStyle(
        [
            ("GRID", (0, 0), (-1, -1), 0.5, _LINE),
            ("BACKGROUND", *shaded, _SHADE),
            ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
            ("TOPPADDING", (0, 0), (-1, -1), 3),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 4),
        ]
    )


def _frame(face: str, canvas: Canvas, document: SimpleDocTemplate) -> None:
    canvas.saveState()
    canvas.setFont(face, 8)
    canvas.setFillColor(_INK)
    canvas.drawString(20 * mm, 11 * mm, "跨境按揭貸款申請表 XB-2026-000123 · 模擬 simulated")
    canvas.drawRightString(A4[0] - 20 * mm, 11 * mm, f"{document.page} / 3")
    if document.page == 3:
        left, bottom, right, top = (side * mm for side in _BOX)
        canvas.setStrokeColor(_LINE)
        canvas.rect(left, bottom, right - left, top - bottom)
        canvas.drawString(left, top + 2 * mm, "申請人簽署 · 申请人签署 · Signature of the applicant")
    canvas.restoreState()


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
