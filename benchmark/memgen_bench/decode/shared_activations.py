"""Activations that several decoders are fitted on, and the way from each decoder to its outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any

from memgen_bench.decode.decoding import decode
from memgen_bench.decode.footprint import keeps_points
from memgen_bench.decode.known_moments import KnownMoments
from memgen_bench.decode.moments import moments_of
from memgen_bench.decode.neighbors import Neighbors
from memgen_bench.errors import is_fault
from memgen_bench.global_state import preserved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch

    from memgen_bench.arrays import LabelVector
    from memgen_bench.decode.decoding import Activations, Extras, Outcome
    from memgen_bench.decode.moments import Moments
    from memgen_bench.plugin.specs import DecoderSpec


@dataclass(frozen=True, kw_only=True)
class SharedActivations:
    """Activations, with the moments and neighbours that decoders share.

    They may be asked for again and again: whoever makes this object keeps them. Neighbours are
    asked for only where a decoder wants them. A decoder that is fitted on points gets the moments
    where it asks for those of the points that it was lent.

    Attributes:
        activations: The activations of one layer, or of all layers for scope `network`.
        moments: Returns the moments of the training points under the labels to fit on; None
            where there are none.
        neighbors: Returns a search among the training points; None where there is none.
        moments_of_layers: The same as `moments` for each of all layers, for scope `network`.
    """

    activations: Activations
    moments: Callable[[], Moments] | None = None
    neighbors: Callable[[], Neighbors] | None = None
    moments_of_layers: Mapping[str, Callable[[], Moments]] | None = None

    def outcome(
        self, spec: DecoderSpec, labels: LabelVector, extras: Extras, num_classes: int
    ) -> Outcome:
        """Return the outcome of a decoder, fitted from moments where it can be.

        Args:
            spec: The decoder.
            labels: The labels to fit on, one per training point.
            extras: What it may ask for, moments and neighbours left out.
            num_classes: K; labels are 0..K-1.
        """
        if self.moments and is_fitted_from_moments(spec):
            extras = replace(extras, moments=self.moments().for_decoder())
        elif spec.scope != "training":
            extras = replace(extras, known=tuple(self._known(labels)))
        if self.neighbors and "neighbors" in spec.needs:
            extras = replace(extras, neighbors=self.neighbors().for_decoder())
        return decode(spec, self.activations, labels, extras, num_classes)

    def _known(self, labels: LabelVector) -> Iterator[KnownMoments]:
        """Yield the moments of each layer, where they are computed from the points.

        Where they are added up, how they are rounded depends on what else is.
        """
        train: Any = self.activations.train
        layers = train if isinstance(train, Mapping) else {"": train}
        every = self.moments_of_layers or ({"": self.moments} if self.moments else {})
        for name, moments in every.items():
            X = layers[name]
            if X is not None and keeps_points(len(X), X.shape[1], int(labels.max()) + 1):
                yield KnownMoments(X, labels, moments().for_decoder())


def share_points(
    activations: Activations, labels: LabelVector, device: torch.device
) -> SharedActivations:
    """Share one layer's activations, all of them in memory, among decoders of one labelling.

    Args:
        activations: The activations of the layer.
        labels: The labels to fit on, one per training point.
        device: Where to search for neighbours.
    """
    train: Any = activations.train
    queries: list[Any] = [activations.sample, activations.validation, activations.test]
    return SharedActivations(
        activations=activations,
        moments=cache(partial(moments_of, train, labels)),
        neighbors=cache(partial(Neighbors, train, queries, device=device)),
    )


@lru_cache(maxsize=256)
@preserved()
def is_fitted_from_moments(spec: DecoderSpec) -> bool:
    """Whether a decoder is fitted from class moments; not where it cannot be built."""
    try:
        return spec.scope == "layer" and not spec.beside and hasattr(spec.build(), "fit_moments")
    except BaseException as error:  # its outcome will say why
        if not is_fault(error):
            raise
        return False
