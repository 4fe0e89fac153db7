"""A client's live state and its fold: `fold(state, event) -> state`.

Pure: no clock, no I/O, nothing edited in place. The stream, the proof, the replay of one alert
and the backtest all run this code. A fact is only folded when what it refers to is known
(`waits_for`); among facts of the same thing the one of the latest event time stands, whatever the
order they come in.

Money is integer ten-thousandths of the currency unit (`minor_units`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from lifecycle.errors import UsageError
from lifecycle.events import Event, minor_units
from lifecycle.events import account as ac
from lifecycle.events import client as cl
from lifecycle.events import consent as cs
from lifecycle.events import credit as cr
from lifecycle.events.catalogue import ACCOUNT, CATALOGUE, CREDIT

STATE_VERSION = 4

DAY_TOTALS_KEPT = 3
"""Business dates whose totals stay in the state; a fact later than that is the nightly run's."""
_OLDER_DAY_TOTALS = dt.timedelta(days=DAY_TOTALS_KEPT - 1)
MISSED_KEPT = dt.timedelta(days=730)
"""How long a missed instalment is remembered."""
PAID_KEPT = 60
"""Numbers of paid instalments that are remembered: five years of months."""
REVERSIBLE_KEPT = 3
"""Paid instalments that a reversed repayment can open again; an older one is the nightly run's."""


Sum = int | str
"""A sum of money. An amount fits 64 bits, as msgpack has for an integer, but no number of entries
bounds a sum (92 of the largest pass it): what does not fit is kept as decimal text."""


def kept_sum(units: int) -> Sum:
    """A sum as the state keeps it."""
    return units if -(2**63) <= units < 2**63 else str(units)


class Source(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where a fact came from: enough to find its bytes again."""

    event_id: str
    topic: str
    partition: int
    offset: int


class Account(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One account the client owns."""

    currency: str = ""
    balance: int | None = None
    overdraft_limit: int = 0
    status: str = "ENABLED"
    opened_date: dt.date | None = None
    balance_at: dt.datetime | None = None
    """Event time of `balance`: an older fact that comes later does not replace it."""
    status_at: dt.datetime | None = None


_UNKNOWN = Account()


class Instalment(msgspec.Struct, frozen=True, array_like=True):
    """One instalment that is not fully paid."""

    number: int
    due_date: dt.date
    total: int
    paid: int
    source: Source
    schedule_version: int = 0


class Missed(msgspec.Struct, frozen=True, array_like=True):
    """A missed instalment, remembered after it is paid."""

    number: int
    due_date: dt.date
    source: Source


class Facility(msgspec.Struct, frozen=True, array_like=True):
    """One credit facility. `unpaid` is ordered by due date; `prepaid` waits for the next due;
    `paid` holds the numbers of the instalments paid last: what is said of one later owes nothing;
    `reversible` the newest of them whole."""

    currency: str = ""
    status: str = "PERFORMING"
    status_at: dt.datetime | None = None
    unpaid: tuple[Instalment, ...] = ()
    missed: tuple[Missed, ...] = ()
    prepaid: Sum = 0
    paid: tuple[int, ...] = ()
    reversible: tuple[Instalment, ...] = ()


class DayTotal(msgspec.Struct, frozen=True, array_like=True):
    """What moved on one business date in one class of the statutory report."""

    business_date: dt.date
    kind: str
    """CASH, TRANSFER or CROSS_BORDER, then the direction and the currency: CASH|CRDT|CNY."""
    total: Sum
    sources: tuple[Source, ...]


class Sequence(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The numbers one producer gave the facts of this client, whatever their topic."""

    lowest: int
    highest: int
    facts: int

    @property
    def missing(self) -> int:
        """How many numbers between the lowest and the highest were not seen."""
        return max(0, self.highest - self.lowest + 1 - self.facts)


class Raised(msgspec.Struct, frozen=True, array_like=True):
    """An alert that still suppresses its repeats."""

    alert_key: str
    alert_id: str
    severity: str
    value: Sum
    """In ten-thousandths, whatever its unit."""
    until: dt.datetime
    """Event time at which its repeats are news again."""
    last_seen: dt.datetime
    hit_count: int
    max_value: Sum


class ClientState(msgspec.Struct, frozen=True, array_like=True):
    """Everything the stream knows of one client; a small versioned document."""

    client_id: str
    version: int = STATE_VERSION
    facts: int = 0
    account_date: dt.date = dt.date.min
    """The newest business date seen in bank.account.v1: the watermark of that topic."""
    credit_date: dt.date = dt.date.min
    """The same for bank.credit.v1. Topics are not ordered among each other, so neither is used
    for the other: a backlog of postings must not make an instalment look overdue."""
    client_type: str = ""
    accounts: dict[str, Account] = {}
    facilities: dict[str, Facility] = {}
    consents: dict[str, str] = {}
    """purpose -> consent_id, for the consents that stand."""
    day_totals: tuple[DayTotal, ...] = ()
    entities: dict[str, dt.date] = {}
    """entity (account/17) -> the business date it was introduced on; a fact may refer to these."""
    sequences: dict[str, Sequence] = {}
    """CloudEvents source -> the numbers it gave."""
    raised: dict[str, Raised] = {}
    """alert scope (rule|entity|bucket) -> the alert that suppresses its repeats."""


class _Head(msgspec.Struct, array_like=True):
    """What every version of a state begins with."""

    client_id: str
    version: int


encode_state = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ClientState).decode
_head = msgspec.msgpack.Decoder(_Head).decode


def decode_state(stored: bytes) -> ClientState:
    """Raises UsageError for a state that another version of this code has folded."""
    head = _head(stored)
    if head.version != STATE_VERSION:
        raise UsageError(
            f"The state of client {head.client_id} has version {head.version} and this code folds "
            f"version {STATE_VERSION}: run `lifecycle rebuild`, which folds the log again."
        )
    return _decode(stored)


def version_of(stored: bytes) -> int:
    """The version of a stored state."""
    return _head(stored).version


def fold(state: ClientState, event: Event) -> ClientState:
    """The state after one more fact."""
    apply, introduces, _ = _ROWS[type(event.data)]
    changes = apply(state, event, event.data) if apply else {}
    if event.topic == ACCOUNT:
        changes["account_date"] = max(state.account_date, event.business_date)
    elif event.topic == CREDIT:
        changes["credit_date"] = max(state.credit_date, event.business_date)
    if introduces:
        entity = f"{introduces[0]}/{getattr(event.data, introduces[1])}"
        if entity not in state.entities:
            changes["entities"] = {**state.entities, entity: event.business_date}
    if event.sequence:
        changes["sequences"] = _counted(state, event)
    return _replace(state, changes)


def waits_for(state: ClientState, event: Event) -> str | None:
    """The first entity the fact refers to that nobody introduced yet, or None."""
    refers_to = _ROWS[type(event.data)].refers_to
    if refers_to is None:
        return None
    entity, field = refers_to
    identifier = getattr(event.data, field)
    name = f"{entity}/{identifier}"
    return None if identifier is None or name in state.entities else name


def introduces(event: Event) -> bool:
    """Whether other facts may wait for this one."""
    return _ROWS[type(event.data)].introduces is not None


def _counted(state: ClientState, event: Event) -> dict[str, Sequence]:
    number = event.sequence
    seen = state.sequences.get(event.source)
    now = (
        Sequence(min(seen.lowest, number), max(seen.highest, number), seen.facts + 1)
        if seen
        else Sequence(number, number, 1)
    )
    return {**state.sequences, event.source: now}


def days_past_due(facility: Facility, on: dt.date, materiality: int) -> int:
    """Days between `on` and the due date of the oldest instalment up to which more than `materiality`
    is owed."""
    oldest = oldest_unpaid(facility, materiality)
    return max(0, (on - oldest.due_date).days) if oldest else 0


def oldest_unpaid(facility: Facility, materiality: int) -> Instalment | None:
    """The oldest instalment up to which more than `materiality` is owed: small rests add up."""
    owed = 0
    for instalment in facility.unpaid:
        owed += instalment.total - instalment.paid
        if owed > materiality:
            return instalment
    return None


def source_of(event: Event) -> Source:
    return Source(event.id, event.topic, event.partition, event.offset)


def _replace(state: ClientState, changes: dict[str, Any]) -> ClientState:
    # Spelled out because msgspec.structs.replace costs three times as much, once per fact.
    get = changes.get
    return ClientState(
        state.client_id,
        state.version,
        state.facts + 1,
        get("account_date", state.account_date),
        get("credit_date", state.credit_date),
        get("client_type", state.client_type),
        get("accounts", state.accounts),
        get("facilities", state.facilities),
        get("consents", state.consents),
        get("day_totals", state.day_totals),
        get("entities", state.entities),
        get("sequences", state.sequences),
        state.raised,
    )


def with_raised(state: ClientState, scope: str, raised: Raised, now: dt.datetime) -> ClientState:
    """The state that remembers an alert under its scope, and forgets those that have run out."""
    live = {key: entry for key, entry in state.raised.items() if entry.until > now}
    return msgspec.structs.replace(state, raised={**live, scope: raised})


# --- who the client is ------------------------------------------------------------------------


def _registered(state: ClientState, event: Event, data: cl.ClientRegistered) -> dict[str, Any]:
    return {"client_type": data.client_type}


def _granted(state: ClientState, event: Event, data: cs.ConsentGranted) -> dict[str, Any]:
    return {"consents": {**state.consents, data.purpose: data.consent_id}}


def _withdrawn(state: ClientState, event: Event, data: cs.ConsentWithdrawn) -> dict[str, Any]:
    standing = {p: c for p, c in state.consents.items() if c != data.consent_id}
    return {"consents": standing}


# --- accounts ---------------------------------------------------------------------------------


def _with_account(state: ClientState, account_id: str, **changes: Any) -> dict[str, Any]:
    account = msgspec.structs.replace(state.accounts.get(account_id, _UNKNOWN), **changes)
    return {"accounts": {**state.accounts, account_id: account}}


def _opened(state: ClientState, event: Event, data: ac.AccountOpened) -> dict[str, Any]:
    return _with_account(
        state,
        data.account_id,
        currency=data.currency,
        overdraft_limit=minor_units(data.overdraft_limit),
        opened_date=data.opened_date,
    )


def _posted(state: ClientState, event: Event, data: ac.TransactionPosted) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    account = state.accounts.get(data.account_id, _UNKNOWN)
    if data.balance_after is not None and _is_newest(account, event):
        # Spelled out, as in `_replace`: most facts are entries.
        known = Account(
            data.currency,
            minor_units(data.balance_after),
            account.overdraft_limit,
            account.status,
            account.opened_date,
            event.time,
            account.status_at,
        )
        changes["accounts"] = {**state.accounts, data.account_id: known}
    # What a correction replaces was added when it came; what it was, the nightly run restates.
    counts = data.initiator != "BANK" and data.status == "BOOK" and not data.reversal
    if counts and not event.correction:
        changes["day_totals"] = _add_to_day(state, event, data)
    return changes


def _is_newest(account: Account, event: Event) -> bool:
    """Whether no balance of a later event time is known."""
    return account.balance_at is None or account.balance_at <= event.time


def _add_to_day(
    state: ClientState, event: Event, data: ac.TransactionPosted
) -> tuple[DayTotal, ...]:
    kind, day = _day_total_kind(data), event.business_date
    oldest = max(state.account_date, day) - _OLDER_DAY_TOTALS
    if day < oldest:
        return state.day_totals
    before = 0
    sources: tuple[Source, ...] = ()
    kept = []
    for total in state.day_totals:
        if total.kind == kind and total.business_date == day:
            before, sources = int(total.total), total.sources
        elif total.business_date >= oldest:
            kept.append(total)
    now = DayTotal(
        day,
        kind,
        kept_sum(before + minor_units(data.amount)),
        # The first entries and the latest one carry the evidence; the rest is in the log.
        (*sources[:18], *sources[19:], source_of(event)),
    )
    return (*kept, now)


def _day_total_kind(data: ac.TransactionPosted) -> str:
    """The statutory class an entry adds to, e.g. "CASH|CRDT|CNY"."""
    kind = "CASH" if data.is_cash else "CROSS_BORDER" if data.is_cross_border else "TRANSFER"
    return f"{kind}|{data.credit_debit_indicator}|{data.currency}"


def _snapshot(state: ClientState, event: Event, data: ac.BalanceSnapshot) -> dict[str, Any]:
    account = state.accounts.get(data.account_id, _UNKNOWN)
    if data.balance_type not in ("CLBD", "ITBD") or not _is_newest(account, event):
        return {}
    sign = -1 if data.credit_debit_indicator == "DBIT" else 1
    changes: dict[str, Any] = {
        "currency": data.currency,
        "balance": sign * minor_units(data.amount),
        "balance_at": event.time,
    }
    if data.overdraft_limit is not None:
        changes["overdraft_limit"] = minor_units(data.overdraft_limit)
    return _with_account(state, data.account_id, **changes)


def _status_changed(
    state: ClientState, event: Event, data: ac.AccountStatusChanged
) -> dict[str, Any]:
    return _with_status(state, event, data.account_id, data.to_status)


def _closed(state: ClientState, event: Event, data: ac.AccountClosed) -> dict[str, Any]:
    return _with_status(state, event, data.account_id, "CLOSED")


def _with_status(state: ClientState, event: Event, account_id: str, status: str) -> dict[str, Any]:
    account = state.accounts.get(account_id)
    if account and account.status_at and account.status_at > event.time:
        return {}
    return _with_account(state, account_id, status=status, status_at=event.time)


# --- credit -----------------------------------------------------------------------------------


def _with_facility(state: ClientState, facility_id: str, facility: Facility) -> dict[str, Any]:
    return {"facilities": {**state.facilities, facility_id: facility}}


def _facility(state: ClientState, facility_id: str) -> Facility:
    return state.facilities.get(facility_id, Facility())


def _disbursed(state: ClientState, event: Event, data: cr.CreditDisbursed) -> dict[str, Any]:
    facility = msgspec.structs.replace(_facility(state, data.facility_id), currency=data.currency)
    return _with_facility(state, data.facility_id, facility)


def _due(state: ClientState, event: Event, data: cr.RepaymentDue) -> dict[str, Any]:
    facility = _facility(state, data.facility_id)
    total = minor_units(data.total)
    known = [i for i in facility.unpaid if i.number == data.instalment_no]
    if data.instalment_no in facility.paid or (event.correction and not known):
        return {}  # paid already; what a new schedule still asks for, the nightly run restates
    if known and known[0].schedule_version > data.schedule_version:
        return {}
    prepaid = int(facility.prepaid)
    paid = known[0].paid if known else max(0, min(prepaid, total))
    instalment = Instalment(
        data.instalment_no, data.due_date, total, paid, source_of(event), data.schedule_version
    )
    others = [i for i in facility.unpaid if i.number != data.instalment_no]
    owes = paid < total
    changed = msgspec.structs.replace(
        facility,
        currency=data.currency,
        unpaid=tuple(sorted([*others, instalment] if owes else others, key=_by_due_date)),
        prepaid=kept_sum(prepaid if known else prepaid - paid),
        paid=facility.paid if owes else _remember_paid(facility, [data.instalment_no]),
        reversible=facility.reversible
        if owes
        else (*facility.reversible, instalment)[-REVERSIBLE_KEPT:],
    )
    return _with_facility(state, data.facility_id, changed)


def _remember_paid(facility: Facility, numbers: list[int]) -> tuple[int, ...]:
    return (*facility.paid, *numbers)[-PAID_KEPT:]


def _by_due_date(instalment: Instalment) -> tuple[dt.date, int]:
    return (instalment.due_date, instalment.number)


def _made(state: ClientState, event: Event, data: cr.RepaymentMade) -> dict[str, Any]:
    """Money pays the oldest instalment first, whatever the payer meant; the rest waits. Not penalty
    interest, nor a prepayment of principal, which names no instalment."""
    if event.correction:
        return {}  # the money of the payment it corrects has paid; the nightly run restates it
    facility = _facility(state, data.facility_id)
    ahead = data.early and not data.instalment_no
    money = 0 if ahead else minor_units(data.amount) - minor_units(data.allocation.penalty)
    moved = (_taken_back if data.reversal else _paid)(facility, max(0, money))
    changed = msgspec.structs.replace(moved, currency=data.currency)
    return _with_facility(state, data.facility_id, changed)


def _paid(facility: Facility, money: int) -> Facility:
    money += int(facility.prepaid)
    unpaid: list[Instalment] = []
    paid: list[Instalment] = []
    for instalment in facility.unpaid:
        share = max(0, min(money, instalment.total - instalment.paid))
        money -= share
        now = msgspec.structs.replace(instalment, paid=instalment.paid + share)
        (unpaid if now.paid < now.total else paid).append(now)
    return msgspec.structs.replace(
        facility,
        unpaid=tuple(unpaid),
        prepaid=kept_sum(money),
        paid=_remember_paid(facility, [i.number for i in paid]),
        reversible=(*facility.reversible, *paid)[-REVERSIBLE_KEPT:],
    )


def _taken_back(facility: Facility, money: int) -> Facility:
    """What was paid last is owed again first: what waits, then the newest instalment."""
    from_prepaid = min(money, max(0, int(facility.prepaid)))
    left = money - from_prepaid
    unpaid = []
    for instalment in reversed((*facility.reversible, *facility.unpaid)):
        share = min(left, instalment.paid)
        left -= share
        unpaid.append(msgspec.structs.replace(instalment, paid=instalment.paid - share))
    open_again = [i for i in unpaid if i.paid < i.total]
    numbers = {i.number for i in open_again}
    return msgspec.structs.replace(
        facility,
        unpaid=tuple(sorted(open_again, key=_by_due_date)),
        # What it cannot open again waits as a debt: the next money pays it first.
        prepaid=kept_sum(int(facility.prepaid) - from_prepaid - left),
        paid=tuple(number for number in facility.paid if number not in numbers),
        reversible=tuple(i for i in facility.reversible if i.number not in numbers),
    )


def _missed(state: ClientState, event: Event, data: cr.RepaymentMissed) -> dict[str, Any]:
    facility = _facility(state, data.facility_id)
    source = source_of(event)
    unpaid = facility.unpaid
    known = data.instalment_no in facility.paid
    if not known and not any(i.number == data.instalment_no for i in unpaid):
        # The due fact has not come yet: the missed one says all that is needed.
        owed = Instalment(
            data.instalment_no, data.due_date, minor_units(data.outstanding), 0, source
        )
        unpaid = tuple(sorted((*unpaid, owed), key=_by_due_date))
    oldest = max(state.credit_date, event.business_date) - MISSED_KEPT
    remembered = [
        m for m in facility.missed if m.due_date > oldest and m.number != data.instalment_no
    ]
    missed = (*remembered, Missed(data.instalment_no, data.due_date, source))
    changed = msgspec.structs.replace(
        facility, currency=data.currency, unpaid=unpaid, missed=missed
    )
    return _with_facility(state, data.facility_id, changed)


def _status(name: str, **ended: Any) -> Callable[[ClientState, Event, Any], dict[str, Any]]:
    """The fold of a fact that puts a facility into a status; `ended` is what that settles."""

    def apply(state: ClientState, event: Event, data: Any) -> dict[str, Any]:
        facility = _facility(state, data.facility_id)
        if facility.status_at and facility.status_at > event.time:
            return {}
        changed = msgspec.structs.replace(facility, status=name, status_at=event.time, **ended)
        return _with_facility(state, data.facility_id, changed)

    return apply


_NOTHING_OWED: dict[str, Any] = {"unpaid": (), "prepaid": 0, "reversible": ()}

_FOLDS: dict[type, Callable[[ClientState, Event, Any], dict[str, Any]]] = {
    cl.ClientRegistered: _registered,
    cs.ConsentGranted: _granted,
    cs.ConsentWithdrawn: _withdrawn,
    ac.AccountOpened: _opened,
    ac.TransactionPosted: _posted,
    ac.BalanceSnapshot: _snapshot,
    ac.AccountStatusChanged: _status_changed,
    ac.AccountClosed: _closed,
    cr.CreditDisbursed: _disbursed,
    cr.RepaymentDue: _due,
    cr.RepaymentMade: _made,
    cr.RepaymentMissed: _missed,
    cr.CreditRestructured: _status("RESTRUCTURED"),
    cr.DefaultDeclared: _status("DEFAULT"),
    cr.DefaultCured: _status("PERFORMING"),
    cr.CreditWrittenOff: _status("WRITTEN_OFF", **_NOTHING_OWED),
    cr.CreditSettled: _status("SETTLED", **_NOTHING_OWED),
}
"""Facts that change the state; every other accepted fact only counts."""


class _Row(NamedTuple):
    """What the fold does with one type of fact."""

    apply: Callable[[ClientState, Event, Any], dict[str, Any]] | None
    introduces: tuple[str, str] | None
    refers_to: tuple[str, str] | None


_ROWS = {
    row.data: _Row(_FOLDS.get(row.data), row.introduces, row.refers_to)
    for row in CATALOGUE.values()
}
