"""The plots of an audit can be read."""

from __future__ import annotations

import datetime
import itertools
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("matplotlib")

from routellm_core.traffic.audit import plots


@pytest.mark.parametrize("days", [1, 2, 6, 7, 9, 12, 13, 30, 31, 90, 365])
def test_dates_are_not_over_each_other(days: int):
    first = datetime.date(2026, 10, 31)
    names = [str(first + datetime.timedelta(days=at)) for at in range(days)]
    parts = [SimpleNamespace(name=name, always_strong=1.0, routed=0.5) for name in names]
    audit: Any = SimpleNamespace(parts={"day": parts})
    figure = plots._days(audit)
    figure.canvas.draw()
    (axes,) = figure.axes
    boxes = [each.get_window_extent() for each in axes.get_xticklabels()]
    assert boxes
    assert all(one.x1 + 2 < other.x0 for one, other in itertools.pairwise(boxes))
