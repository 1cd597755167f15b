"""Medians and spreads as tables for people."""
import statistics

FORWARD_ROWS = (
    ("down_gib_s", "download, one stream, GiB/s", "{:.2f}"),
    ("up_gib_s", "upload, one stream, GiB/s", "{:.2f}"),
    ("down4_gib_s", "download, four streams, GiB/s", "{:.2f}"),
    ("up4_gib_s", "upload, four streams, GiB/s", "{:.2f}"),
    ("down_cpu_s_gib", "CPU seconds a GiB down, all its processes", "{:.2f}"),
    ("up_cpu_s_gib", "CPU seconds a GiB up", "{:.2f}"),
    ("down_server_cpu_s_gib", "of them the server's, down", "{:.2f}"),
    ("up_server_cpu_s_gib", "of them the server's, up", "{:.2f}"),
    ("connect_s", "new connections a second, one after the other", "{:.0f}"),
    ("connect50_s", "new connections a second, 50 at once", "{:.0f}"),
    ("p50_us", "64 bytes there and back, median, µs", "{:.0f}"),
    ("p99_us", "64 bytes there and back, 99th percentile, µs", "{:.0f}"),
    ("udp_s", "UDP, 1,350 bytes, 1 Gbit/s offered: datagrams a second", "{:.0f}"),
    ("udp_loss_percent", "UDP: lost, %", "{:.2f}"),
    ("udp_cpu_s", "UDP: processors busy", "{:.2f}"),
)
APP_ROWS = (
    ("small_keep_s", "small body, keep-alive: requests a second", "{:.0f}"),
    ("small_keep_p50_us", "its median, µs", "{:.0f}"),
    ("small_keep_p99_us", "its 99th percentile, µs", "{:.0f}"),
    ("small_keep_cpu_us", "CPU µs a request, all its processes", "{:.0f}"),
    ("small_new_s", "small body, a connection for each: requests a second", "{:.0f}"),
    ("small_new_p50_us", "its median, µs", "{:.0f}"),
    ("small_new_p99_us", "its 99th percentile, µs", "{:.0f}"),
    ("large_keep_s", "1 MiB body, keep-alive: requests a second", "{:.0f}"),
    ("large_keep_p50_us", "its median, µs", "{:.0f}"),
    ("large_keep_p99_us", "its 99th percentile, µs", "{:.0f}"),
    ("large_keep_cpu_us", "CPU µs a request", "{:.0f}"),
)


def cell(values, form):
    return (f"{form.format(statistics.median(values))} "
            f"({form.format(min(values))}–{form.format(max(values))})")


def table(head, rows):
    return ["| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1),
            *("| " + " | ".join(row) + " |" for row in rows), ""]


def measured(rounds, rows):
    """`rounds`: way -> list of dicts."""
    names = list(rounds)
    lines = []
    for key, title, form in rows:
        cells = [cell([one[key] for one in found], form) if key in found[0] else "–"
                 for found in rounds.values()]
        if any(text != "–" for text in cells):
            lines.append([title, *cells])
    return table(["", *names], lines)


def forwards(found):
    lines = ["## Forwarded TCP and UDP", "", *measured(found["rounds"], FORWARD_ROWS)]
    names = list(found["once"])
    idle = [", ".join(f"{name} {kib / 1024:.1f}" for name, kib in one["idle_kib"].items()) or "–"
            for one in found["once"].values()]
    open_kib = [f"{one['connection_kib']:.1f}" if "connection_kib" in one else "–"
                for one in found["once"].values()]
    return lines + table(["", *names], [["resident before any load, MiB", *idle],
                                        ["an open idle connection, all processes, KiB", *open_kib]])


def lines_(found):
    if "skipped" in found:
        return ["## Long lines", "", found["skipped"], ""]
    text = ["## Long lines", "",
            f"Megabits a second of one stream on a line of {found['mbit']} Mbit/s.", ""]
    rows = []
    for title, rounds in found["lines"].items():
        for direction, word in (("down", "down"), ("up", "up")):
            rows.append([f"{title}, {word}", *(
                cell([one[direction] for one in one_way], "{:.0f}")
                for one_way in rounds.values())])
    names = list(next(iter(found["lines"].values())))
    return text + table(["", *names], rows)


def apps(found):
    return ["## App proxy", "", *measured(found["rounds"], APP_ROWS)]


def agents(found):
    rows = [[f"{one['agents']:,}", f"{one['server_mib']:.1f}", f"{one['kib_each']:.1f}",
             f"{one['connect_s']:.1f}", f"{one['return_s']:.1f}"] for one in found["steps"]]
    return ["## Connected agents", "",
            f"A real agent, connected and idle: {found['agent_mib']:.1f} MiB resident.", "",
            *table(["agents", "server resident, MiB", "each, KiB", "all connected after, s",
                    "all back after a restart, s"], rows)]


def ssh(found):
    own = ", ".join(f"{name}: {cipher}" for name, cipher in found["own_ciphers"].items())
    return ["## SSH", "", *measured(found["rounds"], tuple(
        (key, title, "{:.2f}") for key, title in found["rows"])),
            f"The same cipher is {found['same_cipher']}; by default they take: {own}.", ""]


def markdown(found):
    lines = ["# Benchmarks", "",
             f"{found['processor']}, Linux {found['kernel']}; medians of {found['repeat']} rounds "
             f"(least–most){', of a quick run' if found['quick'] else ''}.", ""]
    for part, write in (("forwards", forwards), ("lines", lines_), ("apps", apps),
                        ("agents", agents), ("ssh", ssh)):
        if part in found:
            lines += write(found[part])
    return "\n".join(lines).rstrip()
