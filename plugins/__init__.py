"""The built-in detectors, threshold rules and sinks, registered as any third party's are."""

from monitor.api import Provider, hookimpl


@hookimpl
def monitor_register_detectors() -> list[Provider]:
    """Name the built-in detectors, the one to begin with first."""
    return [
        Provider(
            "contrast",
            "patchstats and a network that knows proliv: few false alarms on what is merely new",
            "plugins.detectors.contrast:Contrast",
        ),
        Provider(
            "patchstats",
            "local statistics: how far each place is from the usual",
            "plugins.detectors.patchstats:PatchStatistics",
        ),
        Provider("ae", "autoencoder: the error of reconstructing a crop", "plugins.detectors.ae:Autoencoder"),
        Provider(
            "cvae", "variational autoencoder: the pattern of its error", "plugins.detectors.cvae:VariationalAutoencoder"
        ),
        Provider("mnad", "autoencoder with a memory of normal prototypes", "plugins.detectors.mnad:MemoryAutoencoder"),
        Provider(
            "onnx", "a network that was trained elsewhere and is imported as a file", "plugins.detectors.onnx:Onnx"
        ),
    ]


@hookimpl
def monitor_register_rules() -> list[Provider]:
    """Name the built-in threshold rules, the one to begin with first."""
    return [
        Provider(
            "quantile-midpoint", "between the scores of normal and proliv crops", "plugins.rules:QuantileMidpoint"
        ),
        Provider("balanced", "the cut with the best mean of TPR and TNR", "plugins.rules:Balanced"),
        Provider("stump", "the cut of a decision tree with one question", "plugins.rules:Stump"),
        Provider("f1", "the cut with the best F1", "plugins.rules:F1"),
        Provider("cost", "the cut with the least expected cost of a crop", "plugins.rules:Cost"),
        Provider(
            "quantile-of-full-tpr",
            "near the last threshold that catches every proliv",
            "plugins.rules:QuantileOfFullTpr",
        ),
        Provider(
            "tpr-at-least", "the highest threshold that catches a given share of proliv", "plugins.rules:TprAtLeast"
        ),
        Provider(
            "tnr-at-least", "the lowest threshold that passes a given share of normal crops", "plugins.rules:TnrAtLeast"
        ),
        Provider("normal-quantile", "a high quantile of normal crops; needs no proliv", "plugins.rules:NormalQuantile"),
        Provider("conformal", "a bound on the false alarms of new crops; needs no proliv", "plugins.rules:Conformal"),
        Provider(
            "false-alarms-per-week",
            "a given number of false alarms a week; needs no proliv",
            "plugins.rules:FalseAlarmsPerWeek",
        ),
        Provider("mean-proliv", "the mean score of proliv crops", "plugins.rules:MeanProliv"),
        Provider("fraction-of-max", "k times the highest score of proliv crops", "plugins.rules:FractionOfMax"),
        Provider("fixed", "a threshold set by hand", "plugins.rules:Fixed"),
    ]


@hookimpl
def monitor_register_sinks() -> list[Provider]:
    """Name the built-in sinks of alarms."""
    return [
        Provider("log", "a line in the program's own log", "plugins.sinks.log:Log"),
        Provider("command", "a program that gets the message on its standard input", "plugins.sinks.command:Command"),
        Provider("webhook", "JSON posted to a web address, signed", "plugins.sinks.webhook:Webhook"),
        Provider("email", "a mail by SMTP, with the message as JSON in it", "plugins.sinks.email:Email"),
        Provider("alertmanager", "alerts in Prometheus' Alertmanager", "plugins.sinks.alertmanager:Alertmanager"),
        Provider("mqtt", "messages and the state of each hole, published to an MQTT broker", "plugins.sinks.mqtt:Mqtt"),
        Provider("opcua", "a node for each hole of an OPC UA server, with a handshake", "plugins.sinks.opcua:Opcua"),
        Provider("modbus", "a coil for each hole of a PLC, with a handshake", "plugins.sinks.modbus:Modbus"),
    ]
