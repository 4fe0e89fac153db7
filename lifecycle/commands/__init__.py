"""The commands, one module per concern; `application` is the Typer app that holds them all."""

from __future__ import annotations

import typer

from lifecycle.commands import (
    alerts,
    aml,
    backfill,
    bench,
    client,
    consent,
    gaps,
    model_life,
    models,
    night,
    offsets,
    overrides,
    platform,
    quarantine,
    recovery,
    scores,
    source,
    stream,
    watch,
)

application = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Event-driven client-lifecycle pipeline for a bank.",
)
for module in (
    platform,
    watch,
    source,
    night,
    backfill,
    client,
    consent,
    models,
    model_life,
    alerts,
    aml,
    scores,
    quarantine,
    overrides,
    gaps,
    offsets,
    recovery,
    bench,
    stream,
):
    module.register(application)
