"""Pictures of a client: what it had, day by day, and what came in and went out, month by month."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
from matplotlib import font_manager

from lifecycle.errors import UsageError
from lifecycle.picture import Flow

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
