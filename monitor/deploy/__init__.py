"""What `monitor deploy` writes for the programs around the daemon: Prometheus, Grafana, systemd."""
