"""A program that compiles a network under an OpenTelemetry SDK, within a root span, as BSB's command line opens one.

    python spans.py stock|bsbpool FOLDER

Each rank prints how many spans there were, and how many of them without a parent.
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
parents = {span.name for span in spans if span.parent is None}
lines = MPI.gather((len(spans), sum(span.parent is None for span in spans), sorted(parents)))
if MPI.get_rank() == 0:
    print("ranks of main and others:", lines[0], "sum", tuple(sum(line[n] for line in lines[1:]) for n in range(2)))
