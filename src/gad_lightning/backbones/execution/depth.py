"""Runs the lowest layers of a decoder and the others apart, with what enters the others kept between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

Output = Tensor | tuple[Tensor, ...]
"""States, or states and what a layer tells beside them."""


class SplitDepth:
    """Splits the layers of an unmodified decoder in two: what one part gives, the other goes on with.

    Whatever a decoder does around its layers (position embeddings, rotations, masks, the last norm) it does as ever; a
    layer that is left out hands on what it was given. Both parts together give what one pass gives.

    Args:
        blocks: layers in their order.
        lowest: of the first part, 0 to all of them; with 0 it only makes input vectors.
    """

    def __init__(self, blocks: Sequence[nn.Module], lowest: int) -> None:
        self.blocks, self.lowest = blocks, lowest
        self.in_tuples = False
        self.width = 0
        """Numbers of a state between two layers, once a whole pass was run."""
        self._looking: RemovableHandle | None = blocks[-1].register_forward_hook(self._look)

    def _look(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Output) -> None:
        """See in the first whole pass whether layers give states alone, and of what width."""
        self.in_tuples = isinstance(output, tuple)
        self.width = (output[0] if isinstance(output, tuple) else output).shape[-1]
        if self._looking is not None:
            self._looking.remove()
            self._looking = None

    def below(self, run: Callable[[], Tensor]) -> Tensor:
        """Run the first part.

        Args:
            run: calls the decoder.

        Returns:
            States that the second part begins with, (R, T, H).
        """
        reached: list[Tensor] = []

        def keep(states: Tensor, *unused: object, **more: object) -> Output:
            """Keep what comes, and hand it on."""
            reached.append(states)
            return self._as_layer(states)

        with self._left_out(range(self.lowest, len(self.blocks)), keep):
            run()
        return reached[0]

    def above(self, run: Callable[[], Tensor], states: Tensor) -> Tensor:
        """Run the second part.

        Args:
            run: calls the decoder with the places of these tokens.
            states: (R, T, H) that :meth:`below` gave for them.

        Returns:
            What ``run`` gives.
        """

        def begin(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            """Take the states in place of what was handed on."""
            return (states, *inputs[1:])

        def hand_on(given: Tensor, *unused: object, **more: object) -> Output:
            """Do nothing."""
            return self._as_layer(given)

        handle = self.blocks[self.lowest].register_forward_pre_hook(begin)
        try:
            with self._left_out(range(self.lowest), hand_on):
                return run()
        finally:
            handle.remove()

    def _as_layer(self, states: Tensor) -> Output:
        return (states,) if self.in_tuples else states

    @contextmanager
    def _left_out(self, layers: range, instead: Callable[..., Output]) -> Iterator[None]:
        """Let something else take the place of some layers for as long as the block lasts."""
        chosen = [self.blocks[index] for index in layers]
        before = [layer.__dict__.get("forward") for layer in chosen]  # some have one of their own already
        try:
            for layer in chosen:
                layer.forward = instead  # of this one object, over its class's
            yield
        finally:
            for layer, own in zip(chosen, before, strict=True):
                del layer.forward
                if own is not None:
                    layer.forward = own
