"""Rate limits: so many requests per address and per relying party, with an honest time to come back.

Owns:    token buckets in this process's memory, bounded in number. Leaves limits across processes to the ingress.
Rules:   1 a bucket refills steadily; `Retry-After` is the time until the next whole token
         2 memory is bounded: the buckets that were full longest ago go first
Spec:    RFC 6585 cl. 4; RFC 9110 cl. 10.2.3
"""

import math
from collections import OrderedDict
from datetime import datetime

from starlette.requests import Request

from idp.config import RateLimit
from idp.errors import TooManyRequests

MAX_BUCKETS = 50_000


class RateLimiter:
    """Token buckets by key."""

    def __init__(self, limit: RateLimit) -> None:
        self._limit = limit
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, request: Request, *, at: datetime, key: str | None = None) -> None:
        """Take one token of the caller's address, or of `key`.

        Raises:
            TooManyRequests: the bucket is empty.
        """
        if self._limit.per_second <= 0:
            return
        name = key or f"address:{request.client.host if request.client else ''}"
        now = at.timestamp()
        tokens, last = self._buckets.pop(name, (float(self._limit.burst), now))
        tokens = min(float(self._limit.burst), tokens + max(0.0, now - last) * self._limit.per_second)
        allowed = tokens >= 1.0
        self._buckets[name] = (tokens - 1.0 if allowed else tokens, now)
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        if not allowed:
            raise TooManyRequests(max(1, math.ceil((1.0 - tokens) / self._limit.per_second)))
