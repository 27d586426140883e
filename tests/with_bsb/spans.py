"""A program that compiles a network under an OpenTelemetry SDK, within a root span, as BSB's command line opens one.

    python spans.py FOLDER

It does so with BSB's own pool, and then with this one. For each it prints which pool that was, how many spans there
were, and how many of them without a parent. On several ranks, what belongs to making the group of a cell type is left
out: BSB does it on each rank that does not see yet that another one has done it.
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

# BSB takes the provider that is there when it is imported, so its imports, and what imports it, stand below.
import bsb  # noqa: E402
import bsb.options  # noqa: E402
from bsb import MPI  # noqa: E402
from bsb_otel.tracer import get_bsb_tracer  # noqa: E402

import bsbpool.bsb  # noqa: E402

sys.path.append(str(Path(__file__).parent))
from networks import network  # noqa: E402

bsb.options.quiet = True
MAKES = "hdf5._require_group"


def outermost(span, by_id):
    """The span in which it is, of those of this rank."""
    while span.parent is not None and span.parent.span_id in by_id:
        span = by_id[span.parent.span_id]
    return span.name


def compiled(folder):
    """The spans of this rank, of a compile."""
    spans.clear()
    scaffold = network(folder)
    with get_bsb_tracer("bsb-core").trace("cli"):
        scaffold.compile(clear=True)
    made = MPI.allgather(sum(span.name == MAKES for span in spans))
    assert sum(made) >= len(scaffold.cell_types), made
    by_id = {span.context.span_id: span for span in spans}
    return [span for span in spans if MPI.get_size() == 1 or outermost(span, by_id) != MAKES]


def show(found):
    """Main prints the spans of all ranks."""
    parents = {span.name for span in found if span.parent is None}
    lines = MPI.gather((len(found), sum(span.parent is None for span in found), sorted(parents)))
    if MPI.get_rank() == 0:
        others = tuple(sum(line[n] for line in lines[1:]) for n in range(2))
        print(bsb.JobPool.__module__, "ranks of main and others:", lines[0], "sum", others)


folder = Path(sys.argv[1])
for which in ("stock", "ours"):
    if which == "ours":
        bsbpool.bsb.install()
    (folder / which).mkdir(exist_ok=True)
    show(compiled(folder / which))
