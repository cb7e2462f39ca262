"""OnlineDetector: labels live streams; each frame is read once or twice, and memory never grows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral
from types import NoneType

import torch
from torch import Tensor

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.detection import encoder_for
from gad_lightning.decisions.adaptive import STEP
from gad_lightning.decisions.handing_over import HandOver
from gad_lightning.decisions.live import Step
from gad_lightning.decisions.path import Event
from gad_lightning.errors import CheckpointError, SettingError
from gad_lightning.parts import check_given
from gad_lightning.streaming.compiled import CompiledStreams
from gad_lightning.streaming.events import StreamEvents
from gad_lightning.streaming.gated import GatedStreams, gated
from gad_lightning.streaming.gates.base import Gate
from gad_lightning.streaming.handing_over import LiveHandOver
from gad_lightning.streaming.pushed import Frames, pushed_features
from gad_lightning.streaming.streams import ChunkStreams
from gad_lightning.streaming.window_streams import WindowStreams
from gad_lightning.types import IGNORED, Predictions
from gad_lightning.video.encoders import Encoder


class OnlineDetector:
    """Labels the newest frame of one or many live streams, exactly as offline prediction labels the same frames.

    In ``one_pass`` mode a frame costs its own tokens and a branch: the keys and values of earlier frames are kept, and
    the frames before a chunk are read for it as they come, so no frame waits. In ``window`` mode the whole window is
    read again for every frame, as in the paper.

    Args:
        classifier: trained; put into evaluation mode.
        num_streams: streams that may be pushed; each starts, stalls and restarts by itself.
        merge: fold the LoRA into the classifier's weights first; it can then no longer be trained or saved.
        task: what is asked, index into the schema's tasks.
        compiled: run the backbone by ``torch.compile``: half a minute before the first labels; needs a C++ compiler on
            a CPU. In ``one_pass`` mode a step then reads every stream's rows, pushed or not, by one graph, and on CUDA
            by a CUDA graph: one stream is then five times as fast on an H200, 256 are slower than without.
        encoder: that the classifier's features were made with; ``push`` then takes pictures too.
        hand_over: how stretches that stay unknown are put into words, which :meth:`decide` gives; None for nothing.
        remember_seconds: for which :meth:`feedback` may come after a frame; 0 takes none.
        gate: which frames need all layers, such as :class:`EventGate`, in ``one_pass`` mode; for the others the last
            label stands. None reads all frames whole.

    Raises:
        SettingError: if there is no stream, a setting is out of its range, the encoder is another one, or the
            classifier cannot be handed over.

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
        encoder: Encoder | None = None,
        hand_over: HandOver | None = None,
        remember_seconds: float = 0.0,
        gate: Gate | None = None,
    ) -> None:
        if num_streams < 1:
            raise SettingError(f"num_streams must be at least 1, got {num_streams}.", "use 1 for one stream")
        if not 0 <= remember_seconds < float("inf"):
            raise SettingError(f"remember_seconds is 0 or more, got {remember_seconds}.", "use 60 for a minute")
        if hand_over is not None:
            classifier.check_hand_over(hand_over, task, merge)
        check_given("gate", gate, Gate, NoneType)
        self.classifier = classifier.eval()
        self.drift = classifier.backbone.merge() if merge else 0.0
        """Largest relative change of a weight matrix that rounding the merged weights has made."""
        self.num_streams = num_streams
        self.task = task
        self.seen = torch.zeros(num_streams, dtype=torch.int64)
        windows = classifier.schema.windows
        self.windows = torch.tensor([windows.short, windows.long, windows.chunk, task])
        self.streams: ChunkStreams | WindowStreams
        if gate is not None:
            self.streams = gated(classifier, num_streams, task, gate, compiled)
        elif classifier.schema.windows.mode == "one_pass":
            self.streams = (CompiledStreams if compiled else ChunkStreams)(classifier, num_streams, task)
        else:
            self.streams = WindowStreams(classifier, num_streams, task)
            if compiled:
                classifier.backbone.compile()
        self.events = StreamEvents(classifier, num_streams, task, remember_seconds)
        self.words = None if hand_over is None else LiveHandOver(classifier, hand_over, num_streams, task)
        self.encoder: Encoder | None = None
        if encoder is not None:
            self.use(encoder)

    def use(self, encoder: Encoder) -> None:
        """Take pictures too from now on, through an encoder; its weights are read here.

        Raises:
            SettingError: if the classifier's features were made with another one.
        """
        self.encoder = encoder_for(self.classifier.schema.features, encoder)
        self.encoder.load()
        self.encoder.to(self.classifier.device)

    @torch.inference_mode()
    def push(self, frames: Frames, streams: Sequence[int] | None = None) -> Predictions:
        """Take the next frame of some streams and label it. Threads may push side by side; they take turns.

        Args:
            frames: (n, N, D) features, one frame per stream named, not standardized; (n, D) or, for one stream, (D,)
                where N is 1. Or (n, h, w, 3) uint8 RGB pictures of one size, if there is an encoder. A tensor, a NumPy
                array or a list.
            streams: (n,) different streams; all of them, in order, by default.

        Returns:
            Predictions of n queries: ``video`` is the stream, ``frame`` and ``query_index`` the frames pushed before;
            ``unknown`` says which show none of the classes, if the classifier was fitted to reject.

        Raises:
            SettingError: if the frames are no numbers or have another shape, a stream is named twice or does not exist,
                or there are pictures and no encoder.
            DataError: if a feature is NaN or infinite; no stream has taken its frame then.
        """
        chosen = self.numbers(streams)
        if not len(chosen):
            return self.nothing()
        spec, dtype = self.classifier.schema.features, self.classifier.standardize.dtype
        ready = pushed_features(frames, chosen, spec, self.encoder, dtype).to(self.classifier.device)
        with self.classifier.turns:
            frame = self.seen[chosen]
            scores, logits, slot_states = self.streams.step(chosen, frame, ready)
            if self.words is not None:
                self.words.keep(chosen, frame, ready)
            self.seen[chosen] += 1
        found = Predictions(
            video=chosen,
            query_index=frame,
            task=torch.full_like(chosen, self.task),
            frame=frame,
            target=torch.full_like(chosen, IGNORED),
            scores=scores,
            logits=logits,
            slot_states=slot_states,
        )
        return self.classifier.judged(found)

    def decide(self, seen: Predictions) -> list[Step]:
        """Say what newly labeled frames bring: the label shown, events that start and events that ended.

        Events are, frame for frame, those of ``detect``; each stream's end with :meth:`restart`.

        Args:
            seen: what :meth:`push` gave; of every push, once and in their order.

        Returns:
            A step for each of the n queries. In its columns "unknown" is the class after the last one. With
            ``hand_over`` its ``words`` tell a stretch that has just stayed unknown for long enough.

        Raises:
            SettingError: if a push before it was not decided, or this one was already.
        """
        with self.classifier.turns:
            if self.words is None:
                return self.events.decide(seen)
            self.words.check(seen, self.seen)
            return self.words.told_in(self.events.decide(seen), seen, self.events.unknown_since(seen.video))

    def feedback(self, label: str, seconds: float, stream: int = 0, step: float = STEP) -> bool:
        """Say what a stream truly showed at a time; its next label sets follow, by adaptive conformal inference.

        If the set of that frame lacked the label, the next ones are larger, else they are a little smaller. Of T frames
        that were told, whatever the stream does, at most the share error + (error + step) / (step T) lacks its label.
        Starts and ends of events do not change.

        Args:
            label: name of the true class.
            seconds: since the stream's start, at most ``remember_seconds`` before its newest frame.
            stream: number of the stream.
            step: how far one label moves the error that sets are made for, in (0, 1]; the paper has 0.005, for
                thousands of labels.

        Returns:
            Whether the frame's set held it.

        Raises:
            SettingError: if there are no label sets, or nothing is remembered of that time.

        Source: Gibbs, Candes, Adaptive Conformal Inference Under Distribution Shift, NeurIPS 2021, arXiv 2106.00170.
        """
        self.numbers([stream])
        with self.classifier.turns:
            return self.events.feedback(label, seconds, stream, step)

    def numbers(self, streams: Sequence[int] | None) -> Tensor:
        """Check the numbers of some streams, all of them by default: (n,) int64.

        Raises:
            SettingError: if one is named twice or does not exist.
        """
        if streams is None:
            return torch.arange(self.num_streams)
        given = list(streams) if isinstance(streams, Iterable) else [streams]
        known = all(isinstance(one, Integral) and not isinstance(one, bool) for one in given)
        chosen = torch.tensor([int(one) for one in given] if known else [-1], dtype=torch.int64)
        if len(chosen.unique()) != len(chosen) or not bool(((chosen >= 0) & (chosen < self.num_streams)).all()):
            raise SettingError(
                f"streams are different numbers below {self.num_streams}, got {given}.", "name each stream once"
            )
        return chosen

    @property
    def whole_share(self) -> float | None:
        """Share of the frames so far that all layers read at once, in [0, 1]; None without a gate or before a frame."""
        if not isinstance(self.streams, GatedStreams) or not self.streams.looked:
            return None
        return self.streams.whole / self.streams.looked

    def nothing(self) -> Predictions:
        """Predictions of no query."""
        none, schema = torch.zeros(0, dtype=torch.int64), self.classifier.schema
        scores = torch.zeros(0, schema.num_classes, device=self.classifier.device)
        states = scores.new_zeros(0, self.classifier.backbone.hidden_size)
        return Predictions(none, none, none, none, none, scores, scores, states)

    def restart(self, streams: Sequence[int] | None = None) -> list[list[Event]]:
        """Forget what some streams have shown: their next frame is frame 0.

        Returns:
            The events of each that went on, which end here; none of streams that :meth:`decide` was not called for.

        Raises:
            SettingError: if a stream is named twice or does not exist.
        """
        chosen = self.numbers(streams)
        with self.classifier.turns:
            self.seen[chosen] = 0
            return self.events.restart(chosen)

    def state_dict(self) -> dict[str, Tensor]:
        """Copy all that the streams have left behind, on the CPU: tensors only, fit for ``torch.save``."""
        with self.classifier.turns:
            return {name: part.detach().to("cpu", copy=True) for name, part in self._state().items()}

    @torch.inference_mode()
    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on where another detector stopped, with the very scores that it would have given.

        Args:
            state: of a detector with as many streams and the same classifier, merged or not as this one is.

        Raises:
            CheckpointError: if it was saved by a detector of other streams, windows or weights, or the classifier was
                calibrated otherwise then.
        """
        with self.classifier.turns:
            mine = self._state()
            state = self.events.completed(state)
            for name in [*mine, *state]:
                here, there = (_shape_of(parts.get(name)) for parts in (mine, state))
                if here != there:
                    raise CheckpointError(
                        f"The saved streams have {there} for {name!r}; this detector has {here}.",
                        "make the detector with the classifier and the settings that the state was saved with: "
                        "num_streams, hand_over, remember_seconds, gate",
                    )
            theirs = state["windows"].tolist()
            if theirs != self.windows.tolist():
                raise CheckpointError(
                    f"The saved streams have window, long memory, chunk and task {theirs}; this detector has "
                    f"{self.windows.tolist()}.",
                    "make the detector with the classifier and task that the state was saved with",
                )
            self.streams.check(state)
            for name, part in mine.items():
                part.copy_(state[name])

    def _state(self) -> dict[str, Tensor]:
        words = {} if self.words is None else self.words.state()
        return {"seen": self.seen, "windows": self.windows, **self.streams.state(), **self.events.state(), **words}


def _shape_of(part: Tensor | None) -> str:
    """Describe shape and precision, to be compared and read."""
    return "nothing" if part is None else f"{tuple(part.shape)} {str(part.dtype).removeprefix('torch.')}"
