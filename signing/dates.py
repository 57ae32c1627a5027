"""PDF dates.

Owns:    reading and writing the date strings of PDF. Leaves judging them to nobody: they are claims.
Spec:    ISO 32000-2:2020 cl. 7.9.4
"""

import re
from datetime import UTC, datetime, timedelta, timezone

_DATE = re.compile(
    r"D:(?P<year>\d{4})(?P<month>\d\d)?(?P<day>\d\d)?(?P<hour>\d\d)?(?P<minute>\d\d)?(?P<second>\d\d)?"
    r"(?:Z|(?P<sign>[+-])(?P<zone_hour>\d\d)'?(?P<zone_minute>\d\d)?'?)?"
)


def parse_pdf_date(text: str) -> datetime | None:
    """Return the instant, or None when the text is no PDF date; a date without zone counts as UTC."""
    found = _DATE.match(text)
    if found is None:
        return None
    parts = {name: int(found[name] or default) for name, default in _DEFAULTS.items()}
    offset = timedelta(hours=int(found["zone_hour"] or 0), minutes=int(found["zone_minute"] or 0))
    try:
        zone = timezone(-offset if found["sign"] == "-" else offset)
        return datetime(**parts, tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def write_pdf_date(moment: datetime) -> str:
    """Return the date string, in UTC."""
    return moment.astimezone(UTC).strftime("D:%Y%m%d%H%M%SZ")


_DEFAULTS = {"year": "1", "month": "1", "day": "1", "hour": "0", "minute": "0", "second": "0"}
