"""Decoders of a whole network: all its layers, its last weights, or an epoch of its training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memgen_plugins.decoders.catalogue.offering import decoder, estimator

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memgen_bench import DecoderSpec

# The cheapest first: of equals on validation the first is chosen.
_MEMBERS = ("ncm", "ridge-tuned", "lda-shrunk", "knn-50", "masc", "rda-50")
_ROG = "Lee et al. 2019, arXiv 1901.11300"
_EDIT = "Ketha & Ramaswamy 2026, arXiv 2603.19865"
_DOSHI = "Doshi et al. 2024, arXiv 2310.13061"
_EARLY = "Arpit et al. 2017, arXiv 1706.05394"


def network_decoders(of_layers: Iterable[DecoderSpec]) -> list[DecoderSpec]:
    """Return the specifications of decoders of a whole network; some contain those of layers."""
    lda = estimator("layer.gaussian:ShrunkLDA")
    weighed = "of all layers, their weights chosen on noisy validation"
    rows = {
        "velpic": estimator("layer.subspace:VeLPIC"),
        "ncm": estimator("layer.centroid:CosineCentroid"),
        "lda": lda,
    }
    builds = {spec.name: spec.build for spec in of_layers}
    members = [(name, builds[name]) for name in _MEMBERS]
    return [
        decoder(
            "auto",
            estimator("network.members:BestMember", estimators=members),
            "of six decoders on each layer the one that is best on noisy validation",
            "Chen et al. 2021, arXiv 2012.04193",
            scope="network",
            needs=("validation",),
            version=2,
            slow=True,
        ),
        decoder(
            "stacked",
            estimator("network.ensembles:Stacked", estimators=members),
            f"six decoders {weighed} together with the noise's rate",
            "Wolpert 1992; Breiman 1996; Patrini et al. 2017, arXiv 1609.03683",
            scope="network",
            needs=("validation",),
            version=2,
            slow=True,
        ),
        decoder(
            "ensemble-lda",
            estimator("network.ensembles:LayerEnsemble", estimator=lda),
            f"shrunk LDA {weighed}",
            f"{_ROG}; Genest & Zidek 1986",
            scope="network",
            needs=("validation",),
            version=2,
        ),
        decoder(
            "ensemble-rda",
            estimator("network.ensembles:LayerEnsemble", estimator=estimator("layer.gaussian:RDA")),
            f"regularised discriminant analysis {weighed}",
            f"{_ROG}; Friedman 1989",
            scope="network",
            needs=("validation",),
            version=2,
            slow=True,
        ),
        decoder(
            "rog",
            estimator(
                "network.ensembles:LayerEnsemble",
                estimator=estimator("robust.cleaning:Trimmed", estimator=lda),
            ),
            f"robust generative classifier: trimmed LDA {weighed}",
            _ROG,
            scope="network",
            needs=("validation",),
            version=2,
            slow=True,
        ),
        decoder(
            "head2toe",
            estimator("network.joint:SelectedUnits"),
            "ridge on the most relevant units of all layers, fraction and alpha validated",
            "Evci et al. 2022, arXiv 2201.03529",
            scope="network",
            needs=("validation",),
            slow=True,
        ),
        decoder(
            "ridge-kernels",
            estimator("network.kernels:KernelSum"),
            "kernel ridge on all layers, their weights and alpha chosen on noisy validation",
            "Cortes, Mohri & Rostamizadeh 2012, arXiv 1203.0550",
            scope="network",
            needs=("validation",),
            slow=True,
        ),
        decoder(
            "rewound",
            estimator("network.rewound:Rewound"),
            "the network's last linear modules trained anew on the frozen rest; stopped early",
            "Stephenson et al. 2021, arXiv 2105.14602",
            scope="network",
            needs=("network", "validation"),
            slow=True,
            stochastic=True,  # weights and batches are drawn
        ),
        *(
            decoder(
                f"edit-{name}",
                estimator("network.weight_edit:WeightEdit", estimator=build),
                f"the network with {name.upper()} vectors in its last layer",
                _EDIT,
                scope="network",
                needs=("network",),
            )
            for name, build in rows.items()
        ),
        decoder(
            "ipr-pruned",
            estimator("network.spectral:SpectrumPruned"),
            "an adding network without units whose spectra are not sparse; validated share",
            _DOSHI,
            scope="network",
            needs=("network", "validation"),
            tried_on="sums",
        ),
        decoder(
            "fourier-told",
            estimator("network.spectral:SpectrumTold"),
            "sums read from an adding network frequency by frequency: told the rule, never ranked",
            "in the spirit of Liu & Lu 2026, arXiv 2605.18022",
            scope="network",
            needs=("network", "validation", "test"),
            tried_on="sums",
        ),
        decoder(
            "early-stopped",
            estimator("network.early_stopping:EarlyStopped"),
            "the readout of the epoch that was best on noisy validation",
            _EARLY,
            scope="training",
        ),
        decoder(
            "best-epoch",
            estimator("network.early_stopping:BestEpoch"),
            "the readout of the tested epoch that was best on test: an oracle, never ranked",
            _EARLY,
            scope="training",
            needs=("test",),
            version=2,
        ),
        decoder(
            "time-averaged",
            estimator("network.early_stopping:TimeAveraged"),
            "the readout of the mean over epochs of the network's probabilities",
            "Laine & Aila 2017, arXiv 1610.02242; Nguyen et al. 2020, arXiv 1910.01842",
            scope="training",
        ),
    ]
