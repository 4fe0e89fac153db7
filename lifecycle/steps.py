"""The steps of a night, in order. Light, so that a DAG file can read it at every parse."""

STEPS: dict[str, str] = {
    "seal": "Append the day's facts, and late ones, to the Delta lake.",
    "staged": 'Gate "staged": typed tables; rows that fail are held in quarantine.',
    "profiles": 'Client profiles as of the end of the day; gate "profile".',
    "scores": 'Credit scores, five-tier class and IFRS 9 stage; gate "score".',
    "alerts": 'Nightly alert rules on what changed; gate "alert".',
    "publish": "Serving tables and alerts, in one transaction.",
    "prove": "Fold the log again: state and alerts must come out byte for byte.",
}
