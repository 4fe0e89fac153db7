"""What the money of a loan was spent on: tracing through the client's accounts, in exact amounts.

Money in an account lies in lots, oldest first: what was there before the loan is the oldest, then the
loan, then what came in later. FIFO spends the oldest lot first, LIFO the newest. What comes in while an
account is overdrawn covers the overdraft first. Money moved to another account of the client at this
bank keeps its marks and is followed there. Entries that were reversed are left out before.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from lifecycle.clients.attribute import Figures
from lifecycle.events.fields import ClientType

Method = Literal["FIFO", "LIFO"]
Use = Literal["PROHIBITED", "OWN_ELSEWHERE", "CASH", "RELATED", "REPAYMENT", "OVERDRAFT", "OTHER"]
Verdict = Literal["PASS", "WARN", "HIGH", "NA"]
DIVERTED: tuple[Use, ...] = ("PROHIBITED", "OWN_ELSEWHERE", "CASH", "RELATED")
"""To payees the rules forbid, to the client's own account at another bank, in cash, to a related party
that is not the payee of the contract."""
GRAVITY: tuple[Verdict, ...] = ("NA", "PASS", "WARN", "HIGH")
_SHARE = Decimal("0.0001")


class Entry(NamedTuple):
    """One booked entry of a client's account, in the order things happened."""

    event_id: str
    account_id: str
    on: dt.date
    amount: Decimal
    """Above zero when money came in, below when it went out."""
    use: Use = "OTHER"
    """What money that went out was for."""
    payee: str | None = None
    loan: bool = False
    """Whether this is the loan coming in."""
    to_account: str | None = None
    """The client's own account at this bank that money went to."""
    position: int = 0
    """Of the fact in the log."""


class Spent(NamedTuple):
    """A part of the loan that was spent."""

    event_id: str
    on: dt.date
    use: Use
    payee: str | None
    amount: Decimal
    position: int = 0
    """Of the entry in the log."""


class Disbursement(NamedTuple):
    """A payment out of a facility."""

    event_id: str
    facility_id: str
    tranche_no: int
    client_id: str
    client_type: ClientType
    currency: str
    paid_on: dt.date
    amount: Decimal
    account_id: str | None
    """None: it went to no account of ours."""
    payment_mode: Literal["ENTRUSTED", "SELF"]


class Tracing(NamedTuple):
    """What one disbursement was spent on within the days that are watched."""

    disbursement: Disbursement
    verdict: Verdict
    na_reason: Literal["ENTRUSTED", "NO_ENTRY"] | None
    """Why nothing could be traced: the bank paid the payee itself, or no entry brought the money into
    an account of the client."""
    complete: bool
    """Whether all the days have passed; until then the verdict may become worse."""
    method: Method
    amounts: dict[Use, Decimal]
    """By kind of payee; what is still there is in none of them."""
    diverted: Decimal
    diverted_share: Decimal
    """Of the disbursement, four decimals."""
    other_share: Decimal
    """The same by the other method."""
    broken_by: Spent | None
    """What made the verdict HIGH, on which day; None unless it is."""
    entrusted_evaded: bool
    """Whether payments to one payee that are each below the threshold of entrusted payment reach it
    together."""
    evidence: tuple[str, ...]
    """The disbursement and the entries that speak against the client, in the order they happened."""


class _Lot(NamedTuple):
    amount: Decimal
    loan: bool


def spent(entries: Iterable[Entry], opening: Mapping[str, Decimal], method: Method) -> list[Spent]:
    """How the loan among the entries was spent. `opening` is what was in each account before them,
    below zero when overdrawn; an account that is not in it began with nothing."""
    lots: dict[str, list[_Lot]] = {
        account: [_Lot(amount, False)] for account, amount in opening.items() if amount > 0
    }
    overdrawn = {account: -amount for account, amount in opening.items() if amount < 0}
    found: list[Spent] = []

    def receive(account: str, lot: _Lot, entry: Entry) -> None:
        covers = min(lot.amount, overdrawn.get(account, Decimal(0)))
        if covers:
            overdrawn[account] -= covers
            if lot.loan:
                found.append(
                    Spent(entry.event_id, entry.on, "OVERDRAFT", None, covers, entry.position)
                )
        if lot.amount > covers:
            lots.setdefault(account, []).append(_Lot(lot.amount - covers, lot.loan))

    for entry in entries:
        if entry.amount >= 0:
            receive(entry.account_id, _Lot(entry.amount, entry.loan), entry)
            continue
        taken, lacking = _take(lots.setdefault(entry.account_id, []), -entry.amount, method)
        overdrawn[entry.account_id] = overdrawn.get(entry.account_id, Decimal(0)) + lacking
        if entry.to_account:
            for lot in [*taken, _Lot(lacking, False)]:
                receive(entry.to_account, lot, entry)
        else:
            part = sum((lot.amount for lot in taken if lot.loan), Decimal(0))
            if part:
                found.append(
                    Spent(entry.event_id, entry.on, entry.use, entry.payee, part, entry.position)
                )
    return found


def _take(lots: list[_Lot], amount: Decimal, method: Method) -> tuple[list[_Lot], Decimal]:
    """Take an amount out of the lots: what was taken, oldest first, and what they lacked."""
    taken: list[_Lot] = []
    end = 0 if method == "FIFO" else -1
    while lots and amount > 0:
        lot = lots.pop(end)
        part = min(lot.amount, amount)
        amount -= part
        taken.append(_Lot(part, lot.loan))
        if lot.amount > part:
            rest = _Lot(lot.amount - part, lot.loan)
            lots.insert(0 if method == "FIFO" else len(lots), rest)
    return (taken if method == "FIFO" else taken[::-1]), amount


def followed(entries: Sequence[Entry], days: int) -> list[Entry]:
    """The entries with money between the client's own accounts as one entry, which says where it went:
    a debit takes in the credit of the same amount on another account within so many days."""
    credits = [entry for entry in entries if entry.amount > 0 and not entry.loan]
    followed_to: dict[str, str] = {}
    taken: set[str] = set()
    for debit in entries:
        other = next(
            (c for c in credits if c.event_id not in taken and _opposite(debit, c, days)), None
        )
        if other:
            followed_to[debit.event_id] = other.account_id
            taken.add(other.event_id)
    return [
        entry._replace(to_account=followed_to.get(entry.event_id, entry.to_account))
        for entry in entries
        if entry.event_id not in taken
    ]


def _opposite(debit: Entry, credit: Entry, days: int) -> bool:
    moved = debit.amount < 0 and debit.amount == -credit.amount and debit.use != "CASH"
    apart = abs((credit.on - debit.on).days)
    return moved and debit.account_id != credit.account_id and apart <= days


def tracing(
    disbursement: Disbursement,
    entries: Sequence[Entry],
    opening: Mapping[str, Decimal],
    business_date: dt.date,
    figures: Figures,
) -> Tracing:
    """Trace one disbursement through the entries of all accounts of the client from its day on, in the
    order they happened, as of the end of a business date. `opening` is as in `spent`."""
    last = disbursement.paid_on + dt.timedelta(days=int(figures["proceeds_days"].value))
    method: Method = figures["proceeds_method"].value
    arrival = _arrival(disbursement, entries, figures)
    parts: dict[Method, list[Spent]] = {"FIFO": [], "LIFO": []}
    if arrival:
        watched = [e._replace(loan=e.event_id == arrival) for e in entries if e.on <= last]
        moves = followed(watched, int(figures["own_transfer_days"].value))
        parts = {m: spent(moves, opening, m) for m in parts}
    own, uses = parts[method], _by_use(parts[method])
    against = [part.event_id for part in own if part.use in DIVERTED]
    split = _split(own, Decimal(figures["entrusted_threshold"].value[disbursement.client_type]))
    shares = {m: _share(_diverted(_by_use(p)), disbursement.amount) for m, p in parts.items()}
    return Tracing(
        disbursement=disbursement,
        verdict=_verdict(uses, disbursement.amount, figures) if arrival else "NA",
        na_reason=None if arrival else _why_not(disbursement),
        complete=business_date >= last,
        method=method,
        amounts=uses,
        diverted=_diverted(uses),
        diverted_share=shares[method],
        other_share=shares["LIFO" if method == "FIFO" else "FIFO"],
        broken_by=_broken_by(own, disbursement.amount, figures),
        entrusted_evaded=bool(split),
        evidence=tuple(dict.fromkeys([disbursement.event_id, *against, *split])),
    )


def _why_not(disbursement: Disbursement) -> Literal["ENTRUSTED", "NO_ENTRY"]:
    return "ENTRUSTED" if disbursement.payment_mode == "ENTRUSTED" else "NO_ENTRY"


def of_facilities(tracings: Iterable[Tracing]) -> dict[str, Tracing]:
    """Facility id -> the gravest tracing of its disbursements; of equal ones the largest share."""
    worst: dict[str, Tracing] = {}
    for one in tracings:
        facility = one.disbursement.facility_id
        if facility not in worst or _gravity(one) > _gravity(worst[facility]):
            worst[facility] = one
    return worst


def _gravity(one: Tracing) -> tuple[Any, ...]:
    return GRAVITY.index(one.verdict), one.entrusted_evaded, one.diverted_share


def _arrival(disbursement: Disbursement, entries: Sequence[Entry], figures: Figures) -> str | None:
    """The entry that brought the money: the first credit of a loan of its amount, on its account,
    within the days an entry may take."""
    if disbursement.payment_mode == "ENTRUSTED":
        return None
    days = int(figures["proceeds_arrival_days"].value)
    return next(
        (
            entry.event_id
            for entry in entries
            if entry.loan
            and entry.account_id == disbursement.account_id
            and entry.amount == disbursement.amount
            and 0 <= (entry.on - disbursement.paid_on).days <= days
        ),
        None,
    )


def _by_use(parts: Iterable[Spent]) -> dict[Use, Decimal]:
    uses: dict[Use, Decimal] = {}
    for part in parts:
        uses[part.use] = uses.get(part.use, Decimal(0)) + part.amount
    return uses


def _diverted(uses: Mapping[Use, Decimal]) -> Decimal:
    return sum((uses.get(use, Decimal(0)) for use in DIVERTED), Decimal(0))


def _share(part: Decimal, whole: Decimal) -> Decimal:
    return (part / whole).quantize(_SHARE)


def _verdict(uses: Mapping[Use, Decimal], paid: Decimal, figures: Figures) -> Verdict:
    """By multiplication, so that nothing is rounded before it is compared."""
    diverted = _diverted(uses)
    limits = figures["proceeds_share_max"].value
    prohibited = uses.get("PROHIBITED", Decimal(0))
    if prohibited >= Decimal(figures["proceeds_prohibited_max"].value):
        return "HIGH"
    if diverted >= Decimal(limits["HIGH"]) * paid:
        return "HIGH"
    return "WARN" if diverted >= Decimal(limits["WARN"]) * paid else "PASS"


def _broken_by(parts: Sequence[Spent], paid: Decimal, figures: Figures) -> Spent | None:
    """The part with which the verdict became HIGH."""
    uses: dict[Use, Decimal] = {}
    for part in parts:
        uses[part.use] = uses.get(part.use, Decimal(0)) + part.amount
        if _verdict(uses, paid, figures) == "HIGH":
            return part
    return None


def _split(parts: Sequence[Spent], threshold: Decimal) -> list[str]:
    """Payments out of the loan to one payee that together reach the threshold and are each below it."""
    by_payee: dict[str, list[Spent]] = {}
    for part in parts:
        if part.payee and part.use not in ("CASH", "REPAYMENT"):
            by_payee.setdefault(part.payee, []).append(part)
    return [
        part.event_id
        for own in by_payee.values()
        if sum(part.amount for part in own) >= threshold
        and all(part.amount < threshold for part in own)
        for part in own
    ]
