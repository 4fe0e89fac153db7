"""Stage "staged": typed facts of a night (columns of `lifecycle.staging.gate_columns`).

What a `ck_` column says of a row keeps the row back; an `is_` column warns, or says something of the
whole night, and is then the same in every row. Their limits are figures of `rules/staging.yaml`.

The specification's staged-14 also asks for the checksum of a client's id. Only a salted hash of the
id arrives (`client.registered`, `id_hash`), and a hash has no checksum: the system that knows the id
has to check it before it hashes.
"""

from __future__ import annotations

from expectations.gate import Rule, check_column, held

RULES: tuple[Rule, ...] = (
    held("staged-01", "ck_amount_positive", "AMOUNT_NOT_POSITIVE"),
    held("staged-02", "ck_indicator", "CREDIT_DEBIT"),
    held("staged-03", "ck_currency", "CURRENCY"),
    held("staged-04", "ck_unique", "DUPLICATE_TRANSACTION"),
    held("staged-05", "ck_account_known", "ACCOUNT_UNKNOWN"),
    check_column(
        "staged-05-share",
        "is_accounts_known",
        "ACCOUNTS_UNKNOWN",
        "block",
        "账户未知的分录过多",
        "too many entries are on an account that was never opened",
    ),
    held("staged-06", "ck_after_opening", "BEFORE_OPENING"),
    held("staged-06-closed", "ck_before_closing", "AFTER_CLOSING"),
    held("staged-07", "ck_balance_chain", "BALANCE_CHAIN"),
    check_column(
        "staged-07-usual",
        "is_chain_usual",
        "BALANCE_CHAINS_UNUSUAL",
        "warn",
        "余额链断裂比通常多",
        "more balances than usual do not follow from the entry before",
    ),
    check_column(
        "staged-07-share",
        "is_chain_whole",
        "BALANCE_CHAINS",
        "block",
        "余额链断裂过多",
        "too many balances do not follow from the entry before",
    ),
    check_column(
        "staged-08",
        "is_closing_balance",
        "CLOSING_BALANCE",
        "warn",
        "日终余额与当日最后一笔分录后的余额不符",
        "the closing balance is not the balance after the day's last entry",
    ),
    check_column(
        "staged-08-share",
        "is_closings_whole",
        "CLOSING_BALANCES",
        "block",
        "日终余额不符的账户过多",
        "too many accounts have a closing balance that is not that of their last entry",
    ),
    check_column(
        "staged-09",
        "is_closing_flow",
        "CLOSING_FLOW",
        "warn",
        "账户当日借贷净额与日终余额变动不符",
        "the account's entries do not add up to the move of its closing balance",
    ),
    check_column(
        "staged-09-portfolio",
        "is_portfolio_even",
        "PORTFOLIO_FLOW",
        "block",
        "全部账户借贷净额与日终余额变动不符",
        "the entries of all accounts do not add up to the move of their closing balances",
    ),
    held("staged-10", "ck_allocation", "ALLOCATION"),
    held("staged-11", "ck_due_after_grant", "DUE_BEFORE_GRANT"),
    held("staged-11-order", "ck_due_in_order", "DUE_OUT_OF_ORDER"),
    held("staged-12", "ck_credit_status", "CREDIT_STATUS"),
    held("staged-13", "ck_consent_dates", "CONSENT_DATES"),
    held("staged-14", "ck_birth_date", "BIRTH_DATE"),
    held("staged-15", "ck_statement", "STATEMENT"),
    check_column(
        "staged-16",
        "is_codes_known",
        "CODES_UNKNOWN",
        "warn",
        "未知的商户类别码或银行交易码过多",
        "too many merchant categories or bank transaction codes are unknown",
    ),
)
