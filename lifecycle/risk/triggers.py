"""What may set the class or stage of a facility, and the days on which each of these holds.

Every condition of the specification becomes a span: a trigger, the first day it holds and the first
one it does not. What a trigger sets stands in rules/classification.yaml, with its texts.
"""

from __future__ import annotations

import calendar
import datetime as dt
import itertools
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from lifecycle.risk.arrears import DAY, NEVER, Spell

if TYPE_CHECKING:
    from lifecycle.clients.attribute import Figures

Tier = Literal["PASS", "SPECIAL_MENTION", "SUBSTANDARD", "DOUBTFUL", "LOSS"]
TIERS: tuple[Tier, ...] = ("PASS", "SPECIAL_MENTION", "SUBSTANDARD", "DOUBTFUL", "LOSS")
"""正常 关注 次级 可疑 损失, from best to worst."""
NPL = TIERS.index("SUBSTANDARD")
SPECIAL_MENTION = TIERS.index("SPECIAL_MENTION")

ARREARS = "ARREARS"
"""A span of its own: any day past due. It sets nothing, and stands in the way of every cure."""

SignCode = Literal[
    "PURPOSE_CHANGED", "WATCHLIST", "NON_ACCRUAL", "SALE_AT_LOSS", "DEBT_EVASION", "ECL_SHARE"
]


class Trigger(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of `classification_triggers`."""

    code: str
    tier: Tier | None
    stage: Literal[2, 3] | None
    verified: bool
    zh: str
    en: str


class Effect(NamedTuple):
    """What a trigger sets at least (tier 0 and stage 1 are nothing), and its place in the table."""

    tier: int
    stage: int
    rank: int


class Span(NamedTuple):
    """A trigger that holds from `start` until before `end`."""

    code: str
    start: dt.date
    end: dt.date
    evidence: int
    """Log position of the fact that began it."""
    ended_by: int = 0
    """Log position of the fact that ended it."""
    proxy: bool = False
    """Whether a 12-month PD stood in for that of the remaining life."""

    def covers(self, day: dt.date) -> bool:
        return self.start <= day < self.end


class Mark(NamedTuple):
    """A fact of the facility, or of its debtor, that means something to the class."""

    on: dt.date
    code: str
    """DEFAULT_DECLARED, DEFAULT_CURED, WRITTEN_OFF, BANKRUPTCY_LIQUIDATION, RESTRUCTURED, REFINANCED or
    DISTRESSED_RESTRUCTURING."""
    evidence: int


class Sign(NamedTuple):
    """What another part of the bank found, and no event says: it stands until the next one of its code
    says that it does not. ECL_SHARE carries the expected loss by carrying amount."""

    on: dt.date
    code: SignCode
    evidence: int
    stands: bool = True
    value: Decimal = Decimal(0)


class Pd(NamedTuple):
    """A probability of default as it was known from a day on."""

    on: dt.date
    now: Decimal
    at_origination: Decimal
    evidence: int
    proxy: bool = False
    """Of 12 months, for want of one of the remaining life."""


class Report(NamedTuple):
    """What a bureau report says of a debtor; money in ten-thousandths."""

    on: dt.date
    evidence: int
    total_debt: int = 0
    npl_debt: int = 0
    debt_over_90: int = 0
    rating: str | None = None
    records: tuple[str, ...] = ()


class Rules(NamedTuple):
    """The figures of classification, and what each trigger sets."""

    figures: Figures
    effects: dict[str, Effect]

    def count(self, name: str) -> int:
        """A figure that is a whole number."""
        return int(self.figures[name].value)

    def share(self, name: str) -> Decimal:
        """A figure that is decimal text."""
        return Decimal(self.figures[name].value)

    def of_jurisdiction(self, name: str) -> Any:
        """A figure that each jurisdiction has its own of."""
        return self.figures[name].value[self.figures["jurisdiction"].value]


def rules_of(figures: Figures) -> Rules:
    """The rules as they stand in rules/classification.yaml."""
    return Rules(
        figures,
        {
            t.code: Effect(TIERS.index(t.tier) if t.tier else 0, t.stage or 1, rank)
            for rank, t in enumerate(triggers(figures))
        },
    )


def triggers(figures: Figures) -> tuple[Trigger, ...]:
    """The published triggers, gravest first."""
    return msgspec.convert(figures["classification_triggers"].value, tuple[Trigger, ...])


def months_after(day: dt.date, months: int) -> dt.date:
    """The same day of a later month, or the last one of a shorter month."""
    month = day.year * 12 + day.month - 1 + months
    year, month = month // 12, month % 12 + 1
    return dt.date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


_DAYS = (
    ("DPD_OVER_TECHNICAL", "dpd_technical"),
    ("DPD_OVER_STAGE_2", "dpd_stage_2"),
    ("DPD_OVER_SUBSTANDARD", "dpd_substandard"),
    ("DPD_OVER_STAGE_3", "dpd_stage_3"),
    ("DPD_OVER_DOUBTFUL", "dpd_doubtful"),
    ("DPD_OVER_LOSS", "dpd_loss"),
)


def of_arrears(spells: Sequence[Spell], until: dt.date, rules: Rules) -> list[Span]:
    """Days past due, and what they set; nothing of a facility that always paid on its day."""
    late = [
        (spell, after)
        for spell, after in itertools.zip_longest(spells, spells[1:])
        if spell.due_date < spell.end and spell.due_date < until
    ]
    if not late:
        return []
    found = _counted(late, ARREARS, 0)
    for code, name in _DAYS:
        found += _counted(late, code, rules.count(name))
    months = rules.count("arrears_lookback_months")
    for span in [s for s in found if s.code == "DPD_OVER_STAGE_2" and s.end != NEVER]:
        end = months_after(span.end, months)
        found.append(Span("DPD_OVER_STAGE_2_RECENTLY", span.end, end, span.evidence, span.ended_by))
    return found


def _counted(late: Iterable[tuple[Spell, Spell | None]], code: str, days: int) -> list[Span]:
    """The days on which more than `days` are past due, without a break where the money only moved the
    oldest unpaid instalment on."""
    found: list[Span] = []
    beyond = dt.timedelta(days=days + 1)
    for spell, after in late:
        start = max(spell.start, spell.due_date + beyond)
        if start < spell.end:
            ended_by = after.began_by if after else 0
            if found and found[-1].end == start:
                found[-1] = found[-1]._replace(end=spell.end, ended_by=ended_by)
            else:
                found.append(Span(code, start, spell.end, spell.unpaid, ended_by))
    return found


_ENDED_BY = {"DEFAULT_DECLARED": "DEFAULT_CURED"}
_AT_ONCE = {"DISTRESSED_RESTRUCTURING"}
"""What holds on its day only: what follows of it is a matter of cure."""
_ENDLESS = {"WRITTEN_OFF", "BANKRUPTCY_LIQUIDATION"}


def of_marks(marks: Sequence[Mark]) -> Iterator[Span]:
    """Of a restructuring its day; its observation is followed in the timeline."""
    for at, mark in enumerate(marks):
        if mark.code in _AT_ONCE:
            yield Span(mark.code, mark.on, mark.on + DAY, mark.evidence, mark.evidence)
        elif mark.code in _ENDLESS:
            yield Span(mark.code, mark.on, NEVER, mark.evidence)
        elif mark.code in _ENDED_BY:
            ended = (m for m in marks[at + 1 :] if m.code == _ENDED_BY[mark.code])
            end = next(ended, Mark(NEVER, "", 0))
            yield Span(mark.code, mark.on, end.on, mark.evidence, end.evidence)


def of_signs(signs: Iterable[Sign], rules: Rules) -> Iterator[Span]:
    """A sign until the next one of its code."""
    by_code: dict[str, list[Sign]] = {}
    for sign in sorted(signs):
        by_code.setdefault(sign.code, []).append(sign)
    for code, own in by_code.items():
        for sign, after in _with_next(own):
            end, by = (after.on, after.evidence) if after else (NEVER, 0)
            if code != "ECL_SHARE":
                names = [code] if sign.stands else []
            else:
                names = _loss_codes(sign.value, rules)
            yield from (Span(name, sign.on, end, sign.evidence, by) for name in names)


def _loss_codes(share: Decimal, rules: Rules) -> list[str]:
    shares = (("ECL_OVER_LOSS", "ecl_share_loss"), ("ECL_OVER_DOUBTFUL", "ecl_share_doubtful"))
    return [code for code, name in shares if share >= rules.share(name)]


def of_pds(pds: Sequence[Pd], rules: Rules) -> Iterator[Span]:
    """A significant rise of the PD since origination; each PD stands until the next."""
    for pd, after in _with_next(sorted(pds)):
        end, by = (after.on, after.evidence) if after else (NEVER, 0)
        for code in _risen(pd, rules):
            yield Span(code, pd.on, end, pd.evidence, by, pd.proxy)


def _risen(pd: Pd, rules: Rules) -> Iterator[str]:
    now, then = pd.now, pd.at_origination
    if now <= then:
        return
    if now >= then * rules.share("pd_ratio_outright"):
        yield "PD_TRIPLED"
    rise = rules.share("pd_rise_absolute")
    if now >= then * rules.share("pd_ratio_relative") and now - then >= rise:
        yield "PD_DOUBLED"
    scale = [Decimal(upper) for upper in rules.figures["pd_master_scale"].value]
    if _grade(now, scale) - _grade(then, scale) >= rules.count("grade_notches"):
        yield "GRADE_DOWN"


def _grade(pd: Decimal, scale: Sequence[Decimal]) -> int:
    return next((grade for grade, upper in enumerate(scale) if pd <= upper), len(scale))


def of_reports(reports: Sequence[Report], granted: dt.date, rules: Rules) -> Iterator[Span]:
    """What the newest bureau report says of the debtor, wherever it banks."""
    ratings = [r for r in reports if _notch(r, rules) is not None]
    at_grant = [r for r in ratings if r.on <= granted]
    for report, after in _with_next(ratings):
        end, by = (after.on, after.evidence) if after else (NEVER, 0)
        if _sharply_down(report, ratings, rules):
            yield Span("RATING_SHARPLY_DOWN", report.on, end, report.evidence, by)
        if at_grant and report.on > granted:
            fallen = _fallen(at_grant[-1], report, rules)
            if fallen >= rules.count("grade_notches"):
                yield Span("GRADE_DOWN", report.on, end, report.evidence, by)
    evasion = set(rules.figures["evasion_records"].value)
    for report, after in _with_next(reports):
        if evasion.intersection(report.records):
            end, by = (after.on, after.evidence) if after else (NEVER, 0)
            yield Span("DEBT_EVASION", report.on, end, report.evidence, by)


def _sharply_down(report: Report, ratings: Sequence[Report], rules: Rules) -> bool:
    months = rules.count("rating_sharp_months")
    before = [r for r in ratings if r.on <= report.on <= months_after(r.on, months)]
    worst = max(_fallen(r, report, rules) for r in before)
    return worst >= rules.count("rating_sharp_notches")


def _notch(report: Report, rules: Rules) -> int | None:
    scale: list[str] = rules.figures["rating_scale"].value
    return scale.index(report.rating) if report.rating in scale else None


def _fallen(before: Report, now: Report, rules: Rules) -> int:
    return (_notch(now, rules) or 0) - (_notch(before, rules) or 0)


def _with_next(items: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    return itertools.zip_longest(items, items[1:])


def not_evaluated(
    pds: Sequence[Pd] | None, reports: Sequence[Report], *, signs_told: bool
) -> tuple[str, ...]:
    """Triggers of which nobody could say anything, for want of their input."""
    missing: list[str] = []
    if not pds:
        missing += ["PD_TRIPLED", "PD_DOUBLED"]
    if not signs_told:
        missing += [
            "WATCHLIST",
            "NON_ACCRUAL",
            "SALE_AT_LOSS",
            "ECL_OVER_LOSS",
            "ECL_OVER_DOUBTFUL",
        ]
    if not any(r.rating for r in reports):
        missing += ["RATING_SHARPLY_DOWN"] + ([] if pds else ["GRADE_DOWN"])
    return tuple(missing)
