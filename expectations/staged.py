"""Stage "staged": typed facts of a night (columns of `lifecycle.staging.staged_checks`)."""

from __future__ import annotations

from expectations.gate import Rule, check_column

RULES: tuple[Rule, ...] = (
    check_column(
        "staged-01",
        "ck_amount_positive",
        "AMOUNT_NOT_POSITIVE",
        "quarantine",
        "金额不为正",
        "the amount is not positive",
    ),
    check_column(
        "staged-03",
        "ck_currency",
        "CURRENCY",
        "quarantine",
        "币种不在清单中",
        "the currency is not one this bank books",
    ),
    check_column(
        "staged-04",
        "ck_unique",
        "DUPLICATE_TRANSACTION",
        "quarantine",
        "账户交易号重复",
        "the transaction id occurs twice on the account",
    ),
    check_column(
        "staged-05",
        "ck_account_known",
        "ACCOUNT_UNKNOWN",
        "quarantine",
        "账户未知",
        "the account was never opened",
    ),
    check_column(
        "staged-06",
        "ck_after_opening",
        "BEFORE_OPENING",
        "quarantine",
        "记账日早于开户日",
        "the entry is booked before the account was opened",
    ),
    check_column(
        "staged-07",
        "ck_balance_chain",
        "BALANCE_CHAIN",
        "quarantine",
        "余额链断裂",
        "the balance does not follow from the entry before",
    ),
    check_column(
        "staged-10",
        "ck_allocation",
        "ALLOCATION",
        "quarantine",
        "还款分配不等于金额",
        "the allocation does not add up to the repayment",
    ),
    check_column(
        "staged-11",
        "ck_due_after_grant",
        "DUE_BEFORE_GRANT",
        "quarantine",
        "到期日早于放款日",
        "the instalment is due before the credit was paid out",
    ),
)
