"""What the client uses and owns."""

from __future__ import annotations

from lifecycle.events import account, credit, product
from tests.unit.attributes.balances import bought
from tests.unit.attributes.bank import AS_OF, Bank, day


def cases(bank: Bank) -> None:
    _kinds(bank)
    _second_persons(bank)
    _weights(bank)
    _tolerance(bank)
    _risks(bank)


def _kinds(bank: Bank) -> None:
    user = bank.person("user")
    had = [user.opening, user.open("A2", "2025-01-01", "SVGS")]
    user.open("A3", "2025-01-01", "TRAD")
    user.close("A3", "2025-06-01")

    def card(number: str) -> dict:
        return {"card_id": f"user-{number}", "account_id": "user-A1"}

    had.append(
        user.add(
            account.CardIssued,
            "2025-02-01",
            **card("K1"),
            card_product="GOLD",
            issued_date=day("2025-02-01"),
        )
    )
    user.add(
        account.CardIssued,
        "2025-02-01",
        **card("K2"),
        card_product="GOLD",
        issued_date=day("2025-02-01"),
    )
    user.add(account.CardBlocked, "2025-03-01", **card("K2"), reason="LOST")
    for loan in ("user-L1", "user-L2"):
        lent = user.add(
            credit.CreditDisbursed, "2025-02-01", facility_id=loan, tranche_no=1, amount="100.00"
        )
        had += [lent] if loan == "user-L1" else []
    user.add(
        credit.CreditSettled, "2025-09-01", facility_id="user-L2", settled_date=day("2025-09-01")
    )
    had.append(bought(user, "user-S1", "EQ-9", "100.00", "2025-02-01"))
    bought(user, "user-S2", "INS-1", "100.00", "2025-02-01")
    user.add(
        product.ProductMatured,
        "2025-08-01",
        sale_id="user-S2",
        matured_date=day("2025-08-01"),
        amount="101.00",
    )
    bought(user, "user-S3", "AU-1", "100.00", "2025-02-01")
    user.add(
        product.ProductRedeemed,
        "2025-08-01",
        sale_id="user-S3",
        redemption_id="R1",
        amount="90.00",
        complete=True,
    )
    user.expect("product_set", "CACC;CARD;FUND;LOAN;SVGS", *had)
    user.expect("wallet_breadth", "5", *had)


def _second_persons(bank: Bank) -> None:
    alone = bank.person("alone")
    alone.expect("has_second_person", "0", alone.opening)
    couple = bank.person("couple", account=None)
    joint = couple.open("A1", "2025-01-01", also=("alone",))
    couple.expect("has_second_person", "1", joint)

    def change(client, kind: type, on: str, role: str = "AUTHORISED_USER") -> str:
        return client.add(kind, on, account_id=f"{client.name}-A1", client_id="alone", role=role)

    helped = bank.person("helped")
    helper = change(helped, account.AccountPartyAdded, "2025-02-01")
    helped.expect("has_second_person", "1", helped.opening, helper)
    former = bank.person("helped-once")
    change(former, account.AccountPartyAdded, "2025-02-01")
    change(former, account.AccountPartyRemoved, "2025-03-01")
    former.expect("has_second_person", "0", former.opening)
    again = bank.person("helped-again")
    change(again, account.AccountPartyAdded, "2025-02-01")
    change(again, account.AccountPartyRemoved, "2025-03-01")
    back = change(again, account.AccountPartyAdded, "2025-04-01")
    again.expect("has_second_person", "1", again.opening, back)
    # Who was there from the first day can leave, too.
    parted = bank.person("parted", account=None)
    joint = parted.open("A1", "2025-01-01", also=("alone",))
    change(parted, account.AccountPartyRemoved, "2025-03-01", role="JOINT_OWNER")
    parted.expect("has_second_person", "0", joint)
    # The account of the two is closed.
    widow = bank.person("closed-joint")
    widow.open("A2", "2025-01-01", also=("alone",))
    widow.close("A2", "2025-06-01")
    widow.expect("has_second_person", "0", widow.opening)


def _weights(bank: Bank) -> None:
    # 600 in the account, 400 of shares less 100 taken out, 100 of gold; an overdrawn account is none.
    # Shares 0.6, 0.3, 0.1; squares 0.36 + 0.09 + 0.01 = 0.46.
    owner = bank.person("owner")
    owner.open("A2", "2024-01-01")
    parts = [
        owner.balance("2026-03-01", "600.00"),
        bought(owner, "owner-S1", "EQ-1", "400.00", "2026-01-01"),
        bought(owner, "owner-S2", "AU-1", "100.00", "2026-01-01"),
    ]
    owner.balance("2026-03-01", "-50.00", "A2")
    owner.add(
        product.ProductRedeemed,
        "2026-02-01",
        sale_id="owner-S1",
        redemption_id="R1",
        amount="100.00",
        complete=False,
    )
    owner.expect("asset_class_weights", "CASH:0.6000;EQUITY:0.3000;METALS:0.1000", *parts)
    owner.expect("hhi", "0.4600", *parts)
    owner.expect("largest_product_share", "0.6000", *parts)
    # 600 - 50 + 300 + 100
    owner.expect("aum", "950.00")
    # Two funds of one class, 100 each: one class, and half of it each.
    same = bank.person("one-class")
    bought(same, "same-S1", "EQ-1", "100.00", "2026-01-01")
    bought(same, "same-S2", "EQ-2", "100.00", "2026-01-01")
    same.expect("asset_class_weights", "EQUITY:1.0000")
    same.expect("hhi", "1.0000")
    same.expect("largest_product_share", "0.5000")
    odd = bank.person("odd-product")
    bought(odd, "odd-S1", "QQ-1", "100.00", "2026-01-01")
    odd.expect("asset_class_weights", "OTHER:1.0000")
    odd.expect("product_set", "CACC;OTHER")
    poor = bank.person("nothing-but-debt")
    poor.balance("2026-03-01", "-50.00")
    poor.lacks("asset_class_weights", "hhi", "largest_product_share")
    poor.expect("aum", "-50.00")


def _tolerance(bank: Bank) -> None:
    def assess(client, number: str, on: str, level: str, until: str) -> str:
        return client.add(
            product.RiskToleranceAssessed,
            on,
            assessment_id=f"{client.name}-{number}",
            questionnaire_version="1",
            score=50,
            level=level,
            answers_hash="answers",
            is_minimum_type=False,
            valid_until=day(until),
        )

    sure = bank.person("assessed")
    assess(sure, "1", "2025-01-01", "C5", "2027-01-01")
    newest = assess(sure, "2", "2026-01-01", "C3", "2026-04-30")
    sure.expect("risk_tolerance", "C3", newest)
    sure.expect("tolerance_days_to_expiry", "30", newest)
    last = bank.person("expires-today")
    assess(last, "1", "2025-03-31", "C2", "2026-03-31")
    last.expect("risk_tolerance", "C2")
    last.expect("tolerance_days_to_expiry", "0")
    over = bank.person("expired")
    assess(over, "1", "2025-03-30", "C2", "2026-03-30")
    over.lacks("risk_tolerance")
    over.expect("tolerance_days_to_expiry", "-1")


def _risks(bank: Bank) -> None:
    # First bought on 31 March 2021: 1,826 days/365.25 = 5.0 years.
    holder = bank.person("holder")
    first = bought(holder, "holder-S1", "TD-1", "10.00", "2021-03-31", "R1")
    riskiest = bought(holder, "holder-S2", "EQ-1", "10.00", "2025-03-31", "R4")
    holder.expect("product_risk_max", "R4", riskiest)
    holder.expect("investment_experience_observed", "5.0", first)
    # The riskiest was sold again; what is left was rated anew: from R2 to R5.
    rated = bank.person("rated-anew")
    bought(rated, "rated-S1", "EQ-1", "10.00", "2025-01-01", "R4")
    rated.add(
        product.ProductMatured,
        "2025-08-01",
        sale_id="rated-S1",
        matured_date=day("2025-08-01"),
        amount="10.00",
    )
    bought(rated, "rated-S2", "FI-1", "10.00", "2025-01-01", "R2")
    anew = rated.add(
        product.ProductRatingChanged,
        "2026-02-20",
        product_id="FI-1",
        from_risk="R2",
        to_risk="R5",
        effective_date=AS_OF,
    )
    rated.expect("product_risk_max", "R5", anew)
    rated.expect("product_risk_max", "R2", as_of=day("2026-03-01"))
