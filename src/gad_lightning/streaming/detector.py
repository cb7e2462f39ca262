"""OnlineDetector: labels live streams, each frame read once or twice, in constant memory for ever."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gad_lightning.classifiers.base import Classifier
from gad_lightning.errors import CheckpointError, SettingError
from gad_lightning.streaming.compiled import CompiledRings
from gad_lightning.streaming.rings import ChunkRings, WindowRings
from gad_lightning.types import IGNORED, Predictions


class OnlineDetector:
    """Labels the newest frame of one or many live streams; equals offline prediction of the same frames.

    In ``one_pass`` mode a frame costs its own tokens and a branch: earlier frames stay as key/value rows, and the rows
    of the next chunk are warmed while the last frames of this one pass, so no frame waits. In ``window`` mode the whole
    window is read again for every frame, as the paper does.

    Args:
        classifier: trained; put into evaluation mode.
        num_streams: streams that may be pushed; each starts, stalls and restarts by itself.
        merge: fold the LoRA into the classifier's weights first; it can then no longer be trained or saved.
        task: what is asked, index into the schema's tasks.
        compiled: run the backbone by ``torch.compile``: half a minute before the first labels; needs a C++ compiler on
            a CPU. In ``one_pass`` mode a step then reads every stream's rows, pushed or not, by one graph, and on CUDA
            by a CUDA graph (so far tried on a CPU only, where fewer rows may be faster than a graph).

    Example:
        >>> from gad_lightning import FeatureSpec, GADClassifier, TinyBackbone
        >>> features = FeatureSpec(width=8)
        >>> gad = GADClassifier(class_names=["background", "stir"], backbone=TinyBackbone(), features=features)
        >>> detector = OnlineDetector(gad)
        >>> detector.push(torch.zeros(8)).scores.shape
        torch.Size([1, 2])
    """

    def __init__(
        self,
        classifier: Classifier,
        num_streams: int = 1,
        merge: bool = False,
        task: int = 0,
        compiled: bool = False,
    ) -> None:
        if num_streams < 1:
            raise SettingError(f"num_streams must be at least 1, got {num_streams}.", "use 1 for one stream")
        self.classifier = classifier.eval()
        self.drift = classifier.backbone.merge() if merge else 0.0
        """Largest relative change of a weight matrix that rounding the merged weights has made."""
        self.num_streams = num_streams
        self.task = task
        self.seen = torch.zeros(num_streams, dtype=torch.int64)
        self.rings: ChunkRings | WindowRings
        if classifier.schema.windows.mode == "one_pass":
            self.rings = (CompiledRings if compiled else ChunkRings)(classifier, num_streams, task)
        else:
            self.rings = WindowRings(classifier, num_streams, task)
            if compiled:
                classifier.backbone.compile()

    @torch.inference_mode()
    def push(self, frames: Tensor, streams: Sequence[int] | None = None) -> Predictions:
        """Take the next frame of some streams and label it.

        Args:
            frames: (n, N, D) features, one frame per stream named, not standardised; (n, D) or, for one stream, (D,)
                where N is 1.
            streams: (n,) different streams; all of them, in order, by default.

        Returns:
            Predictions of n queries: ``video`` is the stream, ``moment`` and ``ordinal`` the frames pushed before.

        Raises:
            SettingError: if the frames have another shape, or a stream is named twice or does not exist.
        """
        chosen = torch.arange(self.num_streams) if streams is None else torch.tensor(list(streams))
        spec = self.classifier.schema.features
        shape = (len(chosen), spec.tokens_per_frame, spec.width)
        if frames.numel() != shape[0] * shape[1] * shape[2] or frames.shape[-1] != spec.width:
            raise SettingError(
                f"push wants frames of shape {shape}, got {tuple(frames.shape)}.", "one frame per stream"
            )
        if len(chosen.unique()) != len(chosen) or not bool(((chosen >= 0) & (chosen < self.num_streams)).all()):
            raise SettingError(
                f"streams are different numbers below {self.num_streams}, got {chosen.tolist()}.",
                "name each stream once",
            )
        ready = frames.reshape(shape).to(self.classifier.device)
        moment = self.seen[chosen]
        scores, logits, slots = self.rings.step(chosen, moment, ready)
        self.seen[chosen] += 1
        return Predictions(
            video=chosen,
            ordinal=moment,
            task=torch.full_like(chosen, self.task),
            moment=moment,
            target=torch.full_like(chosen, IGNORED),
            scores=scores,
            logits=logits,
            slots=slots,
        )

    def restart(self, streams: Sequence[int] | None = None) -> None:
        """Forget what some streams have shown: their next frame is frame 0."""
        self.seen[list(range(self.num_streams)) if streams is None else list(streams)] = 0

    def state_dict(self) -> dict[str, Tensor]:
        """Copy all that the streams have left behind, on the CPU: tensors only, fit for ``torch.save``."""
        return {name: part.detach().to("cpu", copy=True) for name, part in self._state().items()}

    @torch.inference_mode()
    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on where another detector stopped, with the very scores that it would have given.

        Args:
            state: of a detector with as many streams and the same classifier, merged or not as this one is.

        Raises:
            CheckpointError: if it was saved by a detector of other streams, windows or weights.
        """
        mine = self._state()
        for name in [*mine, *state]:
            here, there = (shape_of(parts.get(name)) for parts in (mine, state))
            if here != there:
                raise CheckpointError(
                    f"The saved streams have {there} for {name!r}; this detector has {here}.",
                    "make the detector with the classifier, num_streams and precision that the state was saved with",
                )
        self.rings.check(state)
        for name, part in mine.items():
            part.copy_(state[name])

    def _state(self) -> dict[str, Tensor]:
        return {"seen": self.seen, **self.rings.state()}


def shape_of(part: Tensor | None) -> str:
    """Describe shape and precision, to be compared and read."""
    return "nothing" if part is None else f"{tuple(part.shape)} {str(part.dtype).removeprefix('torch.')}"
