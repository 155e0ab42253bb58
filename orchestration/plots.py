"""Small pictures for the UI, as Markdown with the PNG inside: nothing to serve, nothing to lose."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH, _DPI = 6.4, 80
_KEPT, _LOST = "#2f7d5b", "#c2513b"
_MOST_BARS = 16


def markdown_image(figure: Figure, title: str) -> str:
    """`figure` as a Markdown image with a data URI."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, bbox_inches="tight")
    encoded = base64.b64encode(buffer.getvalue()).decode()
    return f"![{title}](data:image/png;base64,{encoded})"


def _axes(height: float) -> tuple[Figure, Any]:
    # The object interface needs no display and leaves no global state behind.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height))
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def bar_plot(counts: Mapping[str, int], title: str, *, lost: frozenset[str] = frozenset()) -> str:
    """Horizontal bars, in the given order; the names in `lost` are drawn in another colour."""
    shown = list(counts.items())[:_MOST_BARS]
    figure, axes = _axes(0.9 + 0.28 * len(shown))
    names = [_plain(name) for name, _ in shown]
    colours = [_LOST if name in lost else _KEPT for name, _ in shown]
    bars = axes.barh(range(len(shown)), [count for _, count in shown], color=colours)
    axes.set_yticks(range(len(shown)), names)
    axes.bar_label(bars, labels=[f"{count:,}" for _, count in shown], padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_title(title)
    return markdown_image(figure, title)


def loss_plot(rows: Sequence[Mapping[str, Any]], entropy: float | None = None) -> str:
    """Training and held-out loss over steps; `entropy` (nats) is drawn as the line to beat."""
    figure, axes = _axes(3.4)
    for name, label in (("loss", "training"), ("validation_loss", "held out")):
        points = [(row["iteration"], row[name]) for row in rows if row.get(name) is not None]
        if points:
            marker = "o" if name == "validation_loss" else None
            axes.plot(*zip(*points, strict=True), label=label, marker=marker, markersize=4)
    if entropy is not None:
        axes.axhline(entropy, linestyle="--", color=_LOST, label="unigram entropy")
    axes.set_xlabel("step")
    axes.set_ylabel("loss (nats per token)")
    axes.legend()
    return markdown_image(figure, "Loss")


def _plain(name: str) -> str:
    """A label that Matplotlib does not read as mathematics."""
    return name.replace("$", r"\$")[:60]
