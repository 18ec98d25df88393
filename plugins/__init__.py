"""The built-in detectors and threshold rules, registered as any third party's are."""

from monitor.api import Provider, hookimpl


@hookimpl
def monitor_register_detectors() -> list[Provider]:
    """Name the built-in detectors."""
    return [Provider("ae", "autoencoder: the error of reconstructing a crop", "plugins.ae:Autoencoder")]


@hookimpl
def monitor_register_rules() -> list[Provider]:
    """Name the built-in threshold rules."""
    return [
        Provider("balanced", "the cut with the best mean of TPR and TNR", "plugins.rules:Balanced"),
        Provider("mean-proliv", "the mean score of proliv crops", "plugins.rules:MeanProliv"),
        Provider("fraction-of-max", "k times the highest score of proliv crops", "plugins.rules:FractionOfMax"),
        Provider("fixed", "a threshold set by hand", "plugins.rules:Fixed"),
    ]
