"""A company: buyers, suppliers, payroll, taxes, and the statement it files every year."""

from __future__ import annotations

import datetime as dt

from lifecycle.events import client as cl
from lifecycle.events import credit as cr
from lifecycle.events import money_text
from lifecycle.sources.simulator.accounts import FUNDING, RECEIVED, SENT, party
from lifecycle.sources.simulator.declarations import RATIOS, ratio_text
from lifecycle.sources.simulator.diary import CURRENCY, YUAN, Diary
from lifecycle.sources.simulator.individuals import BORROWS
from lifecycle.sources.simulator.life import Life
from lifecycle.sources.simulator.loans import Application, Loan
from lifecycle.sources.simulator.stories import Story

BUYERS = 12
INDUSTRIES = ("C13", "F51", "F52", "I65", "E47")
"""GB/T 4754."""
FILED_TRULY = (95, 110)
"""Filed revenue in hundredths of what comes in, when nothing is false."""
SALES_DAYS = range(1, 29, 2)
YEARLY_SALES = 12 * len(SALES_DAYS)


class Company(Life):
    """One company."""

    __slots__ = ("_debts", "_filed", "_main_buyer", "_staff")
    client_type = "CORPORATE"

    def __init__(self, diary: Diary, first: dt.date, story: Story | None) -> None:
        super().__init__(diary, first, story)
        random = diary.random
        self.income = diary.yuan(50_000, 400_000)
        self._staff = random.randrange(3, 10)
        self._main_buyer = 0.9 if self.told == "PAYERS_CONCENTRATED" else 0.0
        self._debts = self.income * random.randrange(1, 6) if diary.chance(0.5) else 0
        self._filed = random.randrange(*RATIOS.get(self.told, FILED_TRULY))
        files = dt.date(first.year, 4, random.randrange(1, 29))
        if files <= first:
            files = files.replace(year=first.year + 1)
        self.at(files, self._file)
        if self.told == "REVENUE_OVERSTATED":
            self.story_day = files
            self.ratio = ratio_text(self._revenue, self._yearly_inflow)
        if diary.chance(BORROWS):
            application = Application(self.income, self._debts, None, self._debts)
            self.loan = Loan(self.account, diary, first, application, income=self.income, story="")

    def join(self, day: dt.date) -> None:
        """Become a client with an account, money on it, and an ordinary life from the next day."""
        diary = self.diary
        founded = day - dt.timedelta(days=diary.random.randrange(2 * 365, 40 * 365))
        diary.add(
            8 * 3600,
            cl.ClientRegistered(
                business_date=day,
                client_id=diary.client_id,
                client_type="CORPORATE",
                id_type="USCC",
                incorporation_date=founded,
                nationality="CN",
                region=f"R{diary.number % 31:02d}",
                industry_code=diary.random.choice(INDUSTRIES),
                source_channel="BRANCH",
                rm_id=f"RM-{diary.number % 20:02d}",
            ),
        )
        self.verify(day)
        diary.add(
            8 * 3600 + 120,
            cl.ProfileDeclared(
                business_date=day,
                client_id=diary.client_id,
                currency=CURRENCY,
                debts=money_text(self._debts),
                goals=("EXPANSION",) if diary.chance(0.3) else (),
            ),
        )
        self.agree(day)
        self.relate(day)
        self.account.start(day, 9 * 3600)
        self.account.book(day, 9 * 3600 + 600, FUNDING, self.income * 2, purpose="CASH")
        self.awake = True
        self.meet_after(day)

    def live(self, day: dt.date) -> None:
        diary, account, income = self.diary, self.account, self.income
        if paid := self._sales_of(day):
            buyer = 0 if diary.chance(self._main_buyer) else diary.random.randrange(BUYERS)
            payer = party(f"BUYER-{buyer:02d}")
            account.book(day, 10 * 3600, RECEIVED, paid, other=payer)
        if diary.chance(0.4):
            cost = income * diary.random.randrange(2, 9) // 100
            # Suppliers wait when wages, taxes and an instalment would no longer be covered.
            if account.balance - cost > income * 6 // 10:
                supplier = party(f"SUPPLIER-{diary.random.randrange(5)}")
                account.book(day, 14 * 3600, SENT, cost, other=supplier)
        if day.day == 10:
            self._pay_wages(day)
        if day.day == 15:
            taxes = income // 20
            account.book(day, 15 * 3600, SENT, taxes, purpose="TAXS", other=party("TAX-OFFICE"))

    def _sales_of(self, day: dt.date) -> int:
        """What a buyer pays on a day, if one does. Where the truth about a year is labelled, every month
        is alike, so that the label says what came in and not what was to be expected."""
        if self.told == "REVENUE_OVERSTATED":
            return self._yearly_inflow // YEARLY_SALES if day.day in SALES_DAYS else 0
        share = self.diary.random.randrange(3, 9) if self.diary.chance(0.6) else 0
        return self.income * share // 100

    def _pay_wages(self, day: dt.date) -> None:
        wage = self.income * 3 // 10 // self._staff
        for number in range(self._staff):
            payee = party(f"{self.diary.client_id}-E{number}")
            self.account.book(day, 15 * 3600, SENT, wage, purpose="SALA", other=payee)

    @property
    def _yearly_inflow(self) -> int:
        """What buyers pay within a year, on the average: 60 % of days, 5.5 % of a month."""
        return self.income * 365 * 6 // 10 * 55 // 1_000

    @property
    def _revenue(self) -> int:
        return self._yearly_inflow * self._filed // 100 // YUAN * YUAN

    def _file(self, day: dt.date) -> None:
        """The statement of the year before; the next one follows in a year."""
        year_end = dt.date(day.year - 1, 12, 31)
        self.diary.add(
            11 * 3600,
            cr.FinancialStatementFiled(
                business_date=day,
                client_id=self.diary.client_id,
                period_end=year_end,
                version=1,
                filed_at=day,
                audited=self.diary.chance(0.7),
                gaap="PRC_GAAP",
                currency=CURRENCY,
                statement=_statement(self.diary, self._revenue, self.income * 2, self._debts),
            ),
        )
        self.at(day.replace(year=day.year + 1), self._file)


def _statement(diary: Diary, revenue: int, cash: int, debts: int) -> cr.Statement:
    """A statement that adds up: assets = liabilities + equity, in whole yuan."""

    def of_revenue(low: int, high: int) -> int:
        return revenue * diary.random.randrange(low, high) // 1_000 // YUAN * YUAN

    cogs, sga, depreciation = of_revenue(550, 680), of_revenue(180, 260), of_revenue(20, 40)
    interest = debts // 20 // YUAN * YUAN
    ebit = revenue - cogs - sga - depreciation
    tax = max(0, ebit - interest) // 4 // YUAN * YUAN
    net = ebit - interest - tax
    receivables, inventory = of_revenue(60, 160), of_revenue(50, 150)
    ppe, intangibles, payables = of_revenue(250, 500), of_revenue(0, 30), of_revenue(40, 120)
    current_assets = cash + receivables + inventory
    assets = current_assets + ppe + intangibles
    short_debt = debts // 2 // YUAN * YUAN
    current_liabilities = payables + short_debt
    liabilities = current_liabilities + debts - short_debt
    equity = assets - liabilities
    lines = {
        "revenue": revenue,
        "cogs": cogs,
        "sga": sga,
        "depreciation": depreciation,
        "ebit": ebit,
        "interest_expense": interest,
        "tax_expense": tax,
        "net_income": net,
        "cfo": net + depreciation,
        "cash": cash,
        "receivables": receivables,
        "inventory": inventory,
        "current_assets": current_assets,
        "ppe": ppe,
        "securities": 0,
        "intangibles": intangibles,
        "total_assets": assets,
        "payables": payables,
        "short_term_debt": short_debt,
        "current_liabilities": current_liabilities,
        "lt_debt": debts - short_debt,
        "total_liabilities": liabilities,
        "retained_earnings": equity // 2 // YUAN * YUAN,
        "dividends": max(0, net) // 5 // YUAN * YUAN,
        "equity": equity,
    }
    return cr.Statement(**{name: money_text(units) for name, units in lines.items()})
