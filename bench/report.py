"""Medians and spreads as a table for people."""
import platform
import statistics

ROWS = (
    ("down_gib_s", "download, one stream, GiB/s", "{:.2f}"),
    ("up_gib_s", "upload, one stream, GiB/s", "{:.2f}"),
    ("down4_gib_s", "download, four streams, GiB/s", "{:.2f}"),
    ("up4_gib_s", "upload, four streams, GiB/s", "{:.2f}"),
    ("down_cpu_s_gib", "CPU seconds a GiB down, all its processes", "{:.2f}"),
    ("up_cpu_s_gib", "CPU seconds a GiB up", "{:.2f}"),
    ("connect_s", "new connections a second, one after the other", "{:.0f}"),
    ("connect50_s", "new connections a second, 50 at once", "{:.0f}"),
    ("p50_us", "64 bytes there and back, median, µs", "{:.0f}"),
    ("p99_us", "64 bytes there and back, 99th percentile, µs", "{:.0f}"),
    ("app_p50_us", "app request with a ticket, median, µs", "{:.0f}"),
    ("app_p99_us", "app request with a ticket, 99th percentile, µs", "{:.0f}"),
)


def cell(values, form):
    return (f"{form.format(statistics.median(values))} "
            f"({form.format(min(values))}–{form.format(max(values))})")


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            names = [line.split(":", 1)[1].strip() for line in info
                     if line.startswith("model name")]
        return f"{len(names)} × {names[0]}"
    except (OSError, IndexError):
        return platform.machine()


def added_by_proxy(rounds, name):
    """What a request takes longer than without anything between."""
    times = {way: [one["app_p50_us"] for one in found if "app_p50_us" in one]
             for way, found in rounds.items()}
    direct = times.get("no tunnel")
    if not direct or not times[name]:
        return "–"
    return f"{statistics.median(times[name]) - statistics.median(direct):.0f}"


def markdown(rounds, memory):
    """`rounds`: way -> list of measurements; `memory`: way -> process -> KiB resident."""
    names = list(rounds)
    lines = [f"{processor()}, Linux {platform.release()}; median of "
             f"{len(rounds[names[0]])} rounds (least–most).", "",
             "| | " + " | ".join(names) + " |", "|---|" + "--:|" * len(names)]
    for key, title, form in ROWS:
        cells = [cell([one[key] for one in rounds[name]], form) if key in rounds[name][0] else "–"
                 for name in names]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    sizes = [", ".join(f"{process} {kib / 1024:.1f}" for process, kib in memory[name].items())
             or "–" for name in names]
    lines.append("| added by the app proxy, median, µs | " +
                 " | ".join(added_by_proxy(rounds, name) for name in names) + " |")
    lines.append("| memory afterwards, MiB | " + " | ".join(sizes) + " |")
    return "\n".join(lines)
