"""Random styles: tables, models, searches and files."""
