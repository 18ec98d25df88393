"""The built-in detectors and threshold rules, registered as any third party's are."""

from monitor.api import Provider, hookimpl


@hookimpl
def monitor_register_detectors() -> list[Provider]:
    """Name the built-in detectors, the one to begin with first."""
    return [
        Provider(
            "patchstats", "local statistics: how far each place is from the usual", "plugins.patchstats:PatchStatistics"
        ),
        Provider("ae", "autoencoder: the error of reconstructing a crop", "plugins.ae:Autoencoder"),
        Provider("cvae", "variational autoencoder: the pattern of its error", "plugins.cvae:VariationalAutoencoder"),
        Provider("mnad", "autoencoder with a memory of normal prototypes", "plugins.mnad:MemoryAutoencoder"),
    ]


@hookimpl
def monitor_register_rules() -> list[Provider]:
    """Name the built-in threshold rules."""
    return [
        Provider(
            "quantile-midpoint", "between the scores of normal and proliv crops", "plugins.rules:QuantileMidpoint"
        ),
        Provider("balanced", "the cut with the best mean of TPR and TNR", "plugins.rules:Balanced"),
        Provider("mean-proliv", "the mean score of proliv crops", "plugins.rules:MeanProliv"),
        Provider("fraction-of-max", "k times the highest score of proliv crops", "plugins.rules:FractionOfMax"),
        Provider("fixed", "a threshold set by hand", "plugins.rules:Fixed"),
    ]
