"""Pictures: of a client, what it had day by day and what came and went; of scores, how good they are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import matplotlib
import numpy as np
import numpy.typing as npt

matplotlib.use("agg")
import matplotlib.pyplot as plt
from matplotlib import font_manager
from matplotlib.figure import Figure

from lifecycle.errors import UsageError
from lifecycle.picture import Flow

Floats = npt.NDArray[np.float64]
CHINESE_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Microsoft YaHei",
    "PingFang SC",
    "SimHei",
)
_TEXTS = {
    "title": ("客户{client}:余额与收支", "Client {client}: balance and flows"),
    "balance": ("日终余额", "closing balance"),
    "inflow": ("流入", "in"),
    "outflow": ("流出", "out"),
    "monthly": ("每月收支", "a month"),
}


def client_plot(
    client_id: str,
    balances: Sequence[tuple[dt.date, float]],
    flows: Sequence[Flow],
    path: Path,
    language: Literal["en", "zh"],
) -> None:
    """Draw balances by day and flows by month into a PNG file. Raises UsageError when the file cannot
    be written, and for Chinese on a machine without a font that has it."""
    say = {name: pair[0 if language == "zh" else 1] for name, pair in _TEXTS.items()}
    with plt.rc_context({"font.family": _fonts(language), "axes.unicode_minus": False}):
        figure, (above, below) = plt.subplots(
            2, 1, figsize=(10, 6), sharex=True, height_ratios=(3, 2), layout="constrained"
        )
        figure.suptitle(say["title"].format(client=client_id))
        above.step([day for day, _ in balances], [b for _, b in balances], where="post")
        above.axhline(0, color="0.6", linewidth=0.8)
        above.set_ylabel(say["balance"])
        middle = [flow.month + dt.timedelta(days=14) for flow in flows]
        below.bar(middle, [f.inflow for f in flows], width=20, label=say["inflow"])
        below.bar(middle, [-f.outflow for f in flows], width=20, label=say["outflow"])
        below.axhline(0, color="0.6", linewidth=0.8)
        below.set_ylabel(say["monthly"])
        below.legend(loc="best")
        for axes in (above, below):
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
            axes.grid(visible=True, alpha=0.3)
        try:
            figure.savefig(path, dpi=120, format="png")
        except OSError as error:
            raise UsageError(f"{path} cannot be written ({error.strerror}).") from error
        finally:
            plt.close(figure)


def recall_plot(
    panels: Sequence[tuple[str, Sequence[int], Sequence[float], Sequence[bool]]], path: Path
) -> None:
    """Draw recall by the size of what was planted into a PNG file, a panel each: title, sizes, recalls,
    and at which sizes the rule is met. Raises UsageError when the file cannot be written."""
    rows = -(-len(panels) // 2)
    figure, grid = plt.subplots(rows, 2, figsize=(10, 2.2 * rows), layout="constrained")
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for axes, (title, sizes, recalls, met) in zip(grid.flat, panels, strict=False):
        at = range(len(sizes))
        axes.plot(at, recalls, color="0.5", linewidth=1)
        for kind, colour, marker in ((True, "tab:blue", "o"), (False, "tab:orange", "x")):
            own = [n for n in at if met[n] is kind]
            axes.scatter(own, [recalls[n] for n in own], color=colour, marker=marker, zorder=3)
        axes.set_title(title, fontsize=9)
        axes.set_xticks(at, [str(size) for size in sizes])
        axes.set_ylim(-0.05, 1.05)
        axes.grid(visible=True, alpha=0.3)
    figure.suptitle("Recall by size (circle: the rule is met by itself, cross: it is not)")
    try:
        figure.savefig(path, dpi=110, format="png")
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}).") from error
    finally:
        plt.close(figure)


def warning_plot(
    panels: Sequence[tuple[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]]],
    target: tuple[float, float],
    path: Path,
) -> None:
    """Draw median lead times by false alarms into a PNG file, a panel each: title, and curves by name.
    What lies above and left of the target reaches it. Raises UsageError when the file cannot be written."""
    rows = -(-len(panels) // 2)
    figure, grid = plt.subplots(
        rows, 2, figsize=(10, 3.6 * rows), layout="constrained", squeeze=False
    )
    alarms, days = target
    for axes, (title, curves) in zip(grid.flat, panels, strict=True):
        for name, (across, up) in curves.items():
            axes.plot(across, up, marker=".", linewidth=1, label=name)
        top = max(axes.get_ylim()[1], 1.3 * days)
        axes.plot([0, alarms, alarms], [days, days, top], color="0.5", dashes=(4, 2))
        axes.set_title(title, fontsize=9)
        axes.set_xscale("symlog", linthresh=1)
        axes.set(
            xlim=(0, 400),
            ylim=(-5, top),
            xlabel="month-ends of good loans with a warning, in 1,000",
        )
        axes.set_ylabel("median days before the event")
        axes.grid(visible=True, alpha=0.3)
    grid.flat[0].legend(loc="best", fontsize=8)
    try:
        figure.savefig(path, dpi=110, format="png")
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}).") from error
    finally:
        plt.close(figure)


def _fonts(language: str) -> list[str]:
    if language == "en":
        return ["DejaVu Sans"]
    found = _known(CHINESE_FONTS)
    if not found:
        # The list of fonts is kept from when it was first made: one may have come since.
        for path in font_manager.findSystemFonts():
            if any(name.replace(" ", "")[:12] in Path(path).stem for name in CHINESE_FONTS):
                font_manager.fontManager.addfont(path)
        found = _known(CHINESE_FONTS)
    if not found:
        raise UsageError(
            "This machine has no font for Chinese: install one (Debian: fonts-noto-cjk), or draw "
            "with --lang en."
        )
    return found


def _known(names: Sequence[str]) -> list[str]:
    known = {font.name for font in font_manager.fontManager.ttflist}
    return [name for name in names if name in known]


def any_language() -> Any:
    """Names of columns may be Chinese: draw with a font that has it, where there is one."""
    return plt.rc_context({"font.family": ["DejaVu Sans", *_known(CHINESE_FONTS)]})


def _png(figure: Figure) -> bytes:
    with BytesIO() as held:
        figure.savefig(held, dpi=100, format="png")
        plt.close(figure)
        return held.getvalue()


def _axes(title: str, across: str, up: str, size: tuple[float, float] = (6, 4.2)) -> Any:
    figure, axes = plt.subplots(figsize=size, layout="constrained")
    axes.set(title=title, xlabel=across, ylabel=up)
    axes.grid(visible=True, alpha=0.3)
    return figure, axes


def roc_plot(goods: Floats, bads: Floats, auc: float) -> bytes:
    """Shares of goods and bads above each PD, from the worst on."""
    figure, axes = _axes(f"ROC, AUC {auc:.3f}", "share of goods", "share of bads")
    axes.plot(goods, bads)
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
    return _png(figure)


def ks_plot(scores: Floats, goods: Floats, bads: Floats) -> bytes:
    """Shares of goods and bads up to each score, and where they are farthest apart."""
    figure, axes = _axes("KS", "score", "share at or below")
    axes.plot(scores, goods, label="good")
    axes.plot(scores, bads, label="bad")
    far = int(abs(bads - goods).argmax())
    axes.vlines(scores[far], goods[far], bads[far], color="0.3", linestyle="dashed")
    axes.annotate(
        f"{abs(bads[far] - goods[far]):.3f} at {scores[far]:.0f}",
        (scores[far], (goods[far] + bads[far]) / 2),
        xytext=(6, 0),
        textcoords="offset points",
    )
    axes.legend()
    return _png(figure)


def calibration_plot(pd: Floats, rate: Floats, low: Floats, high: Floats) -> bytes:
    """Mean PD and bad rate, with its interval, of groups of equal size."""
    figure, axes = _axes("Calibration", "mean PD", "bad rate")
    axes.errorbar(pd, rate, yerr=(rate - low, high - rate), fmt="o", capsize=3)
    most = float(max(high.max(), pd.max()))
    axes.plot([0, most], [0, most], color="0.6", linewidth=0.8)
    return _png(figure)


def spread_plot(good: Floats, bad: Floats) -> bytes:
    """Scores of goods and of bads, in the same steps."""
    figure, axes = _axes("Scores", "score", "share of its own")
    steps = np.histogram_bin_edges(np.concatenate([good, bad]), bins=25)
    for own, label in ((good, "good"), (bad, "bad")):
        axes.hist(own, steps, weights=np.full(len(own), 1 / len(own)), alpha=0.5, label=label)
    axes.legend()
    return _png(figure)


def capture_plot(rows: Floats, bads: Floats) -> bytes:
    """The share of bads among the worst rows, and its ratio to theirs among all."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
    left.plot(rows, bads)
    left.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
    left.set(title="Capture", xlabel="share of rows, worst first", ylabel="share of bads")
    # The lift of the first few rows is noise.
    worst = rows >= 0.01
    right.plot(rows[worst], bads[worst] / rows[worst])
    right.axhline(1, color="0.6", linewidth=0.8)
    right.set(title="Lift", xlabel="share of rows, worst first", ylabel="times the bad rate")
    for axes in (left, right):
        axes.grid(visible=True, alpha=0.3)
    return _png(figure)


def time_plot(
    starts: Sequence[dt.date], pd: Floats, rate: Floats, low: Floats, high: Floats, auc: Floats
) -> bytes:
    """Mean PD, bad rate with its interval, and AUC of periods; NaN where one has one outcome only."""
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(9, 5), sharex=True, layout="constrained", height_ratios=(3, 2)
    )
    above.plot(starts, pd, marker="o", label="mean PD")
    above.errorbar(
        starts, rate, yerr=(rate - low, high - rate), marker="o", capsize=3, label="bad rate"
    )
    above.set_ylim(bottom=0)
    above.legend()
    below.plot(starts, auc, marker="o", color="0.3")
    below.set_ylabel("AUC")
    if len(starts) < 13:
        yearly = {start.month for start in starts} == {1}
        below.set_xticks(
            list(starts), [f"{start:{'%Y' if yearly else '%Y-%m'}}" for start in starts]
        )
    for axes in (above, below):
        axes.grid(visible=True, alpha=0.3)
    return _png(figure)


def woe_plot(curves: Sequence[tuple[str, Sequence[str], Sequence[float]]]) -> bytes:
    """(column, bins, weights of evidence), a small picture each."""
    wide = 3
    high = -(-len(curves) // wide)
    figure, grid = plt.subplots(
        high, wide, figsize=(11, 2.8 * high), layout="constrained", squeeze=False
    )
    for axes, (name, bins, woe) in zip(grid.flat, curves, strict=False):
        axes.bar(range(len(bins)), woe, color=["C0" if w >= 0 else "C3" for w in woe])
        axes.set_xticks(range(len(bins)), bins, rotation=60, fontsize=6, ha="right")
        axes.set_title(name, fontsize=9, parse_math=False)
        axes.axhline(0, color="0.3", linewidth=0.8)
    for axes in list(grid.flat)[len(curves) :]:
        axes.set_visible(False)
    return _png(figure)


def waterfall_plot(names: Sequence[str], points: Sequence[int], start: int, title: str) -> bytes:
    """How points less those of an average row lead from its score to a row's."""
    figure, axes = _axes(title, "score", "", (8, 1 + 0.3 * len(names)))
    left = start
    for place, own in enumerate(points):
        bar = axes.barh(place, own, left=left, color="C0" if own >= 0 else "C3")
        axes.bar_label(bar, [f"{own:+d}"], label_type="center", color="white", fontsize=8)
        left += own
    axes.set_yticks(range(len(names)), names, fontsize=8, parse_math=False)
    axes.invert_yaxis()
    axes.set_axisbelow(True)
    # A bar's end would be the edge of the picture.
    axes.use_sticky_edges = False
    axes.axvline(start, color="0.6", linewidth=0.8)
    axes.axvline(left, color="0.3", linestyle="dashed")
    return _png(figure)
