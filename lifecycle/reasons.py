"""The closed list of reasons a record is kept out for, in the words of both languages.

The suites of `expectations/` take the words of their rules from here: they cost seconds to import,
and a list of records has to be printed at once.
"""

from __future__ import annotations

from typing import NamedTuple


class Reason(NamedTuple):
    """What a person reads."""

    zh: str
    en: str


REASONS = {
    # gate "raw": the record alone
    "UNPARSABLE": Reason("不是有效的 JSON", "the bytes are not JSON"),
    "DUPLICATE_NAME": Reason("同一对象中字段名重复", "a name occurs twice in one JSON object"),
    "ENVELOPE": Reason(
        "CloudEvents 必填属性缺失或无效", "a required CloudEvents attribute is missing or invalid"
    ),
    "SPECVERSION": Reason("CloudEvents 版本不是 1.0", "the CloudEvents version is not 1.0"),
    "UNKNOWN_TYPE": Reason(
        "事件类型不在目录中", "the event type is not in the catalogue of this topic"
    ),
    "TIME_FORMAT": Reason("时间不是带时区的 RFC 3339", "a time is not RFC 3339 with an offset"),
    "TIME_OUT_OF_RANGE": Reason(
        "事件时间早于合理下限", "the event time is earlier than is plausible"
    ),
    "FUTURE_TIME": Reason("事件时间在未来", "the event time is in the future"),
    "SCHEMA": Reason(
        "数据字段不符合该类型的结构", "the data does not match the schema of its type"
    ),
    "SCHEMA_VERSION": Reason(
        "数据结构的主版本不受支持", "the major version of the data's schema is not supported"
    ),
    "KEY_MISMATCH": Reason(
        "记录键与事件分区键不一致", "the record key is not the event's partition key"
    ),
    "SUBJECT_MISMATCH": Reason(
        "事件主体与数据不一致", "the subject is not the entity the data is about"
    ),
    # the inbox: the record beside what was accepted before (lifecycle.inbox)
    "ID_REUSE": Reason(
        "同一来源和编号的事件已按其他内容接收",
        "an event with this source and id was accepted with other data",
    ),
    "IDEMPOTENCY_CONFLICT": Reason(
        "同一业务键的事实已按其他内容接收，且本条序号不更高",
        "a fact with this business key was accepted with other data and no lower sequence",
    ),
    # what waited too long (lifecycle.pipeline.orphan)
    "ORPHANED": Reason(
        "所引用的对象未在期限内到达", "what the fact refers to did not come in time"
    ),
    # gate "staged": typed facts of a night
    "AMOUNT_NOT_POSITIVE": Reason("金额不为正", "the amount is not positive"),
    "CREDIT_DEBIT": Reason(
        "借贷标识不是 CRDT 或 DBIT", "the entry is neither a credit nor a debit"
    ),
    "CURRENCY": Reason("币种不在清单中", "the currency is not one this bank books"),
    "DUPLICATE_TRANSACTION": Reason(
        "账户交易号重复", "the transaction id occurs twice on the account"
    ),
    "ACCOUNT_UNKNOWN": Reason("账户未知", "the account was never opened"),
    "BEFORE_OPENING": Reason(
        "记账日早于开户日", "the entry is booked before the account was opened"
    ),
    "AFTER_CLOSING": Reason("记账日晚于销户日", "the entry is booked after the account was closed"),
    "BALANCE_CHAIN": Reason("余额链断裂", "the balance does not follow from the entry before"),
    "ALLOCATION": Reason("还款分配不等于金额", "the allocation does not add up to the repayment"),
    "DUE_BEFORE_GRANT": Reason(
        "到期日早于放款日", "the instalment is due before the credit was paid out"
    ),
    "DUE_OUT_OF_ORDER": Reason(
        "分期到期日早于前一期", "the instalment is due before the one with the number before"
    ),
    "CREDIT_STATUS": Reason(
        "授信状态不允许该事件", "the fact may not follow what happened to the credit before"
    ),
    "CONSENT_DATES": Reason("同意撤回早于授予", "the consent was withdrawn before it was granted"),
    "BIRTH_DATE": Reason("出生日期不合理", "the date of birth is not plausible"),
    "STATEMENT": Reason("资产不等于负债与权益之和", "assets are not liabilities plus equity"),
}


def worded(reason: str) -> Reason:
    """The words of a reason; a reason of an older release stands for itself."""
    return REASONS.get(reason, Reason(reason, reason))
