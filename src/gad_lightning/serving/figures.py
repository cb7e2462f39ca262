"""What a server counts, for Prometheus and for its own page."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Figures:
    """Counters and histograms of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own = self.registry
        self.places = Gauge("gad_places", "Streams that there is room for", registry=own)
        self.open = Gauge("gad_streams_open", "Streams with a connection", registry=own)
        self.kept = Gauge("gad_streams_kept", "Streams without one, which may be resumed", registry=own)
        self.waiting = Gauge("gad_frames_waiting", "Frames that wait to be labeled", registry=own)
        self.labeled = Counter("gad_frames_labeled", "Frames that were labeled", registry=own)
        self.dropped = Counter("gad_frames_dropped", "Frames that were lost to newer ones", registry=own)
        self.refused = Counter("gad_frames_refused", "Frames that could not be used", registry=own)
        self.full = Counter("gad_streams_refused", "Streams that found no place", registry=own)
        self.stalled = Counter("gad_streams_stalled", "Streams that were closed as no frame came", registry=own)
        self.jobs = Counter("gad_jobs", "Videos that were labeled, or not", ["state"], registry=own)
        self.step = Histogram("gad_step_seconds", "Of one step of the detector", buckets=SECONDS, registry=own)
        self.latency = Histogram("gad_latency_seconds", "From frame to label", buckets=SECONDS, registry=own)
        self.batch = Histogram("gad_batch_frames", "Labeled in one step", buckets=BATCHES, registry=own)

    def text(self) -> bytes:
        """All of them in the text format of Prometheus."""
        return generate_latest(self.registry)
