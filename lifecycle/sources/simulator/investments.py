"""What a client buys from the bank: an assessment of risk tolerance, sales, and how they end."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import TYPE_CHECKING, NamedTuple

from lifecycle.events import account as ac
from lifecycle.events import money_text
from lifecycle.events import product as pr
from lifecycle.events.fields import ProductRisk, ToleranceLevel
from lifecycle.sources.simulator.accounts import PAID_OUT, SENT
from lifecycle.sources.simulator.diary import CURRENCY, FEN, YUAN

if TYPE_CHECKING:
    from lifecycle.sources.simulator.individuals import Individual


class Product(NamedTuple):
    """One product. Its prefix says the asset class."""

    product_id: str
    risk: ProductRisk
    days: int = 0
    """To maturity; 0 when it has none."""
    gain: int = 0
    """In parts of a thousand, at maturity."""


CATALOGUE = (
    Product("MM-CASH", "R1"),
    Product("TD-3M", "R1", 90, 5),
    Product("INS-LIFE", "R2"),
    Product("FI-BOND", "R2", 180, 12),
    Product("MA-BALANCED", "R3"),
    Product("AU-GOLD", "R4"),
    Product("EQ-INDEX", "R4"),
    Product("EQ-SECTOR", "R5"),
)
LEVELS: tuple[ToleranceLevel, ...] = ("C1", "C2", "C3", "C4", "C5")
BANK = ac.Counterparty(name_hash="BANK-PRODUCTS", type="SECURITIES")
BETWEEN_SALES = (35, 60)
"""Days, so that an income lies between two sales."""


def assess(client: Individual, day: dt.date, level: ToleranceLevel, valid_days: int) -> None:
    """The bank asks how much risk the client wants."""
    diary = client.diary
    assessment = f"{diary.client_id}-T{day:%Y%m%d}"
    diary.add(
        9 * 3600 + 1_800,
        pr.RiskToleranceAssessed(
            business_date=day,
            client_id=diary.client_id,
            assessment_id=assessment,
            questionnaire_version="Q-2026",
            score=LEVELS.index(level) * 20 + diary.random.randrange(20),
            level=level,
            answers_hash=_digest(assessment),
            is_minimum_type=False,
            valid_until=day + dt.timedelta(days=valid_days),
            channel="BRANCH",
        ),
    )


def invest(client: Individual) -> None:
    """Plan the assessment, some sales within it, and for half of the clients the next assessment."""
    random = client.diary.random
    level = random.choice(LEVELS[:4])
    valid_days = random.choice((365, 365, 365, random.randrange(130, 180)))
    begins = client.first + dt.timedelta(days=random.randrange(3, 15))
    client.at(begins, lambda day: assess(client, day, level, valid_days))
    if random.random() < 0.5:
        again = begins + dt.timedelta(days=valid_days)
        client.at(again, lambda day: assess(client, day, level, 365))
    suitable = [product for product in CATALOGUE if product.risk[1] <= level[1]]
    day = begins
    for product in random.sample(suitable, min(len(suitable), random.randrange(1, 4))):
        day += dt.timedelta(days=random.randrange(*BETWEEN_SALES) if day > begins else 10)
        _plan_sale(client, day, product)


def invest_above_tolerance(client: Individual) -> None:
    """Plan a sale of more risk than the client wants, on the day of the story. The client keeps what it
    bought and says the same every year, so that the sale stays unsuitable."""
    diary = client.diary
    client.entity = f"sale/{_sale_id(client, client.story_day)}"
    level = diary.random.choice(LEVELS[:3])
    risky = [p for p in CATALOGUE if p.risk[1] > level[1] and not p.days]
    product = diary.random.choice(risky)

    def assess_again(day: dt.date) -> None:
        assess(client, day, level, 365)
        client.at(day + dt.timedelta(days=365), assess_again)

    client.at(client.first + dt.timedelta(days=5), assess_again)
    _plan_sale(client, client.story_day, product)


def sell(client: Individual, day: dt.date, product: Product) -> None:
    """A sale of a tenth to a fifth of an income, with what has to stand behind it."""
    diary = client.diary
    amount = client.income * diary.random.randrange(10, 20) // 100 // YUAN * YUAN
    sale, recording = _sale_id(client, day), f"{diary.client_id}-V{day:%Y%m%d}"
    client.account.book(day, 14 * 3600, SENT, amount, purpose="INVS", other=BANK)
    second = client.account.next_second()
    ends = day + dt.timedelta(days=product.days) if product.days else None
    diary.add(
        second,
        pr.ProductSold(
            business_date=day,
            client_id=diary.client_id,
            sale_id=sale,
            product_id=product.product_id,
            product_risk=product.risk,
            amount=money_text(amount),
            currency=CURRENCY,
            disclosure_ack_id=f"{sale}-D",
            suitability_check_id=f"{sale}-C",
            initiated_by="BANK" if diary.chance(0.5) else "CLIENT",
            recording_id=recording,
            maturity_date=ends,
            channel="BRANCH",
        ),
    )
    diary.add(
        second + 900,
        pr.RecordingStored(
            business_date=day,
            client_id=diary.client_id,
            recording_id=recording,
            sale_id=sale,
            started_at=diary.instant(day, second - 600),
            ended_at=diary.instant(day, second),
            sha256=_digest(recording),
            retention_until=day.replace(year=day.year + 6, day=1),
            covers=("RISK", "FEES"),
        ),
    )
    if ends:
        client.at(ends, lambda end: _mature(client, end, sale, product, amount))
    elif client.told != "SOLD_ABOVE_TOLERANCE" and diary.chance(0.3):
        out = day + dt.timedelta(days=diary.random.randrange(30, 90))
        client.at(out, lambda end: _redeem(client, end, sale, amount))


def _plan_sale(client: Individual, day: dt.date, product: Product) -> None:
    client.at(day, lambda today: sell(client, today, product))


def _mature(client: Individual, day: dt.date, sale: str, product: Product, amount: int) -> None:
    gain = amount * product.gain // 1_000 // FEN * FEN
    client.account.book(day, 8 * 3600, PAID_OUT, amount + gain, purpose="INVS", other=BANK)
    client.diary.add(
        client.account.next_second(),
        pr.ProductMatured(
            business_date=day,
            client_id=client.diary.client_id,
            sale_id=sale,
            matured_date=day,
            amount=money_text(amount + gain),
            gain=money_text(gain),
            currency=CURRENCY,
        ),
    )


def _redeem(client: Individual, day: dt.date, sale: str, amount: int) -> None:
    """Half of the money, or all of it."""
    complete = client.diary.chance(0.5)
    back = amount if complete else amount // 2 // YUAN * YUAN
    client.account.book(day, 15 * 3600, PAID_OUT, back, purpose="INVS", other=BANK)
    client.diary.add(
        client.account.next_second(),
        pr.ProductRedeemed(
            business_date=day,
            client_id=client.diary.client_id,
            sale_id=sale,
            redemption_id=f"{sale}-O1",
            amount=money_text(back),
            complete=complete,
            currency=CURRENCY,
        ),
    )


def _sale_id(client: Individual, day: dt.date) -> str:
    return f"{client.diary.client_id}-S{day:%Y%m%d}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
