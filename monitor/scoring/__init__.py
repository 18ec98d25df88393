"""Crops are scored, decided and recorded here."""
