"""Scorecards and their challengers: fitted on a labelled table, scored on any engine, judged."""
