"""A bank of any size, written straight into a lake: what the night reads, without decoding an event.

Rates are those of a retail bank and do not change over the years: a client makes fifty postings a year. A
night's facts are one append, as the seal makes them. The same seed gives the same rows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb

from lifecycle import app

FIRST_DAY = dt.date(2021, 1, 1)
POSTINGS_A_YEAR = 50

POSTED = "bank.account.transaction_posted.v1"
SNAPSHOT = "bank.account.balance_snapshot.v1"

_RANDOM = """
create or replace macro r(a, b) as (hash(a::varchar || '|' || b) % 1000003) / 1000003.0;
create or replace macro client_of(n) as 'C' || lpad(n::varchar, 7, '0');
"""

_CLIENTS = """
create table clients as
select n, client_of(n) as client, 'A' || lpad(n::varchar, 7, '0') as account_id,
       r(n, 'kind') < 0.1 as company, 4000 + 20000 * r(n, 'income') as income,
       2 + (26 * r(n, 'payday'))::int as payday, r(n, 'size') as size
from range({clients}) as t(n)
"""

# Everyone has a monthly inflow and a monthly rent (companies: wages); the rest is spread over the days.
_POSTINGS = """
create table postings as
with months as (
    select (date '{first}' + to_months(m::int))::date as month from range({months}) as t(m)
), regular as (
    select c.n, c.client, c.account_id, (month + to_days(c.payday))::date as business_date,
           'CRDT' as side, round(c.income * case when company then 3 else 1 end, 2) as amount,
           case when company then 'GDDS' else 'SALA' end as purpose,
           case when company then 'payer-' || (n % 5) else 'employer-' || (n % 977) end as partner,
           null as mcc, false as cash, 1 as kind
    from clients c, months
    union all
    select c.n, c.client, c.account_id, (month + to_days(1 + c.payday // 2))::date,
           'DBIT', round(c.income * 0.3, 2), case when company then 'SALA' else 'RENT' end,
           case when company then 'worker-' else 'landlord-' end || (n % 4001), null, false, 2
    from clients c, months
), random as (
    select c.n, c.client, c.account_id, (date '{first}' + (k * {step} + {step} * r(n * 4001 + k, 'day'))::int)::date,
           case when r(n * 4001 + k, 'side') < 0.15 then 'CRDT' else 'DBIT' end,
           round(10 + c.income * 0.12 * r(n * 4001 + k, 'amount'), 2),
           null, 'shop-' || (hash(n * 4001 + k) % 20011),
           ['5411', '5812', '4900', '8211', '5541', '7995'][1 + (hash(k * 977 + n) % 6)::int],
           r(n * 4001 + k, 'cash') < 0.05, 3
    from clients c, range({random}) as t(k)
)
select *, row_number() over (order by business_date, n, kind, amount) as position
from (select * from regular union all select * from random)
where business_date < date '{end}'
order by business_date, position
"""

_BALANCES = """
create table balances as
select position, 2000 + sum(case when side = 'CRDT' then amount else -amount end)
    over (partition by account_id order by business_date, position) as balance
from postings order by position
"""

_COMMON = """
    '{kind}-' || {key} as event_id, '/bulk' as source, {client} as subject, {client} as client,
    ({day}::timestamp + interval '{hour} hours')::timestamptz as time,
    ({day}::timestamp + interval '{hour} hours')::timestamptz as recordedtime,
    'bulk' as topic, 0 as partition, {position} as kafka_offset, {position} as position, 0 as seal_id,
    {day} as business_date
"""


def common(
    kind: str, key: str, day: str, position: str, *, client: str = "client", hour: int = 4
) -> str:
    """The columns of every event table."""
    return _COMMON.format(kind=kind, key=key, client=client, day=day, position=position, hour=hour)


def make(folder: Path, clients: int, days: int, note: Callable[[str], None]) -> int:
    """Write the bank into a lake in `folder`; the number of its postings."""
    connection = duckdb.connect(":memory:")
    connection.execute("set timezone = 'UTC'; set preserve_insertion_order = true")
    connection.execute(_RANDOM)
    connection.execute(_CLIENTS.format(clients=clients))
    random = round(days / 365 * (POSTINGS_A_YEAR - 24))
    end = FIRST_DAY + dt.timedelta(days=days)
    connection.execute(
        _POSTINGS.format(
            first=FIRST_DAY, months=days // 28 + 1, end=end, random=random, step=days / random
        )
    )
    connection.execute(_BALANCES)
    note("postings made")
    for name, query in _once(connection, days):
        app.append_table_to_lake(folder, name, query.to_arrow_table())
    _nightly(connection, folder, days, note)
    (count,) = connection.execute("select count(*) from postings").fetchone() or (0,)
    return int(count)


def _nightly(
    connection: duckdb.DuckDBPyConnection, folder: Path, days: int, note: Callable[[str], None]
) -> None:
    """Postings and closing balances, an append a day as the nights' seals make them."""
    for lived in range(days):
        day = FIRST_DAY + dt.timedelta(days=lived)
        for name, text in ((POSTED, _POSTED), (SNAPSHOT, _SNAPSHOTS)):
            rows = connection.sql(text.format(day=day)).to_arrow_table()
            app.append_table_to_lake(folder, name, rows)
        if lived % 100 == 0:
            note(f"sealed up to {day}")


_POSTED = f"""
select {common("t", "position", "business_date", "position")},
       'CNY' as currency, account_id, 'T' || position as transaction_id, amount,
       side as credit_debit_indicator, (business_date + interval '4 hours')::timestamptz as booking_datetime,
       'BOOK' as status, 'CUSTOMER' as initiator, cash as is_cash, false as is_cross_border,
       false as reversal, purpose, mcc, balance as balance_after,
       {{{{'name_hash': partner, 'account_hash': null, 'bank_id': null, 'country': 'CN', 'type': 'ORGANISATION'}}}} as counterparty
from postings join balances using (position) where business_date = date '{{day}}'
order by position
"""

_SNAPSHOTS = f"""
select {common("s", "max(position)", "any_value(business_date)", "max(position)", client="any_value(client)", hour=15)},
       'CNY' as currency, account_id, 'CLBD' as balance_type, abs(arg_max(balance, position)) as amount,
       case when arg_max(balance, position) < 0 then 'DBIT' else 'CRDT' end as credit_debit_indicator
from postings join balances using (position) where business_date = date '{{day}}'
group by account_id order by max(position)
"""

_LINES = {
    "revenue": 36,
    "cogs": 20,
    "sga": 8,
    "depreciation": 1,
    "ebit": 7,
    "net_income": 5,
    "cfo": 6,
    "cash": 4,
    "receivables": 5,
    "inventory": 3,
    "current_assets": 13,
    "ppe": 9,
    "total_assets": 24,
    "payables": 3,
    "current_liabilities": 6,
    "total_liabilities": 11,
    "retained_earnings": 7,
    "equity": 13,
}
_PAID = "{'principal': '1000', 'interest': '100', 'penalty': '0', 'fees': '0'}"
_STATEMENT = (
    "{"
    + ", ".join(
        f"'{name}': round(income * {months} * (1 - 0.06 * y), 0)::varchar"
        for name, months in _LINES.items()
    )
    + "}"
)
"""A year of a company in units of its monthly inflow: an ordinary one, the year before a little smaller."""


def _once(
    connection: duckdb.DuckDBPyConnection, days: int
) -> Iterator[tuple[str, duckdb.DuckDBPyRelation]]:
    """What comes once in a client's life, or a few times."""
    first = f"date '{FIRST_DAY}'"
    loans, wide = "n % 10 = 3", "n * 1000"
    months = days // 31
    last = f"date '{FIRST_DAY + dt.timedelta(days=days - 40)}'"
    texts = {
        "bank.client.registered.v1": f"""
            select {common("r", "n", first, "n", hour=1)}, client as client_id,
                   case when company then 'CORPORATE' else 'INDIVIDUAL' end as client_type,
                   date '1960-01-01' + (n % 14000)::int as birth_date, 'C13' as industry_code,
                   'CN' as nationality, 'n-' || n as name_hash from clients order by n""",
        "bank.account.opened.v1": f"""
            select {common("o", "n", first, "n", hour=2)}, 'CNY' as currency, account_id,
                   'CACC' as account_type, {first} as opened_date,
                   [{{'client_id': client, 'role': 'OWNER'}}] as parties from clients order by n""",
        "bank.client.kyc_updated.v1": f"""
            select {common("k", "n", last, "n")}, client as client_id, 'STANDARD' as kyc_level,
                   {last}::timestamptz as reviewed_at, {last} + 700 as next_review_date, false as pep,
                   false as sanctions_hit from clients order by n""",
        "bank.client.profile_declared.v1": f"""
            select {common("d", "n", last, "n")}, 'CNY' as currency, client as client_id,
                   round(income * (0.8 + 0.5 * r(n, 'said')), 0) as declared_income_monthly,
                   50000 as assets, 10000 as debts, 2 as household_size,
                   'employer-' || (n % 977) as employer from clients where not company and n % 2 = 0 order by n""",
        "bank.consent.granted.v1": f"""
            select {common("g", "n || purpose", first, "n", hour=3)}, client as client_id,
                   'G' || n || purpose as consent_id, purpose, 'CONSENT' as legal_basis,
                   {first}::timestamptz + interval '3 hours' as granted_at, '1' as text_version
            from clients, unnest(['P2_PROFILE', 'P6_SENSITIVE']) as t(purpose)
            where r(n, purpose) < 0.7 order by n, purpose""",
        "bank.risk_tolerance.assessed.v1": f"""
            select {common("a", "n", last, "n")}, client as client_id, 'Q' || n as assessment_id, 50 as score,
                   'C3' as level, {last} + 365 as valid_until from clients
            where not company and n % 5 < 2 order by n""",
        "bank.product.sold.v1": f"""
            select {common("p", "n", last, "n")}, 'CNY' as currency, client as client_id,
                   'S' || n as sale_id, 'MM-1' as product_id, 'R1' as product_risk, 8000 as amount
            from clients where n % 5 = 1 order by n""",
        "bank.interaction.logged.v1": f"""
            select {common("i", "n", last, "n")}, client as client_id, 'I' || n as interaction_id,
                   'CALL' as type, ['SAVINGS'] as topics, 'APP' as channel from clients order by n""",
        "bank.credit.disbursed.v1": f"""
            select {common("l", "n", first, "n", hour=5)}, 'CNY' as currency, 'F' || n as facility_id,
                   client as client_id, 1 as tranche_no, 60000 as amount, account_id as to_account_id,
                   'SELF' as payment_mode from clients where {loans} order by n""",
        "bank.credit.repayment_due.v1": f"""
            select {common("u", "n || '-' || m", "day", f"{wide} + m")}, 'CNY' as currency,
                   'F' || n as facility_id, m as instalment_no, day as due_date, 1000 as principal,
                   1100 as total from
            (select *, ({first} + to_months(m::int))::date as day from clients, range(1, {months}) as t(m)
             where {loans}) order by n, m""",
        "bank.credit.repayment_made.v1": f"""
            select {common("v", "n || '-' || m", "day", f"{wide} + m", hour=6)}, 'CNY' as currency,
                   'F' || n as facility_id, 'V' || n || '-' || m as payment_id, 1100 as amount,
                   {_PAID} as allocation from
            (select *, ({first} + to_months(m::int))::date as day from clients, range(1, {months}) as t(m)
             where {loans} and not (n % 200 = 3 and m > {months} - 4)) order by n, m""",
        "bank.client.financial_statement_filed.v1": f"""
            select {common("f", "n || '-' || y", last, "n * 10 + y")}, 'CNY' as currency,
                   client as client_id, {last} - 60 - 365 * y::int as period_end, 1 as version,
                   {last} as filed_at, {_STATEMENT} as statement
            from clients, range(2) as t(y) where company order by n, y""",
    }
    for name, text in texts.items():
        yield name, connection.sql(text)
