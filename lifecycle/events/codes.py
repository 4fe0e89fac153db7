"""Code lists that are data: ISO 4217 currencies with their minor units, ISO 3166-1 countries,
ISO 18245 merchant categories and ISO 20022 bank transaction codes.

As of 2026-01. A fact in a currency or country that is not here is refused; adding one is an additive
change. Unknown merchant categories and transaction codes are only counted (staged-16): card schemes
and banks give out their own.
"""

from __future__ import annotations

_DECIMALS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF
    CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD
    GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL
    MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR
    PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP
    TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG
    """,
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}

MINOR_UNITS: dict[str, int] = {
    code: decimals for decimals, codes in _DECIMALS.items() for code in codes.split()
}
"""ISO 4217 code -> how many decimals an amount in it may have."""

COUNTRIES = frozenset([
    "AD",
    "AE",
    "AF",
    "AG",
    "AI",
    "AL",
    "AM",
    "AO",
    "AQ",
    "AR",
    "AS",
    "AT",
    "AU",
    "AW",
    "AX",
    "AZ",
    "BA",
    "BB",
    "BD",
    "BE",
    "BF",
    "BG",
    "BH",
    "BI",
    "BJ",
    "BL",
    "BM",
    "BN",
    "BO",
    "BQ",
    "BR",
    "BS",
    "BT",
    "BV",
    "BW",
    "BY",
    "BZ",
    "CA",
    "CC",
    "CD",
    "CF",
    "CG",
    "CH",
    "CI",
    "CK",
    "CL",
    "CM",
    "CN",
    "CO",
    "CR",
    "CU",
    "CV",
    "CW",
    "CX",
    "CY",
    "CZ",
    "DE",
    "DJ",
    "DK",
    "DM",
    "DO",
    "DZ",
    "EC",
    "EE",
    "EG",
    "EH",
    "ER",
    "ES",
    "ET",
    "FI",
    "FJ",
    "FK",
    "FM",
    "FO",
    "FR",
    "GA",
    "GB",
    "GD",
    "GE",
    "GF",
    "GG",
    "GH",
    "GI",
    "GL",
    "GM",
    "GN",
    "GP",
    "GQ",
    "GR",
    "GS",
    "GT",
    "GU",
    "GW",
    "GY",
    "HK",
    "HM",
    "HN",
    "HR",
    "HT",
    "HU",
    "ID",
    "IE",
    "IL",
    "IM",
    "IN",
    "IO",
    "IQ",
    "IR",
    "IS",
    "IT",
    "JE",
    "JM",
    "JO",
    "JP",
    "KE",
    "KG",
    "KH",
    "KI",
    "KM",
    "KN",
    "KP",
    "KR",
    "KW",
    "KY",
    "KZ",
    "LA",
    "LB",
    "LC",
    "LI",
    "LK",
    "LR",
    "LS",
    "LT",
    "LU",
    "LV",
    "LY",
    "MA",
    "MC",
    "MD",
    "ME",
    "MF",
    "MG",
    "MH",
    "MK",
    "ML",
    "MM",
    "MN",
    "MO",
    "MP",
    "MQ",
    "MR",
    "MS",
    "MT",
    "MU",
    "MV",
    "MW",
    "MX",
    "MY",
    "MZ",
    "NA",
    "NC",
    "NE",
    "NF",
    "NG",
    "NI",
    "NL",
    "NO",
    "NP",
    "NR",
    "NU",
    "NZ",
    "OM",
    "PA",
    "PE",
    "PF",
    "PG",
    "PH",
    "PK",
    "PL",
    "PM",
    "PN",
    "PR",
    "PS",
    "PT",
    "PW",
    "PY",
    "QA",
    "RE",
    "RO",
    "RS",
    "RU",
    "RW",
    "SA",
    "SB",
    "SC",
    "SD",
    "SE",
    "SG",
    "SH",
    "SI",
    "SJ",
    "SK",
    "SL",
    "SM",
    "SN",
    "SO",
    "SR",
    "SS",
    "ST",
    "SV",
    "SX",
    "SY",
    "SZ",
    "TC",
    "TD",
    "TF",
    "TG",
    "TH",
    "TJ",
    "TK",
    "TL",
    "TM",
    "TN",
    "TO",
    "TR",
    "TT",
    "TV",
    "TW",
    "TZ",
    "UA",
    "UG",
    "UM",
    "US",
    "UY",
    "UZ",
    "VA",
    "VC",
    "VE",
    "VG",
    "VI",
    "VN",
    "VU",
    "WF",
    "WS",
    "YE",
    "YT",
    "ZA",
    "ZM",
    "ZW",
])
"""ISO 3166-1 alpha-2."""

_CATEGORIES = """
    0742 0743 0744 0763 0780 1520 1711 1731 1740 1750 1761 1771 1799 2741 2791 2842 4011 4111
    4112 4119 4121 4131 4214 4215 4225 4411 4457 4468 4511 4582 4722 4723 4733 4784 4789 4812
    4813 4814 4815 4816 4821 4829 4899 4900 5013 5021 5039 5044 5045 5046 5047 5051 5065 5072
    5074 5085 5094 5099 5111 5122 5131 5137 5139 5169 5172 5192 5193 5198 5199 5200 5211 5231
    5251 5261 5262 5271 5300 5309 5310 5311 5331 5399 5411 5422 5441 5451 5462 5499 5511 5521
    5531 5532 5533 5541 5542 5551 5552 5561 5571 5592 5598 5599 5611 5621 5631 5641 5651 5655
    5661 5681 5691 5697 5698 5699 5712 5713 5714 5715 5718 5719 5722 5732 5733 5734 5735 5811
    5812 5813 5814 5815 5816 5817 5818 5832 5912 5921 5931 5932 5933 5935 5937 5940 5941 5942
    5943 5944 5945 5946 5947 5948 5949 5950 5960 5961 5962 5963 5964 5965 5966 5967 5968 5969
    5970 5971 5972 5973 5975 5976 5977 5978 5983 5992 5993 5994 5995 5996 5997 5998 5999 6010
    6011 6012 6050 6051 6211 6300 6381 6399 6513 6532 6533 6536 6537 6538 6540 7011 7012 7013
    7032 7033 7210 7211 7216 7217 7221 7230 7251 7261 7273 7276 7277 7278 7280 7295 7296 7297
    7298 7299 7311 7321 7322 7332 7333 7338 7339 7342 7349 7361 7372 7375 7379 7392 7393 7394
    7395 7399 7511 7512 7513 7519 7523 7531 7534 7535 7538 7542 7549 7622 7623 7629 7631 7641
    7692 7699 7800 7801 7802 7829 7832 7841 7911 7922 7929 7932 7933 7941 7991 7992 7993 7994
    7995 7996 7997 7998 7999 8011 8021 8031 8041 8042 8043 8044 8049 8050 8062 8071 8099 8111
    8211 8220 8241 8244 8249 8299 8351 8398 8641 8651 8661 8675 8699 8734 8911 8912 8931 8999
    9211 9222 9223 9311 9399 9400 9402 9405 9406 9700 9701 9702 9950
"""

MERCHANT_CATEGORIES = frozenset(_CATEGORIES.split())
"""ISO 18245 merchant category codes."""

MERCHANT_BRANDS = ("3000", "3999")
"""First and last merchant category code that stands for a single airline, car rental or hotel."""

_FAMILIES = {
    "PMNT": "CCRD CNTR DRFT ICCN ICDT ICHQ IDDT IRCT LBOX MCRD RCCN RCDT RCHQ RDDT RRCT",
    "CAMT": "ACCB CAPL",
    "DERV": "LFUT LOPT OBND OCRD OEQT OIRT OSED OSWP",
    "LDAS": "CSLN FTDP FTLN MGLN NTDP NTLN SYDN",
    "FORX": "FTUR FWRD NDFX SPOT SWAP",
    "PMET": "DLVR FTUR OPTN SPOT",
    "CMDT": "DLVR FTUR OPTN SPOT",
    "TRAD": "CLNC DCCT DOCC GUAR LOCT",
    "SECU": "BLOC CASH COLC COLL CORP CUST LACK NSET OTHB SETT",
    "ACMT": "ACOP ADOP OPCL",
    "XTND": "",
}
_ANY_DOMAIN = "MCOP MDOP NTAV OTHR"
"""Miscellaneous credits and debits, not available, other: families of every domain."""

TRANSACTION_FAMILIES = frozenset(
    f"{domain}-{family}"
    for domain, families in _FAMILIES.items()
    for family in f"{families} {_ANY_DOMAIN}".split()
)
"""ISO 20022 bank transaction codes as DOMAIN-FAMILY: external code sets
ExternalBankTransactionDomain1Code and ExternalBankTransactionFamily1Code."""
