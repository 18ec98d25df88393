"""Synthetic crops of casting-table holes: single ones, labelled folders and streams."""
