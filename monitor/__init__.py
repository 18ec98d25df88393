"""Watches the crops of casting-table holes, finds bleed-outs (proliv) and remembers every decision."""

__version__ = "0.1.0"
