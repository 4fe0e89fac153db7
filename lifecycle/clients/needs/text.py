"""Needs in plain words, Chinese and English, with the same numbers in both: every number is written
once and put into both sentences."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from lifecycle.clients.labels import ATTRIBUTES, Pair
from lifecycle.clients.needs.need import (
    OPEN_STATES,
    Amount,
    EvidenceClass,
    Need,
    NeedCode,
    NeedState,
)
from lifecycle.events.codes import MINOR_UNITS

"""Chinese, English."""

NEEDS: dict[NeedCode, Pair] = {
    "EDU_SAVING": ("子女教育储备", "saving for the children's education"),
    "RETIREMENT": ("养老规划", "provision for retirement"),
    "DIVERSIFY": ("资产配置多元化", "spreading the assets"),
    "LIQUIDITY": ("应急流动资金", "a cash reserve"),
    "CASH_MGMT": ("闲置资金管理", "putting idle cash to use"),
    "FINANCING": ("个人融资", "personal financing"),
    "WORKING_CAPITAL": ("流动资金贷款", "working capital"),
    "FX_HEDGE": ("汇率风险管理", "protection against exchange rates"),
    "PROTECTION": ("保险保障", "insurance cover"),
}

CLUES: dict[str, Pair] = {
    "SAID": (
        "客户于{date}亲自提出(强度{strength})",
        "the client said so on {date} (strength {strength})",
    ),
    "GATHERED": (
        "客户经理于{date}从谈话中得出(强度{strength})",
        "the relationship manager gathered it from a talk on {date} (strength {strength})",
    ),
    "CHILD": ("有未成年子女(年龄:{ages})", "there are children under age (ages: {ages})"),
    "TUITION": (
        "近12个月支付学费{payments}次",
        "tuition payments in the last 12 months: {payments}",
    ),
    "ASKED_WITH_CHILD": (
        "有年幼子女(年龄:{ages})并询问过理财产品",
        "asked about wealth products and has young children (ages: {ages})",
    ),
    "RETIREMENT_AHEAD": ("年龄{age}岁", "aged {age}"),
    "RETIREMENT_NEAR": ("年龄{age}岁,临近退休", "aged {age}, close to retirement"),
    "NO_PENSION": ("没有养老产品", "holds no pension product"),
    "LOW_REPLACEMENT": (
        "预计退休收入只够退休后支出的{ratio}",
        "expected income in retirement covers {ratio} of the spending then",
    ),
    "CONCENTRATED": (
        "资产{aum}集中(集中度指数{hhi})",
        "assets of {aum} are concentrated (index {hhi})",
    ),
    "ONE_PRODUCT": ("单一产品占资产的{share}", "one product is {share} of the assets"),
    "MOSTLY_CASH": ("活期现金占资产的{share}", "cash is {share} of the assets"),
    "THIN_RESERVE": (
        "可动用资金{liquid},每月必要支出{essential}",
        "{liquid} at hand against essential spending of {essential} a month",
    ),
    "OVERDRAWN": ("近90天透支{days}天", "days in overdraft in the last 90 days: {days}"),
    "SALARY_SPENT": ("工资到账后{days}天内用尽", "days until the salary is spent: {days}"),
    "IDLE_CASH": ("资产{aum}中有{idle}闲置", "{idle} of assets of {aum} lies idle"),
    "NO_SWEEP": ("没有自动理财", "has no sweep"),
    "INQUIRIES": ("近6个月征信查询{count}次", "credit inquiries in the last 6 months: {count}"),
    "CARD_USED_UP": ("信用额度已用{share}", "{share} of the credit limit is used"),
    "PLANNED_OUTFLOW": ("计划大额支出", "plans a large payment"),
    "CASH_GAP": ("预计90天内资金缺口{gap}", "a cash gap of {gap} within 90 days"),
    "LINES_USED_UP": ("授信额度已用{share}", "{share} of the credit lines is used"),
    "GROWING": ("年营业收入增长{growth}", "revenue grows by {growth} a year"),
    "ACROSS_BORDERS": ("跨境收付占{share}", "{share} of turnover crosses borders"),
    "DEPENDANTS_UNCOVERED": (
        "有{count}名受抚养人而没有保险",
        "has no insurance, and dependants: {count}",
    ),
    "MORTGAGE_UNCOVERED": ("有住房贷款而没有保险", "has a mortgage and no insurance"),
}

AMOUNTS: dict[str, Pair] = {
    "EDUCATION_GAP": ("教育资金缺口约{amount}", "about {amount} is missing for education"),
    "MONTHLY_SAVING": ("每月约需储蓄{amount}", "which takes about {amount} a month"),
    "RETIREMENT_GAP": ("养老资金缺口约{amount}", "about {amount} is missing at retirement"),
    "AMOUNT_TO_MOVE": ("可考虑分散{amount}", "{amount} could be spread"),
    "LIQUIDITY_GAP": ("应急资金尚缺{amount}", "the reserve lacks {amount}"),
    "IDLE_CASH": ("闲置资金{amount}", "{amount} is idle"),
    "FORGONE_YIELD": (
        "按假设收益率每年少得约{amount}",
        "which forgoes about {amount} a year at the assumed yields",
    ),
    "CAPACITY": ("可承受的借款约{amount}", "could bear a loan of about {amount}"),
    "CAPITAL_TIED_UP": ("营运资金需要约{amount}", "about {amount} of working capital is needed"),
    "NEW_LINE": (
        "扣除已知资金来源后新增额度至多{amount}",
        "a new line of at most {amount} after the known sources",
    ),
    "NET_EXPOSURE": ("外币净敞口{amount}", "net exposure of {amount}"),
    "COVER": ("保额缺口约{amount}", "cover of about {amount} is missing"),
}

_BESIDE: dict[str, Pair] = {
    "working_capital_loans": ("流动资金贷款余额", "working-capital loans"),
}
"""What a sentence may name that is no attribute of the profile."""

_ASSUMPTION = ("该币种的测算参数", "planning figures in this currency")
_CLASSES: dict[EvidenceClass | None, Pair] = {
    "EXPLICIT": ("客户明示", "stated by the client"),
    "IMPLICIT": ("由行为推断", "inferred from behaviour"),
    "LATENT": ("由画像推断", "inferred from the profile"),
    None: ("客户已答复", "answered by the client"),
}
_STATES: dict[NeedState, Pair] = {
    "HYPOTHESIS": ("自{since}起推测,待确认", "supposed since {since}, to be confirmed"),
    "CONFIRMED": ("客户于{since}确认", "confirmed on {since}"),
    "ADDRESSED": ("已于{since}满足", "served on {since}"),
    "REJECTED": (
        "客户于{since}拒绝,{until}之前不再提起",
        "declined on {since}, not to be raised before {until}",
    ),
}
_OPENING = (
    "{need}({found},得分{score};{state})。",
    "Need: {need} ({found}, score {score}; {state}).",
)
_REASONS = ("依据:{}。", "Because: {}.")
_AMOUNTS_SAID = ("测算:{}。", "Estimate: {}.")
_LACKING = ("尚未测算金额,缺少:{}。", "No amount yet, for want of: {}.")
_NO_OFFER = ("还款负担过高或未知,暂不提供产品。", "Instalments are too high or unknown: no offer.")
_SEPARATORS = (";", "; ")
_LIST_SEPARATORS = ("、", ", ")


def plain(number: Decimal) -> str:
    """A number as short as it can be written: 4.00 -> "4"."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(share: Decimal) -> str:
    """0.705 -> "70.5%"."""
    return f"{plain((100 * share).quantize(Decimal('0.1'), ROUND_HALF_UP))}%"


def money(amount: Decimal, currency: str) -> str:
    """12345.6 -> "12,345.60 CNY", with the decimals that the currency has."""
    smallest = Decimal(1).scaleb(-MINOR_UNITS[currency])
    return f"{amount.quantize(smallest, ROUND_HALF_UP):,} {currency}"


def name_of(attribute: str) -> Pair:
    """What people call an attribute, or a figure that is needed beside it."""
    return ATTRIBUTES.get(attribute) or _BESIDE.get(attribute, _ASSUMPTION)


def sentences(need: Need) -> Pair:
    """A need in Chinese and in English; reads everything but the need's own texts."""
    return _sentence(need, 0), _sentence(need, 1)


def _sentence(need: Need, language: int) -> str:
    reasons = [(evidence.zh, evidence.en)[language] for evidence in need.evidences]
    state = _STATES[need.state][language].format(
        since=need.since.isoformat(), until=need.suppressed_until
    )
    parts = [
        _OPENING[language].format(
            need=NEEDS[need.need_code][language],
            found=_CLASSES[need.need_class][language],
            score=need.score,
            state=state,
        )
    ]
    if reasons:
        parts.append(_REASONS[language].format(_SEPARATORS[language].join(reasons)))
    if need.quantity.amounts:
        amounts = [_amount(amount)[language] for amount in need.quantity.amounts]
        parts.append(_AMOUNTS_SAID[language].format(_SEPARATORS[language].join(amounts)))
    if need.quantity.lacks:
        names = dict.fromkeys(name_of(name)[language] for name in need.quantity.lacks)
        parts.append(_LACKING[language].format(_LIST_SEPARATORS[language].join(names)))
    if need.state in OPEN_STATES and not need.offer:
        parts.append(_NO_OFFER[language])
    return ("", " ")[language].join(parts)


def _amount(amount: Amount) -> Pair:
    shown = money(amount.value, amount.unit[:3])
    zh, en = AMOUNTS[amount.name]
    return zh.format(amount=shown), en.format(amount=shown)
