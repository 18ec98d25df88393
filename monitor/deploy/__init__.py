"""Writes what the programs around the daemon need: Prometheus, Grafana and systemd."""
