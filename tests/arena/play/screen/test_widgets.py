"""A panel is drawn again when its text has changed, and rests where nobody asked."""

from types import SimpleNamespace

import pytest
from rich.text import Text

from arena.play.screen import widgets
from arena.play.screen.widgets import Panel


def test_a_panel_rests_until_it_is_asked_or_the_time_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, words, drawn = [100.0], ["a"], []
    monkeypatch.setattr(widgets, "time", SimpleNamespace(monotonic=lambda: now[0]))
    panel = Panel(lambda width, height: Text(words[0]), rest_s=0.2)
    monkeypatch.setattr(panel, "refresh", lambda: drawn.append(panel.render().plain))

    panel.show(asked=False)
    assert drawn == ["a"]  # the first drawing waits for nothing
    words[0] = "b"
    panel.show(asked=False)
    assert drawn == ["a"]
    panel.show()
    assert drawn == ["a", "b"]
    words[0], now[0] = "c", now[0] + 0.25
    panel.show(asked=False)
    panel.show()
    assert drawn == ["a", "b", "c"]  # once: the same text is not drawn again
