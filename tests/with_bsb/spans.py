"""A program that compiles a network under an OpenTelemetry SDK, within a root span, as BSB's command line opens one.

    python spans.py stock|bsbpool FOLDER

It prints how many spans there were, and how many of them without a parent. On several ranks, what belongs to making the
group of a cell type is left out: BSB does it on each rank that does not see yet that another one has done it.
"""

import sys
from pathlib import Path

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter

spans = []


class Keep(SpanExporter):
    def export(self, ended):
        spans.extend(ended)


provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(Keep()))
trace.set_tracer_provider(provider)
if sys.argv[1] == "bsbpool":
    import bsbpool.bsb

    bsbpool.bsb.install()
import bsb.options  # noqa: E402
from bsb import MPI  # noqa: E402
from bsb_otel.tracer import get_bsb_tracer  # noqa: E402

sys.path.append(str(Path(__file__).parent))
from networks import network  # noqa: E402

bsb.options.quiet = True
scaffold = network(Path(sys.argv[2]))
with get_bsb_tracer("bsb-core").trace("cli"):
    scaffold.compile(clear=True)
by_id = {span.context.span_id: span for span in spans}


def outermost(span):
    """The span in which it is, of those of this rank."""
    while span.parent is not None and span.parent.span_id in by_id:
        span = by_id[span.parent.span_id]
    return span.name


makes = "hdf5._require_group"
made = MPI.allgather(sum(span.name == makes for span in spans))
assert sum(made) >= len(scaffold.cell_types), made
if MPI.get_size() > 1:
    spans = [span for span in spans if outermost(span) != makes]
parents = {span.name for span in spans if span.parent is None}
lines = MPI.gather((len(spans), sum(span.parent is None for span in spans), sorted(parents)))
if MPI.get_rank() == 0:
    print("ranks of main and others:", lines[0], "sum", tuple(sum(line[n] for line in lines[1:]) for n in range(2)))
