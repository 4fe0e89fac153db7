"""A Berka folder in miniature, with invented rows in the format of the published files.

Account 10 belongs to client 1, account 11 to client 3; client 2 may sign on both. Loan 5 is granted
on 1993-07-05 on account 10; its instalment of 1993-07-12 is paid, that of 1993-08-12 is not.
"""

from __future__ import annotations

from pathlib import Path

TRANSACTIONS = "trans_1993-01_1994-03.asc"

FILES: dict[str, list[str]] = {
    "account.asc": [
        '"account_id";"district_id";"frequency";"date"',
        '10;1;"POPLATEK MESICNE";930105',
        '11;2;"POPLATEK TYDNE";930210',
    ],
    "client.asc": [
        '"client_id";"birth_number";"district_id"',
        '1;"450204";1',
        '2;"706213";1',
        '3;"600101";2',
    ],
    "disp.asc": [
        '"disp_id";"client_id";"account_id";"type"',
        '1;1;10;"OWNER"',
        '2;2;10;"DISPONENT"',
        '3;3;11;"OWNER"',
        '4;2;11;"DISPONENT"',
    ],
    "order.asc": [
        '"order_id";"account_id";"bank_to";"account_to";"amount";"k_symbol"',
        '100;10;"AB";"111";500.00;"SIPO"',
        '101;10;"CD";"222";100.20;"UVER"',
        '102;10;"AB";"333";777.00;" "',
    ],
    "card.asc": [
        '"card_id";"disp_id";"type";"issued"',
        "1;1;gold;930301 00:00:00",
    ],
    "loan.asc": [
        '"loan_id";"account_id";"date";"amount";"duration";"payments";"status"',
        '5;10;930705;1200;12;100.00;"B"',
    ],
    TRANSACTIONS: [
        '"trans_id";"account_id";"date";"type";"operation";"amount";"balance";"k_symbol";'
        '"bank";"account"',
        '1;10;930105;"PRIJEM";"VKLAD";1000.00;1000.00;"";;',
        # Cash of the same amount as the standing order, before its first payment.
        '2;10;930120;"VYBER";"VYBER";500.00;500.00;" ";;',
        '3;10;930205;"VYDAJ";"PREVOD NA UCET";500.00;0.00;"";"AB";"111"',
        # Listed against the order of the balances.
        '4;10;930210;"VYDAJ";"VYBER";600.00;-300.00;"";;',
        '5;10;930210;"PRIJEM";"PREVOD Z UCTU";300.00;300.00;"DUCHOD";"EF";"444"',
        '6;11;930210;"PRIJEM";"VKLAD";50.00;50.00;"";;',
        '7;10;930211;"VYDAJ";"VYBER";1.10;-301.10;"SANKC. UROK";;',
        '8;10;930211;"VYDAJ";"VYBER";2.00;-303.10;"SANKC. UROK";;',
        '9;10;930305;"VYDAJ";"PREVOD NA UCET";500.00;-803.10;"SIPO";"AB";"111"',
        '10;10;930701;"PRIJEM";"VKLAD";1000.00;196.90;"";;',
        '11;10;930712;"VYDAJ";"PREVOD NA UCET";100.20;96.70;"UVER";"CD";"222"',
        '12;10;930731;"VYDAJ";"VYBER";14.60;82.10;"SLUZBY";;',
        '13;10;930815;"VYDAJ";"VYBER";0.50;81.60;"SANKC. UROK";;',
        '14;10;930831;"PRIJEM";"";2.20;83.80;"UROK";;',
        '15;11;930913;"PRIJEM";"VKLAD";10.00;60.00;"";;',
    ],
}


def write(folder: Path, **changed: list[str]) -> Path:
    """The folder of FILES; `changed` replaces tables by their stem (trans for the entries)."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in FILES.items():
        lines = changed.get(name.split(".")[0].split("_")[0], lines)
        (folder / name).write_text("\r\n".join(lines) + "\r\n", encoding="latin-1", newline="")
    return folder
