"""The client's lifecycle: a state machine that is a table of data, and one pure step per night.

`step(standing, observation, business_date, figures)` reads `RULES` from the top: the first rule that
leaves the client's state and holds names the next state. It is entered when two runs in a row name
it and the client has been fourteen days where it is. Figures are those of rules/lifecycle.yaml.

`python -m lifecycle.clients.lifecycle` draws the table as docs/lifecycle-states.md; `--check` only
says whether that page is current.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
import sys
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import msgspec

from lifecycle.events.fields import ClientType
from lifecycle.settings import ROOT

if TYPE_CHECKING:  # it loads the bulk engine, which a step does not need
    from lifecycle.clients.attribute import Figures

PAGE = ROOT / "docs" / "lifecycle-states.md"

State = Literal[
    "NONE",
    "DECEASED",
    "CLOSED",
    "CHURNED",
    "DORMANT",
    "REACTIVATING",
    "AT_RISK",
    "WON_BACK",
    "ONBOARDING",
    "GROWING",
    "ACTIVE",
    "PROSPECT_LAPSED",
    "PROSPECT",
]
"""NONE is before the first run; then in order of precedence, the highest first."""

Flag = Literal["FAILED_ONBOARDING", "LONG_INACTIVE", "SLEEPING_5Y", "QUIET"]


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """What one client looks like at the end of a business date.

    CIT is a booked customer-initiated transaction; aum are deposits, in currency units; windows of
    days end with the date. A figure nobody can know yet is None.
    """

    client_type: ClientType
    registered: dt.date
    ended: dt.date | None = None
    """When the person died or the company was dissolved."""
    first_opened: dt.date | None = None
    last_opened: dt.date | None = None
    """When the oldest and the newest account were opened, also of accounts closed since."""
    open_accounts: int = 0
    live_credit: bool = False
    product_held: bool = False
    kyc_complete: bool = False
    first_funded: dt.date | None = None
    cit_60d: int = 0
    cit_90d: int = 0
    last_cit: dt.date | None = None
    aum: Decimal | None = None
    aum_30d: Decimal | None = None
    aum_90d: Decimal | None = None
    aum_prev90d: Decimal | None = None
    """The mean of the 90 days before the last 90."""
    aum_180d: Decimal | None = None
    aum_peak_12m: Decimal | None = None
    aum_former_12m: Decimal | None = None
    """The mean of the 12 months that ended `churned_silent_days` ago: before a silence that long."""
    salaries_missed: int = 0
    transfer_out_share: Decimal | None = None
    """Transfers to other banks in 30 days, as a share of the deposits before them."""
    complaint_open_since: dt.date | None = None
    """The oldest open complaint of high severity."""
    newest_category: dt.date | None = None
    """When a category of product was first used, the newest of them."""
    last_interaction: dt.date | None = None
    churn_pd: Decimal | None = None
    """Probability of churn within 90 days; None until a model gives one."""


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """A client's move into a state."""

    from_state: State = msgspec.field(name="from")
    to_state: State = msgspec.field(name="to")
    rule_id: str
    on: dt.date
    held_days: int
    """How long the state before was held."""
    evidence: dict[str, str]
    """The figures that decided, as text."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where a client stands after the run of `as_of`, and what the next run must remember."""

    as_of: dt.date
    entered: Transition
    candidate: State | None = None
    candidate_runs: int = 0
    """On how many runs in a row the candidate was named."""
    flags: tuple[Flag, ...] = ()
    growth: int = 0
    """Month-ends in a row that saw growth; negative: that saw none."""
    clear_since: dt.date | None = None
    """Since when no sign of risk was seen."""
    former_aum: Decimal | None = None
    """`aum_former_12m` as it was when the client left, for as long as it is CHURNED."""

    @property
    def state(self) -> State:
        return self.entered.to_state

    @property
    def since(self) -> dt.date:
        return self.entered.on

    @property
    def rule_id(self) -> str:
        """The rule by which the state was entered."""
        return self.entered.rule_id


_UNSEEN = Standing(
    as_of=dt.date.min,
    entered=Transition(
        from_state="NONE", to_state="NONE", rule_id="", on=dt.date.min, held_days=0, evidence={}
    ),
)


class Seen(NamedTuple):
    """What a condition may look at."""

    standing: Standing
    client: Observation
    on: dt.date
    figures: Figures

    def figure(self, name: str) -> Decimal:
        """A parameter, of the client's type where it differs by type."""
        value = self.figures[name].value
        return Decimal(str(value[self.client.client_type] if isinstance(value, dict) else value))

    def past(self, date: dt.date | None, name: str) -> bool:
        """Whether there is a date and it is at least so many days ago."""
        return date is not None and (self.on - date).days >= self.figure(name)

    def silent(self, name: str) -> bool:
        """No CIT for so many days; a new account starts the count again."""
        dates = [date for date in (self.client.last_cit, self.client.last_opened) if date]
        return bool(dates) and self.past(max(dates), name)

    def evidence(self, names: tuple[str, ...]) -> dict[str, str]:
        """What is known of these fields of the observation or the standing, as text."""
        values = {
            name: getattr(self.client if hasattr(self.client, name) else self.standing, name)
            for name in names
        }
        return {name: str(value) for name, value in values.items() if value is not None}


Condition = Callable[[Seen], bool]


# --- conditions -----------------------------------------------------------------------------------


def _ended(s: Seen) -> bool:
    return s.client.ended is not None


def _nothing_left(s: Seen) -> bool:
    holds = s.client.open_accounts or s.client.live_credit or s.client.product_held
    return s.client.first_opened is not None and not holds


def _drained(s: Seen) -> bool:
    now, peak = s.client.aum_30d, s.client.aum_peak_12m
    if now is None or peak is None or s.client.live_credit:
        return False
    drained = peak >= s.figure("churned_peak_min") and now < s.figure("churned_aum_share") * peak
    return drained and s.silent("churned_silent_days")


def _dormant(s: Seen) -> bool:
    return s.client.open_accounts > 0 and s.silent("dormant_days")


def _onboarded(s: Seen) -> bool:
    steps = s.client.kyc_complete and s.client.first_funded is not None
    return steps and s.client.cit_90d >= s.figure("onboarding_cit")


def _onboarding_failed(s: Seen) -> bool:
    return s.past(s.client.first_opened, "onboarding_days") and not _onboarded(s)


def _stirred(s: Seen) -> bool:
    return s.client.last_cit is not None and s.client.last_cit > s.standing.since


def _likely_to_leave(s: Seen) -> bool:
    pd = s.client.churn_pd
    return pd is not None and pd >= s.figure("at_risk_churn_pd")


def _shrunk(s: Seen) -> bool:
    now, usual = s.client.aum_30d, s.client.aum_180d
    return bool(now is not None and usual and now <= s.figure("at_risk_aum_share") * usual)


def _unpaid(s: Seen) -> bool:
    return s.client.salaries_missed >= s.figure("at_risk_salaries_missed")


def _moving_out(s: Seen) -> bool:
    share = s.client.transfer_out_share
    return share is not None and share > s.figure("at_risk_transfer_share")


def _unheard(s: Seen) -> bool:
    since = s.client.complaint_open_since
    return since is not None and (s.on - since).days > s.figure("at_risk_complaint_days")


def _reopened(s: Seen) -> bool:
    return s.client.open_accounts > 0


def _returned(s: Seen) -> bool:
    return s.client.cit_60d >= s.figure("returned_cit")


def _returned_with_money(s: Seen) -> bool:
    former = s.standing.former_aum or Decimal(0)
    enough = (s.client.aum or 0) >= s.figure("won_back_aum_share") * former
    return _returned(s) and enough


def _returned_after_long(s: Seen) -> bool:
    return _returned(s) and s.standing.entered.held_days >= s.figure("won_back_dormant_days")


def _opened_lately(s: Seen) -> bool:
    opened = s.client.first_opened
    return opened is not None and not s.past(opened, "onboarding_days")


def _grew(s: Seen) -> bool:
    """What a month-end judges."""
    return s.client.cit_90d >= s.figure("active_cit") and (_brought_more(s) or _uses_more(s))


def _brought_more(s: Seen) -> bool:
    now, before = s.client.aum_90d, s.client.aum_prev90d
    if now is None or before is None:
        return False
    gain = now - before
    return now >= s.figure("growing_aum_ratio") * before and gain >= s.figure("growing_aum_gain")


def _uses_more(s: Seen) -> bool:
    newest, first = s.client.newest_category, s.client.first_opened
    # What a client takes up while it is new is how it begins, not how it grows.
    if newest is None or first is None or (newest - first).days < s.figure("onboarding_days"):
        return False
    return not s.past(newest, "growing_category_days")


def _grows(s: Seen) -> bool:
    return s.standing.growth >= s.figure("growing_month_ends")


def _grows_no_more(s: Seen) -> bool:
    return -s.standing.growth >= s.figure("growing_month_ends")


def _won_back_long_ago(s: Seen) -> bool:
    return s.past(s.standing.since, "won_back_days")


def _grows_since_won_back(s: Seen) -> bool:
    return _won_back_long_ago(s) and _grows(s)


def _clear(s: Seen) -> bool:
    return s.past(s.standing.clear_since, "at_risk_clear_days")


def _active(s: Seen) -> bool:
    return s.client.first_opened is not None and s.client.cit_90d >= s.figure("active_cit")


def _customer(s: Seen) -> bool:
    return s.client.first_opened is not None


def _unmet(s: Seen) -> bool:
    if s.client.first_opened is not None:
        return False
    return s.past(max(s.client.registered, s.client.last_interaction or dt.date.min), "lapsed_days")


def _met(s: Seen) -> bool:
    return s.client.first_opened is None and not _unmet(s)


# --- the machine ----------------------------------------------------------------------------------


class Rule(NamedTuple):
    """One row of the machine: a client in one of `leaves` goes to `to` when `holds`."""

    id: str
    to: State
    leaves: frozenset[State]
    holds: Condition
    shows: tuple[str, ...]
    """Fields of the observation or the standing that are the evidence."""
    en: str
    """The condition in words; parameters of rules/lifecycle.yaml in braces."""
    zh: str


STATES: tuple[State, ...] = get_args(State)[1:]
"""In order of precedence, the highest first."""
AT_ONCE: frozenset[State] = frozenset({"DECEASED", "CLOSED", "ONBOARDING"})
"""Entered on the first run that names them, however short the state before was held."""
EVERY: frozenset[State] = frozenset(get_args(State))
BEFORE: frozenset[State] = frozenset({"NONE", "PROSPECT", "PROSPECT_LAPSED"})
"""No account yet."""
CUSTOMER: frozenset[State] = frozenset({
    "REACTIVATING",
    "AT_RISK",
    "WON_BACK",
    "ONBOARDING",
    "GROWING",
    "ACTIVE",
})
"""In business with the bank."""


def _from(*states: State) -> frozenset[State]:
    return frozenset(states)


RULES: tuple[Rule, ...] = (
    Rule(
        "LC-01",
        "DECEASED",
        EVERY - {"DECEASED"},
        _ended,
        ("ended",),
        "the person died, or the company was dissolved",
        "客户身故,或企业注销",
    ),
    Rule(
        "LC-02",
        "CLOSED",
        EVERY - {"DECEASED", "CLOSED"},
        _nothing_left,
        ("first_opened", "open_accounts", "live_credit", "product_held"),
        "all accounts are closed, no credit is live and no product is held",
        "账户全部销户,无存续授信,未持有产品",
    ),
    Rule(
        "LC-03",
        "CHURNED",
        BEFORE | CUSTOMER | {"DORMANT"},
        _drained,
        ("aum_30d", "aum_peak_12m", "last_cit", "last_opened"),
        "aum_30d is below {churned_aum_share} of aum_peak_12m, that peak is at least "
        "{churned_peak_min}, no CIT for {churned_silent_days} days, and no credit is live",
        "30日日均低于12个月峰值的{churned_aum_share},峰值不低于{churned_peak_min},"
        "{churned_silent_days}天无客户主动交易,且无存续授信",
    ),
    Rule(
        "LC-04",
        "DORMANT",
        BEFORE | CUSTOMER,
        _dormant,
        ("last_cit", "last_opened", "open_accounts"),
        "no CIT for {dormant_days} days while an account is open",
        "有未销户账户,{dormant_days}天无客户主动交易",
    ),
    Rule(
        "LC-05",
        "DORMANT",
        _from("ONBOARDING"),
        _onboarding_failed,
        ("first_opened", "kyc_complete", "first_funded", "cit_90d"),
        "{onboarding_days} days since the first account, and KYC, first funding or "
        "{onboarding_cit} CIT are still missing",
        "首次开户已满{onboarding_days}天,身份核实、首笔入账或{onboarding_cit}笔主动交易仍未完成",
    ),
    Rule(
        "LC-06",
        "REACTIVATING",
        _from("DORMANT"),
        _stirred,
        ("last_cit",),
        "a CIT since the client became dormant",
        "休眠后出现客户主动交易",
    ),
    Rule(
        "LC-07",
        "AT_RISK",
        CUSTOMER - {"AT_RISK"},
        _likely_to_leave,
        ("churn_pd",),
        "the probability of churn is at least {at_risk_churn_pd}",
        "流失概率不低于{at_risk_churn_pd}",
    ),
    Rule(
        "LC-08",
        "AT_RISK",
        CUSTOMER - {"AT_RISK"},
        _shrunk,
        ("aum_30d", "aum_180d"),
        "aum_30d is at most {at_risk_aum_share} of aum_180d",
        "30日日均不高于180日日均的{at_risk_aum_share}",
    ),
    Rule(
        "LC-09",
        "AT_RISK",
        CUSTOMER - {"AT_RISK"},
        _unpaid,
        ("salaries_missed",),
        "{at_risk_salaries_missed} expected salary credits did not come",
        "{at_risk_salaries_missed}次应到工资未入账",
    ),
    Rule(
        "LC-10",
        "AT_RISK",
        CUSTOMER - {"AT_RISK"},
        _moving_out,
        ("transfer_out_share",),
        "transfers to other banks in 30 days are more than {at_risk_transfer_share} of the deposits "
        "before them",
        "30天内转往他行的金额超过此前存款的{at_risk_transfer_share}",
    ),
    Rule(
        "LC-11",
        "AT_RISK",
        CUSTOMER - {"AT_RISK"},
        _unheard,
        ("complaint_open_since",),
        "a complaint of high severity has been open for more than {at_risk_complaint_days} days",
        "严重投诉超过{at_risk_complaint_days}天未办结",
    ),
    Rule(
        "LC-12",
        "WON_BACK",
        _from("CLOSED"),
        _reopened,
        ("open_accounts", "last_opened"),
        "an account is open again",
        "重新开立账户",
    ),
    Rule(
        "LC-13",
        "WON_BACK",
        _from("CHURNED"),
        _returned_with_money,
        ("cit_60d", "aum", "former_aum"),
        "{returned_cit} CIT in 60 days, and deposits are at least {won_back_aum_share} of the mean "
        "of the 12 months before the silence",
        "60天内有{returned_cit}笔主动交易,存款不低于流失前12个月日均的{won_back_aum_share}",
    ),
    Rule(
        "LC-14",
        "WON_BACK",
        _from("REACTIVATING"),
        _returned_after_long,
        ("cit_60d",),
        "{returned_cit} CIT in 60 days, after at least {won_back_dormant_days} days in DORMANT",
        "休眠满{won_back_dormant_days}天后,60天内有{returned_cit}笔主动交易",
    ),
    Rule(
        "LC-15",
        "ONBOARDING",
        BEFORE,
        _opened_lately,
        ("first_opened",),
        "the first account was opened, fewer than {onboarding_days} days ago",
        "首次开户,未满{onboarding_days}天",
    ),
    Rule(
        "LC-16",
        "GROWING",
        _from("ACTIVE"),
        _grows,
        ("growth", "aum_90d", "aum_prev90d", "newest_category"),
        "{growing_month_ends} month-ends in a row saw growth: at least {active_cit} CIT in 90 days, "
        "and aum_90d at least {growing_aum_ratio} times aum_prev90d and {growing_aum_gain} more, or "
        "a new product category in {growing_category_days} days, of a client that is not new",
        "连续{growing_month_ends}个月末呈增长:90天内至少{active_cit}笔主动交易,且90日日均不低于"
        "此前90日日均的{growing_aum_ratio}倍并多出{growing_aum_gain},或老客户{growing_category_days}天内新增产品类别",
    ),
    Rule(
        "LC-17",
        "GROWING",
        _from("WON_BACK"),
        _grows_since_won_back,
        ("growth", "aum_90d", "aum_prev90d", "newest_category"),
        "{won_back_days} days in WON_BACK, and {growing_month_ends} month-ends in a row saw growth",
        "挽回已满{won_back_days}天,且连续{growing_month_ends}个月末呈增长",
    ),
    Rule(
        "LC-18",
        "ACTIVE",
        _from("ONBOARDING"),
        _onboarded,
        ("kyc_complete", "first_funded", "cit_90d"),
        "KYC is complete, the first funding came, and {onboarding_cit} CIT were made",
        "身份核实完成,首笔资金入账,已有{onboarding_cit}笔主动交易",
    ),
    Rule(
        "LC-19",
        "ACTIVE",
        _from("REACTIVATING"),
        _returned,
        ("cit_60d",),
        "{returned_cit} CIT in 60 days",
        "60天内有{returned_cit}笔主动交易",
    ),
    Rule(
        "LC-20",
        "ACTIVE",
        _from("AT_RISK"),
        _clear,
        ("clear_since",),
        "no sign of risk for {at_risk_clear_days} days",
        "{at_risk_clear_days}天内无任何风险信号",
    ),
    Rule(
        "LC-21",
        "ACTIVE",
        _from("WON_BACK"),
        _won_back_long_ago,
        ("cit_90d",),
        "{won_back_days} days in WON_BACK",
        "挽回已满{won_back_days}天",
    ),
    Rule(
        "LC-22",
        "ACTIVE",
        _from("GROWING"),
        _grows_no_more,
        ("growth", "aum_90d", "aum_prev90d", "newest_category"),
        "{growing_month_ends} month-ends in a row saw no growth",
        "连续{growing_month_ends}个月末未见增长",
    ),
    Rule(
        "LC-23",
        "ACTIVE",
        BEFORE,
        _active,
        ("first_opened", "cit_90d"),
        "an account was opened before, and at least {active_cit} CIT was made in 90 days",
        "早前已开户,90天内至少{active_cit}笔主动交易",
    ),
    Rule(
        "LC-24",
        "ACTIVE",
        BEFORE,
        _customer,
        ("first_opened", "last_cit"),
        "an account was opened before, and nothing above holds; flagged QUIET",
        "早前已开户,且不符合以上任何一项;标记为QUIET",
    ),
    Rule(
        "LC-25",
        "PROSPECT_LAPSED",
        _from("NONE", "PROSPECT"),
        _unmet,
        ("registered", "last_interaction"),
        "no account, and no interaction for {lapsed_days} days",
        "未开户,{lapsed_days}天无接触",
    ),
    Rule(
        "LC-26",
        "PROSPECT",
        _from("NONE", "PROSPECT_LAPSED"),
        _met,
        ("registered", "last_interaction"),
        "no account yet; registered or met in the last {lapsed_days} days",
        "尚未开户,{lapsed_days}天内登记或有接触",
    ),
)
"""From the top, so in order of precedence: the first that leaves the client's state and holds."""

LEGAL: frozenset[tuple[State, State]] = frozenset(
    (state, rule.to) for rule in RULES for state in rule.leaves
)
"""Every move there is, as (from, to)."""


class Sign(NamedTuple):
    """A flag: what is said of a client besides its state."""

    flag: Flag
    holds: Condition
    en: str
    zh: str


def _quiet(s: Seen) -> bool:
    quiet = s.client.open_accounts > 0 and s.client.cit_90d < s.figure("active_cit")
    return quiet and s.standing.state in CUSTOMER - {"ONBOARDING"}


def _long_inactive(s: Seen) -> bool:
    small = (s.client.aum or 0) <= s.figure("long_inactive_balance_max")
    if s.client.open_accounts == 0 or not (small or s.client.client_type == "CORPORATE"):
        return False
    return s.silent("long_inactive_days")


FLAGS: tuple[Sign, ...] = (
    Sign(
        "FAILED_ONBOARDING",
        lambda s: s.standing.rule_id == "LC-05",
        "DORMANT by LC-05",
        "因LC-05转入休眠",
    ),
    Sign(
        "LONG_INACTIVE",
        _long_inactive,
        "an account is open, no CIT for {long_inactive_days} days, and, of an individual, deposits "
        "of at most {long_inactive_balance_max}",
        "有未销户账户,{long_inactive_days}天无主动交易;个人客户另须存款不高于{long_inactive_balance_max}",
    ),
    Sign(
        "SLEEPING_5Y",
        lambda s: s.client.open_accounts > 0 and s.silent("sleeping_days"),
        "an account is open and there was no CIT for {sleeping_days} days",
        "有未销户账户,{sleeping_days}天无主动交易",
    ),
    Sign(
        "QUIET",
        _quiet,
        "in business, but fewer than {active_cit} CIT in 90 days",
        "业务存续,但90天内主动交易少于{active_cit}笔",
    ),
)


# --- the step -------------------------------------------------------------------------------------


def step(
    standing: Standing | None, observation: Observation, business_date: dt.date, figures: Figures
) -> tuple[Standing, Transition | None]:
    """Where a client stands after one more run, and its move if it made one.

    The same date again gives the same. A date restated is stepped from the standing of the date
    before it. Raises ValueError for a date before the standing's.
    """
    before = standing or _UNSEEN
    if business_date < before.as_of:
        raise ValueError(f"the standing is of {before.as_of}, so {business_date} is over")
    after = before
    if business_date > before.as_of:
        carried = _carried(Seen(before, observation, business_date, figures))
        seen = Seen(carried, observation, business_date, figures)
        after = _decided(seen)
        flagged = seen._replace(standing=after)
        flags = tuple(sign.flag for sign in FLAGS if sign.holds(flagged))
        after = msgspec.structs.replace(after, flags=flags)
    return after, after.entered if after.since == business_date else None


def _carried(seen: Seen) -> Standing:
    """The standing with what it remembers brought up to the date."""
    standing, client, on, _ = seen
    risky = any(rule.holds(seen) for rule in RULES if rule.to == "AT_RISK")
    growth = standing.growth
    if on.day == calendar.monthrange(on.year, on.month)[1]:
        growth = max(growth, 0) + 1 if _grew(seen) else min(growth, 0) - 1
    return msgspec.structs.replace(
        standing,
        as_of=on,
        growth=growth,
        clear_since=None if risky else standing.clear_since or on,
        former_aum=standing.former_aum if standing.state == "CHURNED" else client.aum_former_12m,
    )


def _decided(seen: Seen) -> Standing:
    """The standing after the first rule that leaves its state and holds."""
    standing = seen.standing
    state = standing.state
    rule = next((rule for rule in RULES if state in rule.leaves and rule.holds(seen)), None)
    if rule is None:
        return msgspec.structs.replace(standing, candidate=None, candidate_runs=0)
    runs = standing.candidate_runs + 1 if standing.candidate == rule.to else 1
    settled = runs >= seen.figure("standing_runs") and seen.past(standing.since, "standing_days")
    if settled or state == "NONE" or rule.to in AT_ONCE:
        entered = Transition(
            from_state=state,
            to_state=rule.to,
            rule_id=rule.id,
            on=seen.on,
            held_days=0 if state == "NONE" else (seen.on - standing.since).days,
            evidence=seen.evidence(rule.shows),
        )
        return msgspec.structs.replace(standing, entered=entered, candidate=None, candidate_runs=0)
    return msgspec.structs.replace(standing, candidate=rule.to, candidate_runs=runs)


# --- the page -------------------------------------------------------------------------------------

NAMES: dict[State, tuple[str, str]] = {
    "DECEASED": ("died, or dissolved", "已故或注销"),
    "CLOSED": ("nothing left at the bank", "已销户"),
    "CHURNED": ("left silently", "静默流失"),
    "DORMANT": ("asleep", "休眠"),
    "REACTIVATING": ("waking up", "唤醒中"),
    "AT_RISK": ("may leave", "流失预警"),
    "WON_BACK": ("came back", "挽回"),
    "ONBOARDING": ("just opened the first account", "开户培育"),
    "GROWING": ("brings more", "成长"),
    "ACTIVE": ("in business", "活跃"),
    "PROSPECT_LAPSED": ("lost sight of", "失联潜客"),
    "PROSPECT": ("known, no account yet", "潜在客户"),
}
"""State -> its name in English and Chinese."""


_WORDS = """\
# The lifecycle of a client

Drawn from the table in `lifecycle/clients/lifecycle.py` by `make schemas`; do not edit. Every figure
is a parameter of `rules/lifecycle.yaml` and stands here by its name.

## How a night decides

Each night looks at what a client is like at the end of the business date (an *observation*) and
reads the rules from the top: the first rule that leaves the client's state and holds names the next
state. The rules are in order of precedence, so the gravest state that fits wins. When no rule
holds, the client stays where it is, and so no client is ever without a state.

**Two runs.** A state is entered when `standing_runs` runs in a row name it. One odd day, such as a
balance that is drawn down at night and filled up in the morning, moves nobody. If the next run
names another state, or none, the count starts again. Which rule names the state may change.

**Fourteen days.** A state is kept for at least `standing_days` days, so that a client near a limit
does not swing to and fro. Runs count meanwhile: a state that was named long enough is entered on the
first day it may be.

**At once.** {at_once}
wait for neither: a closed or ended relation and a first account are facts, not estimates. Nor does
a client's first run wait, which has no state to keep.

**Growth is judged on the last day of a month.** GROWING is entered after `growing_month_ends`
month-ends in a row that saw growth, and left after as many that saw none.

**The same date again** changes nothing. A date whose facts were restated is run again from the
standing of the date before it. Nothing leaves DECEASED: a death that was reported by mistake is
discarded, and the dates since then are run again.

**CIT** is a customer-initiated transaction: a booked entry with `initiator` CUSTOMER, without
reversals and what they reversed. Interest, fees and what others book do not count. The days without
one are counted from the last CIT or from the opening of the newest account, whichever is later.
**aum** are deposits: closing balances above zero of the types in `deposit_account_types`, carried
forward over days without entries; `aum_30d` is the mean of 30 days. Who closed all its accounts and
came back is measured from the day it came back, deposits and expected salaries alike.
"""


def page() -> str:
    """docs/lifecycle-states.md: the machine in words, as a diagram and as tables."""
    at_once = [state for state in STATES if state in AT_ONCE]
    words = _WORDS.format(at_once=f"{', '.join(at_once[:-1])} and {at_once[-1]}")
    states = [(n, s, *NAMES[s]) for n, s in enumerate(STATES, start=1)]
    rules = [
        (rule.id, ", ".join(_sources(rule)), rule.to, _in_code(rule.en), _in_code(rule.zh))
        for rule in RULES
    ]
    flags = [(sign.flag, _in_code(sign.en), _in_code(sign.zh)) for sign in FLAGS]
    parts = [
        words,
        "## The states, by precedence\n",
        _table(("#", "state", "in words", "状态"), states),
        "## The moves\n",
        "```mermaid\n" + "\n".join(_diagram()) + "\n```\n",
        "## The rules\n",
        "`[*]` is before the first run; CUSTOMER are the states inside the box.\n",
        _table(("rule", "from", "to", "when", "条件"), rules),
        "## The flags\n",
        "What is said of a client besides its state.\n",
        _table(("flag", "when", "条件"), flags),
    ]
    return "\n".join(parts)


def _in_code(text: str) -> str:
    return re.sub(r"{(\w+)}", r"`\1`", text)


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [f"| {' | '.join(map(str, row))} |" for row in (head, ("---",) * len(head), *rows)]
    return "\n".join(lines) + "\n"


def _sources(rule: Rule) -> list[str]:
    """The states a rule leaves, with CUSTOMER for all that are in business."""
    grouped = rule.leaves >= CUSTOMER
    singles = [s for s in STATES if s in rule.leaves and not (grouped and s in CUSTOMER)]
    before = ["[*]"] if "NONE" in rule.leaves else []
    return [*before, *(["CUSTOMER"] if grouped else []), *singles]


def _diagram() -> list[str]:
    moves: dict[tuple[str, str], list[str]] = {}
    for rule in RULES:
        for source in _sources(rule):
            moves.setdefault((source, rule.to), []).append(rule.id)
    inside = [f"        {state}" for state in STATES if state in CUSTOMER]
    arrows = [f"    {a} --> {b}: {', '.join(rules)}" for (a, b), rules in moves.items()]
    return ["stateDiagram-v2", "    state CUSTOMER {", *inside, "    }", *arrows]


def main() -> None:
    """Write the page, or with --check compare; exit 1 when it is not current."""
    text = page()
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
        return
    if "--check" in sys.argv:
        sys.exit(f"{PAGE.name} is not current: run `make schemas`.")
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
