-- The attributes of lifecycle/clients/attributes as one script for DuckDB, written by hand: what the
-- product's expressions are measured against. One row a client and attribute, in `profile`.
--
-- $folder is a folder of folders of event tables, $day the business date, $as_of the instant it is over,
-- $month_end the first day after the last closed month; the other names are figures of rules/*.yaml.
-- `catalogue` is given: (name, unit, purpose, confidence, persons, companies, needs_profile, needs_sensitive).
-- Facts of relations, bureaus, applications, inquiries, lines, complaints, needs and assignments are not
-- read: a bank with such facts is refused before.

create macro facts(kind) as table
    select * from read_parquet('$folder/*/' || kind || '/*.parquet')
    where time < timestamptz '$as_of' and recordedtime <= timestamptz '$as_of';

-- A fact as a source: sorted, the newest come first, and of equally old ones the smaller id.
create macro fact(instant, event) as {age: -epoch_us(instant), id: event};
create macro found(value, facts) as {
    value: value::varchar,
    sources: list_transform(facts[:20], lambda f: f.id),
    source_time: make_timestamptz(-facts[1].age)
};
create macro combined(value, one, other) as {
    value: value,
    sources: list_sort(list_distinct(one.sources[:10] || other.sources[:10])),
    source_time: greatest(one.source_time, other.source_time)
};
create macro nudged(value, digit) as
    value + sign(value) * least(abs(value) * 4e-16 + 1e-6 * digit, digit / 10);
create macro units(value) as round(nudged(value, 1.0::double), 0)::decimal(38, 0)::varchar;
create macro tenths(value) as round(nudged(value, 0.1::double), 1)::decimal(38, 1)::varchar;
create macro cents(value) as round(nudged(value, 0.01::double), 2)::decimal(38, 2)::varchar;
create macro shares(value) as round(nudged(value, 0.0001::double), 4)::decimal(38, 4)::varchar;
create macro ratio(above, below) as case when below > 0 then above / below end;

-- Clients ------------------------------------------------------------------------------------------

create temp table accounts as
select client, account_id, account_type, currency, opened_date, parties, event_id, time, closed_date
from facts('bank.account.opened.v1')
left join (
    select account_id, min(closed_date) as closed_date from facts('bank.account.closed.v1') group by all
) using (account_id);

-- The newest consent that was given for a purpose, unless it ended since.
create temp table consents as
with given as (
    select client_id, purpose, max(granted_at) as given_at,
        arg_max({until: expires_at}, (granted_at, event_id)).until as expires_at
    from facts('bank.consent.granted.v1') where granted_at <= timestamptz '$as_of' group by all
)
select client_id, bool_or(purpose = 'P2_PROFILE') as profile, bool_or(purpose = 'P6_SENSITIVE') as sensitive
from given
anti join facts('bank.consent.withdrawn.v1') taken
    on taken.client_id = given.client_id and taken.purpose = given.purpose
    and taken.withdrawn_at between given.given_at and timestamptz '$as_of'
where coalesce(expires_at > timestamptz '$as_of', true)
group by all;

-- `months` counts the closed months a client was there from the first day of.
create temp table clients as
with began as (
    select client, arg_min({day: opened_date, id: event_id, time: time, currency: currency},
        (opened_date, time, event_id)) as opened
    from accounts group by all
)
select client_id, client_type, fact(r.time, r.event_id) as registration, coalesce(birth_date, incorporation_date) as born,
    industry_code, id_expiry, id_check, rm_id, phone_hash, address_hash, device_hash,
    opened, opened.currency as home,
    date_diff('month', opened.day + (day(opened.day) > 1)::int * interval 1 month, date '$month_end') as months,
    coalesce(profile, false) as profile, coalesce(sensitive, false) as sensitive
from facts('bank.client.registered.v1') r
left join began on began.client = r.client_id
left join consents using (client_id);

-- Entries ------------------------------------------------------------------------------------------

create macro booked() as table
    select *, credit_debit_indicator = 'CRDT' as credit,
        coalesce(counterparty.name_hash, counterparty.account_hash) as partner,
        coalesce(merchant_details.merchant_category_code, mcc) as category
    from facts('bank.account.transaction_posted.v1') posted
    anti join facts('bank.account.transaction_reversed.v1') reversed
        on reversed.account_id = posted.account_id and reversed.original_transaction_id = posted.transaction_id
    where status = 'BOOK' and not reversal;

-- Only who has two accounts can move money between them.
create temp table own_transfers as
with several as (
    select client from accounts group by all having count(distinct account_id) > 1
), entries as (
    select client, event_id, account_id, currency, amount, credit, business_date,
        coalesce(counterparty.type = 'OWN', false) as named
    from booked() semi join several using (client)
    where initiator <> 'BANK' and not is_cash
)
select distinct one.event_id
from entries one join entries other on one.client = other.client and one.amount = other.amount
    and one.currency = other.currency and one.account_id <> other.account_id
    and one.credit <> other.credit
    and abs(one.business_date - other.business_date) <= $own_transfer_days
where not one.named;

create macro customer_entries() as table
    select * from booked() anti join own_transfers using (event_id)
    where initiator <> 'BANK' and not coalesce(counterparty.type = 'OWN', false);

-- What all windows need. `ago` counts months back: 1 is the month closed last; `whole` says that the
-- client was there from the first day of the first one.
create temp table entries as
select client, fact(time, event_id) as fact, business_date, credit, amount, amount::double as number,
    partner, is_cash, is_cross_border,
    date_diff('month', business_date, date '$month_end') as ago, ago between 1 and months as whole,
    not coalesce(credit and purpose in $flow_excluded_credit_purposes
        or purpose in $flow_excluded_purposes, false) as flow,
    coalesce(case when purpose in $income_purposes then purpose end, partner) as payer,
    coalesce(purpose in $payroll_purposes, false) as wage,
    coalesce(purpose in $tax_purposes, false) as tax,
    coalesce(purpose in $essential_purposes or category in $essential_categories, false) as essential,
    coalesce(category in $tuition_categories, false) as tuition,
    coalesce(client_type = 'CORPORATE', false) as company
from customer_entries() left join clients on client_id = client
where business_date >= least(
    (date '$month_end' - interval 1 year)::date,
    date '$day' - greatest($cash_days, $tuition_days, $concentration_days) + 1);

-- Flows --------------------------------------------------------------------------------------------

create temp table months as
select client, ago, sum(amount) filter (credit) as inflow, sum(amount) filter (not credit) as outflow,
    sum(number) filter (not credit and essential and ago <= $flow_months) as essential
from entries where flow and whole and ago <= 12 group by all;

create temp table flows as
with sums as (
    select client,
        sum(inflow) filter (ago <= 1)::double as in_1, sum(outflow) filter (ago <= 1)::double as out_1,
        sum(inflow) filter (ago <= 3)::double as in_3, sum(outflow) filter (ago <= 3)::double as out_3,
        sum(inflow) filter (ago <= 6)::double as in_6, sum(outflow) filter (ago <= 6)::double as out_6,
        sum(inflow)::double as in_12, sum(outflow)::double as out_12,
        sum(inflow::double * inflow::double) filter (ago <= $stability_months) as squares,
        max(inflow)::double as peak, median(essential) as essential
    from months group by all
), listed as (
    select client, list_sort(list({age: fact.age, id: fact.id, ago: ago, credit: credit})) as all_12,
        list_sort(list(fact) filter (not credit and essential and ago <= $flow_months)) as essentials,
        list_sort(list(fact) filter (company and not credit and wage and ago <= $regular_months)) as wages,
        count(distinct ago) filter (company and not credit and wage and ago <= $regular_months) as wage_months,
        list_sort(list(fact) filter (company and not credit and wage and ago = 1 and partner is not null))
            as newest_wages,
        count(distinct partner) filter (company and not credit and wage and ago = 1) as payees,
        list_sort(list(fact) filter (company and not credit and tax and ago <= $regular_months)) as taxes,
        count(distinct ago) filter (company and not credit and tax and ago <= $regular_months) as tax_months
    from entries where flow and whole and ago <= 12 group by all
), split as (
    select *, list_filter(all_12, lambda f: f.ago <= 6) as all_6,
        list_filter(all_12, lambda f: f.credit) as credits_12,
        list_filter(all_12, lambda f: not f.credit) as debits_12
    from listed
), halved as (
    select *, list_filter(all_6, lambda f: f.ago <= 3) as all_3,
        list_filter(credits_12, lambda f: f.ago <= 6) as credits_6,
        list_filter(debits_12, lambda f: f.ago <= 6) as debits_6
    from split
), quartered as (
    select *, list_filter(credits_6, lambda f: f.ago <= 3) as credits_3,
        list_filter(debits_6, lambda f: f.ago <= 3) as debits_3,
        list_filter(all_3, lambda f: f.ago <= 1) as all_1
    from halved
)
select *, list_filter(credits_3, lambda f: f.ago <= 1) as credits_1,
    list_filter(debits_3, lambda f: f.ago <= 1) as debits_1
from quartered join sums using (client);



create macro ids(facts) as list_transform(facts[:20], lambda f: f.id);
create macro newest(facts) as make_timestamptz(-facts[1].age);
-- Who has none of it has zero, which another fact says.
create macro counted(value, facts, zero, otherwise) as
    case when len(facts) > 0 then found(value, facts) else found(zero, [otherwise]) end;

create temp table flow_attributes as
with means as (
    select *, fact(opened.time, opened.id) as first, least(3, months) as m3, least(6, months) as m6,
        least(12, months) as m12, least($stability_months, months) as m_stable,
        coalesce(in_6, 0) / m6 as mean_6, (coalesce(in_6, 0) - coalesce(out_6, 0)) / m6 as net_6,
        in_12 / m_stable as mean_stable
    from clients left join flows on client = client_id where months > 0
)
select client_id, net_6 as _net,
    counted(cents(in_1), credits_1, '0.00', first) as inflow_monthly_1m,
    counted(cents(in_3 / m3), credits_3, '0.00', first) as inflow_monthly,
    counted(cents(in_6 / m6), credits_6, '0.00', first) as inflow_monthly_6m,
    counted(cents(in_12 / m12), credits_12, '0.00', first) as inflow_monthly_12m,
    counted(cents(out_1), debits_1, '0.00', first) as outflow_monthly_1m,
    counted(cents(out_3 / m3), debits_3, '0.00', first) as outflow_monthly,
    counted(cents(out_6 / m6), debits_6, '0.00', first) as outflow_monthly_6m,
    counted(cents(out_12 / m12), debits_12, '0.00', first) as outflow_monthly_12m,
    counted(cents(coalesce(in_1, 0) - coalesce(out_1, 0)), all_1, '0.00', first) as net_cashflow_1m,
    counted(cents((coalesce(in_3, 0) - coalesce(out_3, 0)) / m3), all_3, '0.00', first) as net_cashflow,
    counted(cents(net_6), all_6, '0.00', first) as net_cashflow_6m,
    counted(cents((coalesce(in_12, 0) - coalesce(out_12, 0)) / m12), all_12, '0.00', first) as net_cashflow_12m,
    case when mean_6 > 0
        then combined(shares(net_6 / mean_6), net_cashflow_6m, inflow_monthly_6m) end as savings_rate,
    case when len(essentials) > 0 then found(cents(essential), essentials) end as essential_outflow_monthly,
    case when m_stable >= $stability_months_least and mean_stable > 0 then found(
        shares(1 - least(sqrt(greatest(squares / m_stable - mean_stable ** 2, 0)) / mean_stable, 1)), credits_12)
    end as income_stability,
    case when m12 >= $stability_months_least and len(credits_12) > 0
        then found(cents(in_12 * 12 / m12), credits_12) end as revenue_observed_12m,
    case when m12 = 12 and in_12 > 0 then found(shares(peak * 12 / in_12), credits_12) end as seasonality_index,
    case when months >= $regular_months and len(wages) > 0
        then found((wage_months = $regular_months)::int, wages) end as payroll_regular,
    case when len(newest_wages) > 0 then found(payees, newest_wages) end as payroll_headcount,
    case when months >= $regular_months and len(taxes) > 0
        then found((tax_months = $regular_months)::int, taxes) end as tax_payment_regular
from means;

drop table flows;

-- Inflows that recur: one payer or purpose, often, at a steady amount and day.
create temp table incomes as
with credits as (
    select client, payer, ago, fact, number, business_date
    from entries where flow and whole and credit and ago <= $income_months and payer is not null
), steady as (
    select client, payer from credits group by all
    having count(*) >= $income_occurrences
        and stddev_pop(number) / avg(number) <= $income_variation_max
        and max(day(business_date)) - min(day(business_date)) <= $income_day_spread_max
), by_month as (
    select client, ago, sum(number) as total, list(fact.id) as ids, min(fact.age) as age
    from credits semi join steady using (client, payer) group by all
), recurring as (
    select client as client_id, median(total) as income, count(*) as months,
        list_sort(flatten(list(ids)))[:20] as sources, make_timestamptz(-min(age)) as source_time
    from by_month group by all
)
select client_id, income as _income,
    {value: cents(income), sources: sources, source_time: source_time} as income_observed_monthly,
    {value: months::varchar, sources: sources, source_time: source_time} as income_months
from recurring;

-- Wages and pensions a person got, ever.
create temp table salaries as
select client, event_id, time, position, business_date, amount::double as number, partner,
    coalesce(partner, purpose) as payer, fact(time, event_id) as fact
from customer_entries() semi join (from clients where client_type = 'INDIVIDUAL') on client_id = client
where credit and purpose in $income_purposes;

create temp table salary_attributes as
with by_payer as (
    select client, payer, min(business_date) as since, max((time, position)) as newest, list(fact) as facts
    from salaries group by all
), job as (
    select client, arg_max({since: since, facts: facts}, newest) as job from by_payer group by all
), recent as (
    select client, count(distinct payer) - 1 as changes, list_sort(list(fact)) as facts,
        arg_max({partner: partner, fact: fact}, (time, position)) filter (partner is not null) as newest
    from salaries where business_date > date '$day' - $payer_days group by all
)
select client as client_id,
    found(date_diff('month', job.since, date '$day') - (day(job.since) > day(date '$day'))::int,
        list_sort(job.facts)) as job_stability_months,
    case when changes is not null then found(changes, recent.facts) end as payer_changes_24m,
    case when newest is not null then found(newest.partner, [newest.fact]) end as salary_payer
from job left join recent using (client);

create temp table window_attributes as
select client as client_id,
    list_sort(list(fact) filter (credit)) as _credits, list_sort(list(fact)) as _all,
    found(shares(coalesce(sum(amount) filter (credit and is_cash), 0)::double
        / sum(amount) filter (credit)::double), _credits) as cash_share,
    found(shares(coalesce(sum(number) filter (is_cross_border), 0) / sum(number)), _all) as cross_border_share
from entries where business_date > date '$day' - $cash_days and amount > 0
group by all;

create temp table tuition as
select client as client_id, list_sort(list(fact)) as paid_tuition
from entries where business_date > date '$day' - $tuition_days and not credit and tuition
group by all;

create temp table exposed as
with abroad as (
    select client, currency, event_id, time, case when credit then amount else -amount end as signed
    from booked() join clients on client_id = client
    where business_date > date '$day' - $cash_days and currency <> home
), nets as (
    select client, currency || ':' || cents(sum(signed)::double) as word, list(fact(time, event_id)) as facts
    from abroad group by client, currency
)
select client as client_id,
    found(array_to_string(list_sort(list(word)), ';'), list_sort(flatten(list(facts)))) as currency_exposure
from nets group by all;

-- Payers and payees of companies.
create temp table partner_attributes as
with around as (
    select * from entries
    where company and flow and not wage and amount > 0 and business_date > date '$day' - $concentration_days
), each as (
    select client, credit, partner, sum(number) as total from around where partner is not null group by all
), concentrated as (
    select client, credit, list_sum(max(total, $largest_partners)) / sum(total) as share from each group by all
), sourced as (
    select client, credit, found(shares(any_value(share)), list_sort(list(fact))) as found
    from around join concentrated using (client, credit) group by all
)
select client as client_id, any_value(found) filter (credit) as customer_concentration,
    any_value(found) filter (not credit) as supplier_concentration
from sourced group by all;

drop table entries;

-- Balances -----------------------------------------------------------------------------------------

create macro closings() as table
    select client, account_id, business_date, event_id, time, position,
        case when credit_debit_indicator = 'DBIT' then -amount else amount end as balance
    from facts('bank.account.balance_snapshot.v1') where balance_type = 'CLBD';

create temp table recent_closings as
with before as (
    select unnest(arg_max(c, (business_date, time, position)), max_depth := 2)
    from (from closings() where business_date < date '$day' - $balance_days + 1) c group by c.account_id
)
from closings() where business_date >= date '$day' - $balance_days + 1
union all from before;

-- Closing balances as spans of unchanged balance, none of which outlasts its account.
create temp table spans as
with daily as (
    select *, coalesce(lead(business_date) over (partition by account_id order by business_date),
        date '$day' + 1) as followed
    from (from recent_closings
        qualify row_number() over (partition by account_id, business_date order by time desc, position desc) = 1)
)
select client, account_id, event_id, time, balance, business_date,
    greatest(business_date, date '$day' - $balance_days + 1) as start,
    least(followed, coalesce(closed_date, followed)) as until
from daily left join (select account_id, closed_date from accounts) using (account_id);

create temp table newest_balances as
select account_id, account_type,
    unnest(arg_max({client: spans.client, balance: balance, event_id: spans.event_id, time: spans.time}, business_date))
from spans join accounts using (account_id) where accounts.closed_date is null
group by account_id, account_type;

-- A client's days: spans of an unchanged sum over the accounts, `red` of them overdrawn.
create temp table days as
with changes as (
    select client, start as day, balance as change, 1 as opened, (balance < 0)::int as red from spans where until > start
    union all
    select client, until, -balance, -1, -(balance < 0)::int from spans where until > start
), daily as (
    select client, day, sum(change) as change, sum(opened) as opened, sum(red) as red from changes group by all
), running as (
    select client, day as start, lead(day) over w as until, sum(change) over w as balance,
        sum(opened) over w as accounts, sum(red) over w as red
    from daily window w as (partition by client order by day)
)
select client, start, until, until - start as days, balance::double as balance, red,
    start - (date '$day' - $balance_days + 1) as nth
from running where accounts > 0;

create temp table day_attributes as
with means as (
    select client, sum(balance * days) / sum(days) as mean, sum(days) as n, sum(days) filter (red > 0) as red
    from days group by all
), spread as (
    select client, sqrt(sum(days * (balance - mean) ** 2) / any_value(n)) as deviation
    from days join means using (client) group by all
), ordered as (
    select client, balance, sum(days) over (partition by client order by balance, start) as through, 0.1 * (n - 1) as place
    from days join means using (client)
), tenth as (
    select client, min(balance) filter (through > floor(place)) as low, min(balance) filter (through > ceil(place)) as high,
        any_value(place - floor(place)) as part
    from ordered group by all
), logs as (
    select client, days as k, ln(balance) as y, days * nth + days * (days - 1) / 2 as x,
        days * nth * nth + nth * days * (days - 1) + (days - 1) * days * (2 * days - 1) / 6 as xx
    from days where balance > 0
), sloped as (
    select client, sum(x * y) / sum(k) - sum(x) / sum(k) * sum(k * y) / sum(k) as covariance,
        sum(xx) / sum(k) - (sum(x) / sum(k)) ** 2 as variance, sum(k) as n
    from logs group by all
), sources as (
    select client, list_sort(list(fact(time, event_id))) as facts,
        list_sort(list(fact(time, event_id)) filter (balance < 0)) as below,
        arg_min({balance: balance, fact: fact(time, event_id)}, (balance, fact(time, event_id))) as lowest
    from spans where until > start group by all
)
select client as client_id, mean as _mean, facts as _spans,
    case when variance > 0 and sloped.n >= $trend_days_least
        then found(shares(covariance / variance * $balance_days), facts) end as aum_trend,
    found(cents(lowest.balance), [lowest.fact]) as min_balance_90d,
    case when mean > 0 and means.n > 1 then found(shares(deviation / mean), facts) end as balance_cv_90d,
    found(cents(low + (high - low) * part), facts) as balance_p10_90d,
    {
        value: coalesce(red, 0)::varchar,
        sources: ids(coalesce(below, facts[:1])),
        source_time: newest(facts)
    } as overdraft_days_90d
from means join spread using (client) join tenth using (client) join sources using (client)
left join sloped using (client);

create temp table gone as
with paid as (
    select client, unnest(arg_max({paid_on: business_date, number: number, fact: fact}, (time, position)))
    from salaries where business_date > date '$day' - $balance_days group by client
)
select client as client_id,
    found(min(greatest(start, paid_on)) - any_value(paid_on), [any_value(fact)]) as salary_to_zero_days
from days join paid using (client)
where until > paid_on and balance < number * $salary_left_share
group by all;

-- In the arithmetic of the product: what floats are off by says which gap is the largest.
create temp table told as
select client, account_id, business_date, time, position, event_id, balance_after::double as balance,
    amount::double * case when credit_debit_indicator = 'DBIT' then -1.0 else 1.0 end::double as signed
from facts('bank.account.transaction_posted.v1')
where status = 'BOOK' and balance_after is not null and business_date > date '$day' - $balance_days;

create temp table gaps as
with chained as (
    select client, fact(time, event_id) as fact,
        abs(lag(balance) over (partition by account_id order by time, position) + signed - balance) as gap
    from told
), chains as (
    select client, arg_min({gap: gap, fact: fact}, {gap: -gap, fact: fact}) as chain
    from chained where gap is not null group by all
), lasts as (
    select account_id, business_date,
        unnest(arg_max({client: client, balance: balance, fact: fact(time, event_id)}, (time, position)))
    from told group by account_id, business_date
), closed as (
    select lasts.client, fact, abs(lasts.balance - spans.balance::double) as gap
    from lasts join spans using (account_id, business_date)
), closings as (
    select client, arg_min({gap: gap, fact: fact}, {gap: -gap, fact: fact}) as closing from closed group by all
)
select client as client_id,
    case when chain is not null then found(cents(chain.gap), [chain.fact]) end as balance_chain_gap,
    case when closing is not null then found(cents(closing.gap), [closing.fact]) end as balance_snapshot_gap
from chains full join closings using (client);

drop table told;

-- Products -----------------------------------------------------------------------------------------

create temp table holdings as
with sold as (
    from facts('bank.product.sold.v1') anti join facts('bank.product.matured.v1') using (sale_id)
    qualify row_number() over (partition by sale_id order by time desc, position desc) = 1
), taken as (
    select sale_id, sum(amount) as taken, bool_or(complete) as complete
    from facts('bank.product.redeemed.v1') group by all
)
select client_id, product_id, product_risk, amount - coalesce(taken, 0) as held, event_id, time,
    split_part(product_id, '-', 1) as prefix
from sold left join taken using (sale_id)
where not coalesce(complete, false) and held > 0;

create temp table loans as
with drawn as (
    select facility_id, max(client_id) as client_id, sum(amount) as lent,
        arg_max({event_id: event_id, time: time}, (time, position)) as newest
    from facts('bank.credit.disbursed.v1') anti join facts('bank.credit.settled.v1') using (facility_id)
    group by all
), paid as (
    select facility_id, sum(amount) as paid from facts('bank.credit.repayment_made.v1') group by all
), due as (
    select facility_id, due_date, instalment_no, event_id, time, sum(total) over (
        partition by facility_id order by due_date, instalment_no, event_id rows unbounded preceding) as running
    from facts('bank.credit.repayment_due.v1') where due_date <= date '$day'
), unpaid as (
    select facility_id, arg_min({day: due_date, event_id: event_id, time: time},
        (due_date, instalment_no, event_id)) as oldest
    from due left join paid using (facility_id)
    where running > coalesce(paid, 0) + 0 group by all
)
select facility_id, client_id, lent - coalesce(paid, 0) as outstanding,
    greatest(coalesce(date '$day' - oldest.day, 0), 0) as dpd,
    fact(coalesce(oldest.time, newest.time), coalesce(oldest.event_id, newest.event_id)) as fact,
    case when dpd > $dpd_stage_3 then 3 when dpd > $dpd_stage_2 or dpd > $dpd_technical then 2 else 1 end as stage,
    case when dpd > $dpd_loss then 4 when dpd > $dpd_doubtful then 3 when dpd > $dpd_substandard then 2
        when dpd > $dpd_technical then 1 else 0 end as tier
from drawn left join paid using (facility_id) left join unpaid using (facility_id);

create temp table loan_attributes as
with instalments as (
    select facility_id, unnest(arg_max({client: client, total: total, fact: fact(time, event_id)}, (time, position)))
    from facts('bank.credit.repayment_due.v1') anti join facts('bank.credit.settled.v1') using (facility_id)
    where due_date <= date '$day' group by facility_id
), owed as (
    select client_id, list_sort(list(fact)) as facts, sum(outstanding)::double as outstanding, max(dpd) as dpd,
        max(stage) as stage, max(tier) as tier
    from loans group by all
), paid as (
    select client as client_id, sum(total)::double as instalments, list_sort(list(fact)) as payments
    from instalments group by all
)
select client_id, registration, coalesce(instalments, 0) as _instalments,
    counted(cents(outstanding), facts, '0.00', registration) as exposures,
    case when dpd is not null then found(dpd, facts) end as days_past_due,
    case when dpd is not null then found(stage, facts) end as stage,
    case when dpd is not null then
        found(['PASS', 'SPECIAL_MENTION', 'SUBSTANDARD', 'DOUBTFUL', 'LOSS'][tier + 1], facts) end as five_tier,
    counted(cents(instalments), payments, '0.00', registration) as instalments_monthly,
    found(0, [registration]) as credit_inquiries_6m,
    found(0, [registration]) as open_complaints,
    counted(len(paid_tuition), paid_tuition, 0, registration) as tuition_payments_12m
from clients left join owed using (client_id) left join paid using (client_id) left join tuition using (client_id);

-- Money pays the oldest first: an instalment is paid when the sum of payments reaches that of instalments.
create temp table late as
with owed as (
    select client, facility_id, fact(time, event_id) as fact, due_date, sum(total) over (
        partition by facility_id order by due_date, instalment_no, event_id rows unbounded preceding) as running
    from facts('bank.credit.repayment_due.v1') where due_date <= date '$day'
), made as (
    select facility_id, business_date as paid_on, sum(amount) over (
        partition by facility_id order by business_date, time, event_id rows unbounded preceding) as paid
    from facts('bank.credit.repayment_made.v1')
), each as (
    select client, fact, coalesce(paid_on, date '$day') as paid_on, coalesce(paid_on, date '$day') - due_date as days
    from owed asof left join made on owed.facility_id = made.facility_id and made.paid >= owed.running - 0.005
), worst as (
    select client, arg_min({days: days, fact: fact}, {days: -days, fact: fact}) as worst
    from each where paid_on > date '$day' - $missed_days and days > 0 group by all
), lent as (
    select client, arg_min(fact(time, event_id), fact(time, event_id)) as loan
    from facts('bank.credit.disbursed.v1') group by all
)
select client as client_id,
    counted(worst.days, case when worst is not null then [worst.fact] end, 0, loan) as max_dpd_12m
from lent left join worst using (client);

create temp table proceeds as
with lent as (
    select client, arg_max(business_date, (time, position)) as lent_on
    from facts('bank.credit.disbursed.v1') where payment_mode = 'SELF' group by all
), largest as (
    select client, arg_min({payee: counterparty.type, fact: fact(time, event_id)},
        {amount: -amount, id: event_id}) as largest
    from booked() join lent using (client)
    where not credit and counterparty.type <> 'OWN' and business_date - lent_on between 0 and $proceeds_days
    group by all
)
select client as client_id, found(largest.payee, [largest.fact]) as loan_payee_type from largest;

create temp table loan_purposes as
with newest as (
    select client, arg_max({code: declared_purpose_code, fact: fact(time, event_id)}, (time, position)) as newest
    from facts('bank.credit.disbursed.v1') where declared_purpose_code is not null group by all
)
select client as client_id, found(newest.code, [newest.fact]) as loan_purpose from newest;

create temp table asset_attributes as
with parts as (
    select client as client_id, coalesce(($account_asset_classes)[account_type], 'OTHER') as class,
        balance::double as amount, fact(time, event_id) as fact, true as deposited
    from newest_balances
    union all
    select client_id, coalesce(($product_asset_classes)[prefix], 'OTHER'), held::double, fact(time, event_id), false
    from holdings
), classes as (
    select client_id, class, sum(amount) as amount from parts where amount > 0 group by all
), totals as (
    select client_id, sum(amount) as total from classes group by all
), weights as (
    select client_id, array_to_string(list_sort(list(class || ':' || shares(amount / total))), ';') as weights,
        sum((amount / total) ** 2) as hhi
    from classes join totals using (client_id) group by all
), sums as (
    select client_id, sum(amount) as aum, list_sort(list(fact)) as facts,
        sum(amount) filter (deposited) as deposits, list_sort(list(fact) filter (deposited)) as deposited,
        sum(amount) filter (not deposited) as held,
        max(amount) filter (amount > 0) / sum(amount) filter (amount > 0) as largest,
        list_sort(list(fact) filter (amount > 0)) as owned
    from parts group by all
)
select client_id, held as _held, deposits as _deposits, found(deposits, deposited) as _deposited,
    found(cents(aum), facts) as aum,
    case when owned is not null then found(weights, owned) end as asset_class_weights,
    case when owned is not null then found(shares(hhi), owned) end as hhi,
    case when owned is not null then found(shares(largest), owned) end as largest_product_share
from sums left join weights using (client_id);

create temp table product_attributes as
with had as (
    select client as client_id, account_type as word, fact(time, event_id) as fact from accounts where closed_date is null
    union all
    select client, 'CARD', fact(time, event_id)
    from facts('bank.card.issued.v1') anti join facts('bank.card.blocked.v1') using (card_id)
    union all
    select client, 'LOAN', fact(time, event_id)
    from facts('bank.credit.disbursed.v1') anti join facts('bank.credit.settled.v1') using (facility_id)
    union all
    select client_id, coalesce(($product_categories)[prefix], 'OTHER'), fact(time, event_id) from holdings
), kinds as (
    select client_id, list_sort(list(distinct word)) as words, list_sort(list(fact)) as facts from had group by all
)
select client_id, found(array_to_string(words, ';'), facts) as product_set,
    found(len(words), facts) as wallet_breadth
from kinds;

-- Who else owns or may use an open account, when it was opened and since then.
create temp table persons as
with opened as (from accounts where closed_date is null), named as (
    select account_id, client, event_id, time, unnest(parties, recursive := true) from opened
    union all
    select account_id, client, event_id, time, client_id, role
    from facts('bank.account.party_added.v1') semi join opened using (account_id)
), still as (
    select client, event_id, time from named
    anti join facts('bank.account.party_removed.v1') gone
        on gone.account_id = named.account_id and gone.client_id = named.client_id
        and gone.role = named.role and gone.time >= named.time
    where named.client_id <> named.client
), each as (
    select client, event_id, time, 0 as others from opened union all select *, 1 from still
), facts as (
    select client, fact(time, event_id) as fact, max(others) as others from each group by all
)
select client as client_id, found(max(others), list_sort(list(fact))) as has_second_person
from facts group by all;

create temp table invested as
with assessed as (
    select client_id, unnest(arg_max({level: level, valid_until: valid_until, fact: fact(time, event_id)}, (time, position)))
    from facts('bank.risk_tolerance.assessed.v1') group by client_id
), rated as (
    select client_id, product_id, unnest(arg_max({to_risk: to_risk, rated_at: time, rated_by: event_id}, (time, position)))
    from facts('bank.product.rating_changed.v1') where effective_date <= date '$day' group by client_id, product_id
), risks as (
    select h.client_id, coalesce(to_risk, product_risk) as risk,
        fact(coalesce(rated_at, time), coalesce(rated_by, event_id)) as fact
    from holdings h left join rated r
        on r.client_id = h.client_id and r.product_id = h.product_id and r.rated_at >= h.time
), riskiest as (
    select client_id, max(risk) as risk, min(fact) filter (risk = top) as fact
    from (select *, max(risk) over (partition by client_id) as top from risks) group by all
), first_sale as (
    select client as client_id, arg_min({day: business_date, fact: fact(time, event_id)}, (business_date, time, event_id)) as first
    from facts('bank.product.sold.v1') group by all
)
select client_id,
    case when valid_until >= date '$day' then found(level, [assessed.fact]) end as risk_tolerance,
    case when level is not null then found(valid_until - date '$day', [assessed.fact]) end as tolerance_days_to_expiry,
    case when risk is not null then found(risk, [riskiest.fact]) end as product_risk_max,
    case when first is not null
        then found(tenths((date '$day' - first.day) / 365.25), [first.fact]) end as investment_experience_observed
from assessed full join riskiest using (client_id) full join first_sale using (client_id);

-- Identity, declarations and contacts ------------------------------------------------------------------

create temp table identities as
with tenures as (
    select client, max(date '$day' - opened_date) as days, list_sort(list(fact(time, event_id))) as facts
    from accounts group by all
), reviewed as (
    select client, unnest(arg_max({kyc_level: kyc_level, next_review_date: next_review_date,
        review: fact(time, event_id)}, (time, position)))
    from facts('bank.client.kyc_updated.v1') group by client
), shared as (
    select client_id, greatest(
        case when phone_hash is not null then count(*) over (partition by phone_hash) - 1 end,
        case when address_hash is not null then count(*) over (partition by address_hash) - 1 end,
        case when device_hash is not null then count(*) over (partition by device_hash) - 1 end) as others
    from clients
)
select clients.client_id, [registration] as _own,
    case when born is not null then found(
        year(date '$day') - year(born) - (strftime(born, '%m%d') > strftime(date '$day', '%m%d'))::int,
        _own) end as age,
    case when days is not null then found(days, facts) end as tenure_days,
    case when industry_code is not null then found(industry_code, _own) end as industry_code,
    case when ($industry_outlook)[industry_code[1]] is not null
        then found(($industry_outlook)[industry_code[1]], _own) end as industry_outlook,
    case when review is not null then found(kyc_level, [review]) end as kyc_level,
    case when review is not null then found(next_review_date, [review]) end as kyc_next_review,
    case when id_expiry is not null then found(id_expiry, _own) end as id_expiry,
    case when id_check is not null then found(id_check, _own) end as id_check,
    case when rm_id is not null then found(rm_id, _own) end as relationship_manager,
    case when others is not null then found(others, _own) end as shared_contact_clients
from clients left join tenures on tenures.client = client_id
left join reviewed on reviewed.client = client_id
left join shared using (client_id);

-- The newest declaration that says something of a field.
create temp table declarations as
with said as (
    select *, (time, position) as arrival, fact(time, event_id) as fact
    from facts('bank.client.profile_declared.v1')
), newest as (
    select client,
        arg_max({value: declared_income_monthly::double, fact: fact}, arrival)
            filter (declared_income_monthly is not null) as income,
        arg_max({value: pension_estimated_monthly, fact: fact}, arrival)
            filter (pension_estimated_monthly is not null) as pension,
        arg_max({value: household_size, fact: fact}, arrival) filter (household_size is not null) as household,
        arg_max({value: assets, fact: fact}, arrival) filter (assets is not null) as assets,
        arg_max({value: debts, fact: fact}, arrival) filter (debts is not null) as debts,
        arg_max({value: employer, fact: fact}, arrival) filter (employer is not null) as employer,
        arg_max({value: investment_experience_years, fact: fact}, arrival)
            filter (investment_experience_years is not null) as experience,
        arg_max({value: dependants, fact: fact}, arrival) as dependants
    from said group by all
)
select client as client_id, income.value as _declared,
    case when income is not null then found(cents(income.value), [income.fact]) end as income_declared_monthly,
    case when pension is not null then found(cents(pension.value), [pension.fact]) end as pension_estimated_monthly,
    case when household is not null then found(units(household.value), [household.fact]) end as household_size,
    case when assets is not null then found(cents(assets.value), [assets.fact]) end as assets_declared,
    case when debts is not null then found(cents(debts.value), [debts.fact]) end as debts_declared,
    case when employer is not null then found(employer.value, [employer.fact]) end as employer_declared,
    case when experience is not null
        then found(units(experience.value), [experience.fact]) end as investment_experience_declared,
    found(array_to_string(list_sort(list_transform(dependants.value,
        lambda one: year(date '$day') - one.birth_year)), ','), [dependants.fact]) as dependants_ages
from newest;

create temp table contact_attributes as
with contacts as (
    select *, fact(time, event_id) as fact, business_date > date '$day' - $contact_days as recent
    from facts('bank.interaction.logged.v1')
), ever as (
    select client, max(business_date) as last, list_sort(list(fact)) as facts,
        list_sort(list(fact) filter (recent)) as recents, avg(sentiment::double) filter (recent) as mood,
        list_sort(list(fact) filter (recent and sentiment is not null)) as felt,
        list_sort(list_distinct(flatten(list(topics) filter (recent)))) as topics,
        list_sort(list(fact) filter (recent and len(topics) > 0)) as spoken
    from contacts group by all
), channels as (
    select client, channel, count(*) as n from contacts where recent group by all
), mixes as (
    select client, array_to_string(list_sort(list(channel || ':' || shares(n / total))), ';') as mix
    from channels join (select client, sum(n) as total from channels group by all) using (client) group by all
)
select client as client_id, found(last, facts) as last_interaction_at,
    case when recents is not null then found(mix, recents) end as channel_mix,
    case when felt is not null then found(cents(mood), felt) end as sentiment_90d,
    case when spoken is not null then found(array_to_string(topics, ';'), spoken) end as topics_90d
from ever left join mixes using (client);

-- Statements -----------------------------------------------------------------------------------------

-- The newest version of the two newest years of a company.
create temp table statements as
with newest as (
    from facts('bank.client.financial_statement_filed.v1') where filed_at <= date '$day'
    qualify row_number() over (partition by client, period_end order by version desc, position desc) = 1
)
select client as client_id, period_end, fact(time, event_id) as fact,
    row_number() over (partition by client order by period_end desc) as nth,
    statement::struct(
        revenue double, cogs double, sga double, depreciation double, ebit double, interest_expense double,
        net_income double, cfo double, cash double, receivables double, inventory double, current_assets double,
        ppe double, securities double, total_assets double, payables double, current_liabilities double,
        lt_debt double, total_liabilities double, retained_earnings double, equity double) as year
from newest qualify nth <= 2;

create macro margin(year) as ratio(year.revenue - year.cogs, year.revenue);
create macro soft(year) as
    1 - ratio(year.current_assets + year.ppe + coalesce(year.securities, 0), year.total_assets);
create macro worn(year) as ratio(year.depreciation, year.depreciation + year.ppe);
create macro debt(year) as ratio(year.current_liabilities + coalesce(year.lt_debt, 0), year.total_assets);
create macro said(value, facts) as case when value is not null then {
    value: value::varchar, sources: ids(facts), source_time: newest(list_sort(facts))
} end;

create temp table statement_attributes as
with years as (
    select n.client_id, n.year as now, b.year as before, [n.fact] as filed, [n.fact, b.fact] as pair,
        coalesce(industry_code[1] in $financial_industries, false) as financial
    from (from statements where nth = 1) n
    left join (from statements where nth = 2) b
        on b.client_id = n.client_id and year(n.period_end) = year(b.period_end) + 1
    left join clients on clients.client_id = n.client_id
)
select client_id,
    said(cents(now.revenue), filed) as revenue_declared,
    said(tenths(ratio(now.receivables, now.revenue) * 365), filed) as receivable_days,
    said(tenths(ratio(now.inventory, now.cogs) * 365), filed) as inventory_days,
    said(tenths(ratio(now.payables, now.cogs) * 365), filed) as payable_days,
    said(shares(ratio(now.current_assets, now.current_liabilities)), filed) as current_ratio,
    said(shares(ratio(now.ebit, now.interest_expense)), filed) as interest_cover,
    said(shares(ratio(now.total_liabilities, now.total_assets)), filed) as leverage,
    said(shares(ratio(now.ebit, now.revenue)), filed) as operating_margin,
    said(case when not financial then shares(
        6.56 * ratio(now.current_assets - now.current_liabilities, now.total_assets)
        + 3.26 * ratio(now.retained_earnings, now.total_assets)
        + 6.72 * ratio(now.ebit, now.total_assets)
        + 1.05 * ratio(now.equity, now.total_liabilities)) end, filed) as altman_z2,
    said(shares(ratio(now.revenue, before.revenue) - 1), pair) as revenue_growth,
    said(cents(now.cash - before.cash), pair) as statement_cash_change,
    said(case when not financial then shares(
        -4.84
        + 0.92 * ratio(ratio(now.receivables, now.revenue), ratio(before.receivables, before.revenue))
        + 0.528 * ratio(margin(before), margin(now))
        + 0.404 * coalesce(ratio(soft(now), soft(before)), 1)
        + 0.892 * ratio(now.revenue, before.revenue)
        + 0.115 * coalesce(ratio(worn(before), worn(now)), 1)
        - 0.172 * coalesce(ratio(ratio(now.sga, now.revenue), ratio(before.sga, before.revenue)), 1)
        + 4.679 * ratio(now.net_income - now.cfo, now.total_assets)
        - 0.327 * ratio(debt(now), debt(before))) end, pair) as beneish_m
from years;

-- What was in the accounts at the end of a statement's year, less what was at its beginning.
create temp table statement_balances as
with ends as (
    select client_id, 1 as sign, period_end as day from statements where nth = 1
    union all
    select client_id, -1, (period_end - interval 1 year)::date from statements where nth = 1
), last as (
    select client_id, sign, account_id,
        arg_max({balance: balance, fact: fact(time, event_id)}, (business_date, time, position)) as closing
    from closings() join ends on client_id = client and business_date <= day
    left join (select account_id, closed_date from accounts) using (account_id)
    where day between date '$day' - $statement_days + 1 and date '$day' and coalesce(closed_date > day, true)
    group by all
)
select client_id, found(cents(sum(sign * closing.balance)::double),
    list_sort(list_distinct(list(closing.fact)))) as bank_balance_change
from last group by all having count(distinct sign) = 2;

-- All together -----------------------------------------------------------------------------------------

-- What rests on several of the tables above, and what nothing is known of.
create temp table mixed_attributes as
with unknown as (select null::struct(value varchar, sources varchar[], source_time timestamptz) as nothing)
select client_id,
    case when _declared > 0 and _income is not null then combined(
        shares(_income / _declared), income_observed_monthly, income_declared_monthly) end as income_gap_ratio,
    case when _income > 0 then combined(
        shares(_instalments / _income), instalments_monthly, income_observed_monthly) end as dsti,
    case when _mean is not null then found(cents(_mean + coalesce(_held, 0)), _spans) end as aum_90d,
    case when _deposits is not null and _net is not null then combined(
        cents(_deposits + 3 * _net), _deposited, net_cashflow_6m) end as cash_gap_forecast_90d,
    {
        value: exposures.value, sources: list_sort(exposures.sources), source_time: exposures.source_time
    } as group_exposure,
    nothing as application_income_declared, nothing as bureau_lenders, nothing as bureau_total_debt,
    nothing as goals, nothing as guarantees_given, nothing as ubo_list, nothing as utilisation
from clients cross join unknown
left join incomes using (client_id) left join declarations using (client_id)
left join loan_attributes using (client_id) left join day_attributes using (client_id)
left join asset_attributes using (client_id) left join flow_attributes using (client_id);

-- Columns that begin with _ are steps to attributes, and none themselves.
create macro rows_of(part) as table
    select client_id, client_type, profile, sensitive, name, found
    from (
        from (select client_id, client_type, profile, sensitive from clients)
        left join query_table(part) using (client_id)
    ) unpivot include nulls (found for name in (columns(
        lambda c: c[1] <> '_' and c not in ('client_id', 'client_type', 'profile', 'sensitive'))));

create view profile as
with found as (
    from rows_of('identities') union all from rows_of('declarations')
    union all from rows_of('incomes') union all from rows_of('salary_attributes')
    union all from rows_of('flow_attributes') union all from rows_of('window_attributes')
    union all from rows_of('exposed') union all from rows_of('partner_attributes')
    union all from rows_of('day_attributes') union all from rows_of('gone')
    union all from rows_of('gaps') union all from rows_of('loan_attributes')
    union all from rows_of('late') union all from rows_of('proceeds')
    union all from rows_of('loan_purposes') union all from rows_of('asset_attributes')
    union all from rows_of('product_attributes') union all from rows_of('persons')
    union all from rows_of('invested') union all from rows_of('contact_attributes')
    union all from rows_of('statement_attributes') union all from rows_of('statement_balances')
    union all from rows_of('mixed_attributes')
), judged as (
    select *, case
        when not case client_type when 'INDIVIDUAL' then persons else companies end then 'NOT_APPLICABLE'
        when needs_profile and not profile or needs_sensitive and not sensitive then 'NOT_CONSENTED'
    end as hindrance
    from found join catalogue using (name)
)
select client_id, name, case when hindrance is null then found.value end as value, unit, purpose,
    case when value is null then 0.0 else confidence end::double as confidence,
    case when value is null then coalesce(hindrance, 'UNKNOWN') end as null_reason,
    case when hindrance is null then found.sources end as sources,
    case when hindrance is null then found.source_time end as source_time
from judged;
