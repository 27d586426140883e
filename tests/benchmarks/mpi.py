"""Shows what `ranks` measures, as tables of ratios, each with the bound that the project set itself."""

from __future__ import annotations

from measure import console, median, note, table
from ranks import LARGE, MEASURES, SMALL, run


def show(repetitions: int, measures=MEASURES) -> None:
    for measure in measures:
        for ranks in MEASURES[measure]:
            measured, library = run(measure, ranks, repetitions)
            console.print(f"{measure}, {ranks} ranks, {library}")
            console.print()
            globals()[measure](measured, ranks)
            console.print()


def ratios(ours, theirs):
    """The median of the ratios of each pair, and the lowest and the highest, as cells."""
    each = sorted(a / b for a, b in zip(ours, theirs, strict=True))
    return f"{median(each):.2f}", f"{each[0]:.2f}", f"{each[-1]:.2f}"


def throughput(rates, ranks) -> None:
    rows = table(
        "No-op jobs inside of execute(); a bare loop sends a pickled call and receives its result",
        ["", "its jobs/s", "bsbpool's", "bsbpool / it", "lowest", "highest", "bound"],
    )
    for name, pairs in rates.items():
        ours, theirs = zip(*pairs, strict=True)
        bound = "≥ 0.50" if "loop" in name else ""
        note(f"mpi: throughput on {ranks} ranks, relative to {name}", median(a / b for a, b in pairs))
        rows.add_row(name, f"{median(theirs):,.0f}", f"{median(ours):,.0f}", *ratios(ours, theirs), bound)
    console.print(rows)


def growth(costs, ranks) -> None:
    rows = table(
        f"Cost of a job, queueing included: of {LARGE:,} relative to {SMALL:,}",
        ["", f"µs of {SMALL:,}", f"µs of {LARGE:,}", "relative", "bound"],
    )
    for name, by_size in costs.items():
        small, large = median(by_size[str(SMALL)]), median(by_size[str(LARGE)])
        note(f"mpi: cost of a job of {LARGE:,}, relative to {SMALL:,}, {name}", large / small)
        rows.add_row(name, f"{small * 1e6:.1f}", f"{large * 1e6:.1f}", f"{large / small:.2f}", "≤ 1.20")
    console.print(rows)


def payload(measured, ranks) -> None:
    rates = measured["rates"]
    rows = table("Results that are 64 MB arrays", ["", "MB/s", "relative to pkl5", "lowest", "highest", "bound"])
    for name, rate in rates.items():
        bound = "≥ 0.80" if name == "bsbpool" else ""
        if bound:
            pairs = zip(rate, rates["mpi4py.util.pkl5"], strict=True)
            note("mpi: rate of large results, relative to mpi4py.util.pkl5", median(a / b for a, b in pairs))
        rows.add_row(name, f"{median(rate):,.0f}", *ratios(rate, rates["mpi4py.util.pkl5"]), bound)
    console.print(rows)
    console.print(f"{measured['results']:,.0f} MB of results made main grow by {measured['growth']:,.0f} MB")


def idle(measured, ranks) -> None:
    rows = table("Ranks that wait", ["", "measured", "bound"])
    main, working, *without = (f"{share:.1%}" for share in measured["shares"])
    delays = sorted(measured["delays"])
    rows.add_row("share of a core, main during a long job", main, "≤ 3%")
    rows.add_row("the worker that sleeps in that job", working, "")
    rows.add_row("workers without a job", ", ".join(without), "≤ 3%")
    rows.add_row("a job starts on an idle worker, median", f"{median(delays) * 1e3:.2f} ms", "≤ 2 ms")
    rows.add_row("90% of them within", f"{delays[len(delays) * 9 // 10] * 1e3:.2f} ms", "")
    console.print(rows)


def oversubscribed(measured, ranks) -> None:
    ours, ideal = zip(*measured["pairs"], strict=True)
    time = median(a / b for a, b in measured["pairs"])
    note(f"mpi: time of jobs that compute, {ranks} ranks on {measured['cores']} cores, relative to the ideal", time)
    rows = table(
        f"{measured['jobs']} jobs that compute for 10 ms, on {measured['cores']} cores",
        ["pool, s", "dealt out beforehand, s", "relative", "lowest", "highest", "bound"],
    )
    rows.add_row(f"{median(ours):.2f}", f"{median(ideal):.2f}", *ratios(ours, ideal), "≤ 1.15")
    console.print(rows)
