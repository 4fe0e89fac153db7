"""Who the client is."""

from __future__ import annotations

import datetime as dt

from lifecycle.events import client as said
from tests.unit.attributes.bank import Bank, at, day

FEBRUARY = dt.date(2026, 2, 28)
MARCH = dt.date(2026, 3, 1)


def cases(bank: Bank) -> None:
    _ages(bank)
    _registration(bank)
    _reviews(bank)
    _declarations(bank)
    _contacts(bank)


def _ages(bank: Bank) -> None:
    # 2026 - 1980 = 46, and the birthday is today; tomorrow's is still to come.
    today = bank.person("born-today", birth_date=day("1980-03-31"))
    today.expect("age", "46", today.registration)
    bank.person("born-tomorrow", birth_date=day("1980-04-01")).expect("age", "45")
    bank.company("founded", incorporation_date=day("2010-03-31")).expect("age", "16")
    # Who was born on 29 February is a year older on 1 March of a year without one.
    leap = bank.person("leap", birth_date=day("2000-02-29"))
    leap.expect("age", "25", as_of=FEBRUARY)
    leap.expect("age", "26", as_of=MARCH)

    # 1 January to 31 March 2024 are 90 days; two years more have no leap day: 90 + 730 = 820.
    known = bank.person("two-accounts")
    second = known.open("A2", "2026-03-30")
    known.expect("tenure_days", "820", known.opening, second)
    bank.person("opened-today", account="2026-03-31").expect("tenure_days", "0")


def _registration(bank: Bank) -> None:
    firm = bank.company(
        "registered", industry_code="I65", id_expiry=day("2027-05-01"), rm_id="RM-1"
    )
    firm.expect("industry_code", "I65", firm.registration)
    firm.expect("industry_outlook", "POSITIVE", firm.registration)
    firm.expect("id_expiry", "2027-05-01", firm.registration)
    firm.expect("relationship_manager", "RM-1", firm.registration)
    bank.company("odd-industry", industry_code="Z1").lacks("industry_outlook")
    bank.person("number-wrong", id_check="FAIL").expect("id_check", "FAIL")
    person = bank.person("number-right", id_check="PASS")
    person.expect("id_check", "PASS", person.registration)

    handed = bank.person("handed-over", rm_id="RM-1")
    handed.add(said.RmAssigned, "2025-02-01", rm_id="RM-2")
    newest = handed.add(said.RmAssigned, "2026-02-01", rm_id="RM-3")
    handed.expect("relationship_manager", "RM-3", newest)


def _reviews(bank: Bank) -> None:
    reviewed = bank.person("reviewed")

    def review(on: str, level: str, following: str) -> str:
        return reviewed.add(
            said.KycUpdated,
            on,
            kyc_level=level,
            reviewed_at=at(f"{on}T10:00"),
            next_review_date=day(following),
            pep=False,
            sanctions_hit=False,
        )

    newest = review("2026-01-10", "FULL", "2027-01-10")
    # What arrives later but was true earlier is not newer.
    review("2025-01-10", "BASIC", "2026-01-10")
    reviewed.expect("kyc_level", "FULL", newest)
    reviewed.expect("kyc_next_review", "2027-01-10", newest)


def _declarations(bank: Bank) -> None:
    family = bank.person("family")
    all_said = family.add(
        said.ProfileDeclared,
        "2025-06-01",
        declared_income_monthly="15000.00",
        assets="500000.50",
        debts="120000.00",
        household_size=4,
        employer="employer-hash",
        investment_experience_years=5,
        pension_estimated_monthly="4200.00",
        dependants=(said.Dependant(birth_year=2016), said.Dependant(birth_year=2022)),
    )
    family.expect("household_size", "4", all_said)
    # 2026 - 2022 = 4 and 2026 - 2016 = 10, youngest first: as numbers, not as text.
    family.expect("dependants_ages", "4,10", all_said)
    family.expect("pension_estimated_monthly", "4200.00", all_said)
    family.expect("investment_experience_declared", "5", all_said)
    family.expect("employer_declared", "employer-hash", all_said)
    family.expect("debts_declared", "120000.00", all_said)
    family.expect("income_declared_monthly", "15000.00", all_said)
    # What a later declaration leaves out stands as it was said before.
    later = bank.person("said-twice")
    first = later.add(said.ProfileDeclared, "2025-06-01", assets="100.00", debts="10.00")
    second = later.add(said.ProfileDeclared, "2025-07-01", assets="200.00")
    later.expect("assets_declared", "200.00", second)
    later.expect("debts_declared", "10.00", first)
    later.expect("dependants_ages", "", second)

    unasked = bank.person("half-consent", consents=("P2_PROFILE",))
    unasked.add(said.ProfileDeclared, "2025-06-01", household_size=2)
    unasked.lacks("household_size", "dependants_ages", reason="NOT_CONSENTED")


def _contacts(bank: Bank) -> None:
    # Four have one phone, of which one is the wife: two strangers are left. The address is shared
    # with one client: the most of the kinds counts.
    one = bank.person("phone-1", phone_hash="phone", address_hash="home")
    bank.person("phone-2", phone_hash="phone", address_hash="home").expect(
        "shared_contact_clients", "3"
    )
    wife = bank.person("phone-3", phone_hash="phone")
    bank.person("phone-4", phone_hash="phone")
    wife.add(said.RelationLinked, "2025-01-01", other_client_id="phone-1", relation="SPOUSE")
    one.expect("shared_contact_clients", "2", one.registration)
    wife.expect("shared_contact_clients", "2", wife.registration)
    bank.person("phone-5", phone_hash="another").expect("shared_contact_clients", "0")
