"""A person who borrows, spends the money as one should not, and cannot be reached: signs of conduct on a
date, for what needs a lake that has some."""

from __future__ import annotations

import datetime as dt

from lifecycle.events import Fact, Outgoing
from lifecycle.events.account import BalanceSnapshot, Counterparty
from lifecycle.events.client import ClientRegistered, KycUpdated
from lifecycle.events.credit import BureauReportReceived, CreditDisbursed
from lifecycle.events.interaction import ContactAttempted
from tests.support import at, opened, outgoing, posted


def borrower(client: str, day: dt.date) -> list[Outgoing]:
    """The facts of one, in the order they happened, up to `day`."""
    facts = [*_known(client, _ago(day, 200)), *_spent(client, _ago(day, 20))]
    facts += [_lenders(client, _ago(day, days), n) for days, n in ((100, 1), (5, 4))]
    facts += [_missed(client, _ago(day, days)) for days in (6, 4, 2)]
    facts.append(_number(client, _ago(day, 3)))
    facts.sort(key=lambda fact: fact.business_date)
    return [outgoing(fact, client, sequence=n) for n, fact in enumerate(facts, start=1)]


def _ago(day: dt.date, days: int) -> dt.date:
    return day - dt.timedelta(days=days)


def _known(client: str, day: dt.date) -> list[Fact]:
    return [
        ClientRegistered(
            business_date=day, client_id=client, client_type="INDIVIDUAL", phone_hash="old"
        ),
        opened(f"{client}-A1", client, day=day),
        BalanceSnapshot(
            business_date=day,
            account_id=f"{client}-A1",
            balance_type="CLBD",
            amount="500.00",
            credit_debit_indicator="CRDT",
            currency="CNY",
        ),
    ]


def _spent(client: str, day: dt.date) -> list[Fact]:
    account = f"{client}-A1"
    gambling = Counterparty(name_hash="casino", type="GAMBLING")
    lent = CreditDisbursed(
        business_date=day,
        facility_id=f"{client}-L1",
        client_id=client,
        tranche_no=1,
        amount="10000.00",
        currency="CNY",
        to_account_id=account,
    )
    out = {"account_id": account, "credit_debit_indicator": "DBIT"}
    after = day + dt.timedelta(days=1)
    return [
        lent,
        posted(1, day=day, account_id=account, amount="10000.00", purpose="LOAN"),
        posted(2, day=after, amount="4000.00", counterparty=gambling, **out),
        posted(3, day=after, amount="1000.00", is_cash=True, **out),
    ]


def _lenders(client: str, day: dt.date, lenders: int) -> Fact:
    return BureauReportReceived(
        business_date=day,
        client_id=client,
        report_id=f"{client}-{day}",
        report_date=day,
        n_lenders=lenders,
        total_debt="1",
        total_limit="1",
        currency="CNY",
    )


def _missed(client: str, day: dt.date) -> Fact:
    return ContactAttempted(
        business_date=day,
        client_id=client,
        attempt_id=f"{client}-{day}",
        type="CALL",
        reached=False,
    )


def _number(client: str, day: dt.date) -> Fact:
    return KycUpdated(
        business_date=day,
        client_id=client,
        kyc_level="FULL",
        reviewed_at=at(day),
        next_review_date=day + dt.timedelta(days=365),
        pep=False,
        sanctions_hit=False,
        phone_hash="new",
    )
