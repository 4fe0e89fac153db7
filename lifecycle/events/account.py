"""bank.account.v1: accounts, cards, entries and balances (camt.053 and OBTransaction terms)."""

from __future__ import annotations

from typing import Literal

import msgspec

from lifecycle.events.fields import (
    AccountStatus,
    AccountType,
    BalanceType,
    Code,
    Country,
    CreditDebit,
    Currency,
    Date,
    EntryStatus,
    Fact,
    FourLetters,
    Hash,
    Id,
    InCurrency,
    Initiator,
    Instant,
    Mcc,
    Money,
    Name,
    PartyRole,
    PurposeCode,
    Rate,
    ReturnReason,
    SignedMoney,
    Version,
)


class Party(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A client's role on an account."""

    client_id: Id
    role: PartyRole


Frequency = Literal["DAIL", "WEEK", "FRTN", "MNTH", "QURT", "SEMI", "YEAR", "ADHO"]
"""ISO 20022 frequency codes."""


CardProduct = Literal["CLASSIC", "GOLD", "JUNIOR"]


class BankTransactionCode(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """ISO 20022 bank transaction code: domain, family, sub-family (PMNT-RCDT-ESCT)."""

    domain: Literal[
        "ACMT", "CAMT", "CMDT", "DERV", "FORX", "LDAS", "PMET", "PMNT", "SECU", "TRAD", "XTND"
    ]
    family: FourLetters
    sub_family: FourLetters


class ProprietaryBankTransactionCode(
    msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True
):
    """The bank's own code for the kind of entry, and whose code it is."""

    code: Code
    issuer: Code | None = None


class MerchantDetails(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Who was paid by card, as the card scheme names it."""

    merchant_name: Name | None = None
    merchant_category_code: Mcc | None = None


class CurrencyExchange(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """How an amount was converted: units of the target currency for one of the source's."""

    source_currency: Currency
    target_currency: Currency
    exchange_rate: Rate


class Counterparty(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The other side of an entry; identifiers are pseudonyms."""

    name_hash: Hash | None = None
    account_hash: Hash | None = None
    bank_id: Code | None = None
    country: Country | None = None
    type: Literal["PERSON", "COMPANY", "SECURITIES", "REAL_ESTATE", "GAMBLING", "OWN"] | None = None


class AccountOpened(InCurrency, frozen=True):
    """An account was opened."""

    account_id: Id
    account_type: AccountType
    opened_date: Date
    parties: tuple[Party, ...]
    branch_id: Id | None = None
    statement_frequency: Literal["MNTH", "WEEK", "ADHO"] | None = None
    overdraft_limit: Money = "0"
    purpose_code: Code | None = None


class AccountPartyAdded(Fact, frozen=True):
    """A further person joined an account."""

    account_id: Id
    client_id: Id
    role: PartyRole


class AccountPartyRemoved(Fact, frozen=True):
    """A person left an account."""

    account_id: Id
    client_id: Id
    role: PartyRole


class BalanceSnapshot(InCurrency, frozen=True):
    """A balance as the bank books it, e.g. the closing booked balance (CLBD) of a day."""

    account_id: Id
    balance_type: BalanceType
    amount: Money
    credit_debit_indicator: CreditDebit
    available_amount: SignedMoney | None = None
    overdraft_limit: Money | None = None
    overdraft_used: Money | None = None


class TransactionPosted(InCurrency, frozen=True):
    """An entry was booked. `amount` is never negative; `credit_debit_indicator` gives the side."""

    account_id: Id
    transaction_id: Id
    amount: Money
    credit_debit_indicator: CreditDebit
    booking_datetime: Instant
    status: EntryStatus = "BOOK"
    value_datetime: Instant | None = None
    transaction_reference: Id | None = None
    end_to_end_id: Id | None = None
    initiator: Initiator = "CUSTOMER"
    is_cash: bool = False
    is_cross_border: bool = False
    reversal: bool = False
    bank_transaction_code: BankTransactionCode | None = None
    proprietary_bank_transaction_code: ProprietaryBankTransactionCode | None = None
    counterparty: Counterparty | None = None
    merchant_details: MerchantDetails | None = None
    mcc: Mcc | None = None
    """The same code from a source that knows no more of the merchant."""
    purpose: PurposeCode | None = None
    currency_exchange: CurrencyExchange | None = None
    charge_amount: Money | None = None
    balance_after: SignedMoney | None = None


class TransactionReversed(InCurrency, frozen=True):
    """A booked entry was cancelled; the bank books the opposite entry as well."""

    account_id: Id
    original_transaction_id: Id
    reason: ReturnReason
    amount: Money


class PaymentRejected(InCurrency, frozen=True):
    """A payment did not go through, e.g. a direct debit without funds (AM04)."""

    account_id: Id
    transaction_id: Id
    reason: ReturnReason
    amount: Money
    purpose: PurposeCode | None = None


class StandingOrderSet(InCurrency, frozen=True):
    """A standing order was set or changed."""

    standing_order_id: Id
    version: Version
    account_id: Id
    amount: Money
    frequency: Frequency
    first_payment_date: Date
    next_payment_date: Date | None = None
    final_payment_date: Date | None = None
    counterparty: Counterparty | None = None
    purpose: PurposeCode | None = None


class StandingOrderCancelled(Fact, frozen=True):
    """A standing order ended before its last payment."""

    standing_order_id: Id
    version: Version
    account_id: Id
    reason: Code | None = None


class CardIssued(Fact, frozen=True):
    """A card was issued on an account."""

    card_id: Id
    account_id: Id
    client_id: Id
    card_product: CardProduct
    issued_date: Date
    limit: Money | None = None


class CardBlocked(Fact, frozen=True):
    """A card was blocked."""

    card_id: Id
    account_id: Id
    client_id: Id
    reason: Literal["LOST", "STOLEN", "FRAUD", "BANK", "CUSTOMER", "EXPIRED"]


class AccountStatusChanged(Fact, frozen=True):
    """An account moved between ENABLED, FROZEN, DORMANT, DISABLED and CLOSED."""

    account_id: Id
    from_status: AccountStatus
    to_status: AccountStatus
    reason: Code
    legal_order_ref: Id | None = None


class AccountClosed(InCurrency, frozen=True):
    """An account was closed."""

    account_id: Id
    closed_date: Date
    reason: Literal["CUSTOMER", "BANK", "DECEASED", "MERGED"]
    final_balance: SignedMoney
    transfer_to_bank: Id | None = None
