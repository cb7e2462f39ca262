"""Where a run stands, and how to tell Lightning to go on exactly there."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

from lightning import Trainer

LOOPS = "epoch_progress", "epoch_loop.batch_progress", "epoch_loop.val_loop.batch_progress"


class Position(NamedTuple):
    """A place in a run at which an optimizer step has just been made, or nothing has."""

    epoch: int  # epoch that the next batch belongs to, from 0
    batches: int  # batches of it that are done, in every process
    total_batches: int  # batches of all epochs that are done
    steps: int  # optimizer steps that are done
    validated: bool  # whether a validation that is due after the last batch is done

    @classmethod
    def of(cls, trainer: Trainer, validated: bool) -> Position:
        """Find the last optimizer step of a fit; batches accumulated after it are left out: they are done again.

        Args:
            trainer: in ``fit``, in any hook.
            validated: whether validation has run since the last batch.
        """
        fit: Any = trainer.fit_loop  # Lightning declares less of its counters than they hold
        total, steps = batches_done(trainer), trainer.global_step
        epoch, done = fit.epoch_progress.current.started - 1, fit.epoch_loop.batch_progress.current.processed
        if epoch < 0:
            return cls(0, 0, 0, 0, True)
        epoch_is_over = fit.epoch_progress.current.processed > epoch
        if done >= trainer.num_training_batches:
            if epoch_is_over:
                return cls(epoch + 1, 0, total, steps, True)
            return cls(epoch, done, total, steps, validated)
        cut = done % trainer.accumulate_grad_batches
        return cls(epoch, done - cut, total - cut, steps, validated or cut > 0 or epoch_is_over or done == cut)

    def told_to(self, loops: dict[str, Any], batches_per_epoch: int) -> dict[str, Any]:
        """Rewrite the state of Lightning's fit loop, as a checkpoint has it, so that the loop goes on here.

        Lightning stores how far its hooks had come and guesses from that what is left to do. Depending on the hook that
        saved, it then drops the rest of an epoch, a validation or a count. So the state is always brought to one of
        three that it continues rightly: between two epochs; after a batch with validation still to run; after a batch
        with validation run.

        Args:
            loops: ``checkpoint["loops"]["fit_loop"]``.
            batches_per_epoch: of every process.
        """
        told = copy.deepcopy(loops)
        between = self.batches == 0
        epochs, batches, validation = (told[name] for name in LOOPS)
        started, last = self.epoch + (not between), min(self.epoch, 1) * batches_per_epoch if between else self.batches
        for part in ("total", "current"):
            epochs[part] |= {"ready": started, "started": started, "processed": self.epoch, "completed": self.epoch}
            count = self.total_batches if part == "total" else last
            batches[part] |= dict.fromkeys(("ready", "started", "processed", "completed"), count)
            begun = int(not self.validated)  # a validation that was begun and came to nothing is run again
            validation[part] |= {"ready": begun, "started": begun, "processed": 0, "completed": 0}
        batches["is_last_batch"] = last >= batches_per_epoch
        validation["is_last_batch"] = False
        # Lightning counts a step after its validation; at the next batch ExactResume sets the count right in any case
        told["epoch_loop.state_dict"]["_batches_that_stepped"] = self.steps if between else self.steps - 1
        return told


def batches_done(trainer: Trainer) -> int:
    """Batches of all epochs so far."""
    fit: Any = trainer.fit_loop
    return int(fit.epoch_loop.batch_progress.total.processed)
