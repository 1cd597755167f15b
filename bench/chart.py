"""One SVG of bars, for light and dark: a panel for each thing that people compare."""
import statistics
from xml.sax.saxutils import escape

WIDTH, LABEL, BAR, ROW, TITLE, GAP, MARGIN = 860, 230, 520, 22, 30, 18, 20
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 14px }
.small { fill: #59636e; font-size: 12px }
.peer { fill: #9aa4af } .adit { fill: #0969da } .spread { stroke: #1f2328; stroke-width: 1.5 }
.page { fill: #ffffff }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .small { fill: #9198a1 }
  .peer { fill: #59636e } .adit { fill: #4493f8 } .spread { stroke: #e6edf3 }
  .page { fill: #0d1117 }
}
"""
FORWARD_PANELS = (
    ("down_gib_s", "Download, one stream, GiB/s (more is better)", "{:.2f}"),
    ("up_gib_s", "Upload, one stream, GiB/s (more is better)", "{:.2f}"),
    ("down_cpu_s_gib", "CPU seconds a GiB down, all processes (less is better)", "{:.2f}"),
    ("connect_s", "New connections a second, one after the other (more is better)", "{:,.0f}"),
    ("p50_us", "64 bytes there and back, median µs (less is better)", "{:.0f}"),
)
APP_PANELS = (
    ("small_keep_s", "App proxy, small answers, requests a second (more is better)", "{:,.0f}"),
    ("large_keep_s", "App proxy, 1 MiB answers, requests a second (more is better)", "{:,.0f}"),
)


def _bars(rounds, key):
    """(name, all values) of the ways that have it, without a tunnel left out."""
    return [(name, [one[key] for one in found]) for name, found in rounds.items()
            if found and key in found[0] and name != "no tunnel"]


def _panels(found):
    for part, panels in (("forwards", FORWARD_PANELS), ("apps", APP_PANELS)):
        for key, title, form in panels if part in found else ():
            yield title, form, _bars(found[part]["rounds"], key)
    lines = found.get("lines", {}).get("lines", {})
    if "100 ms" in lines:
        yield ("Download on a line of 500 Mbit/s and 100 ms, Mbit/s (more is better)", "{:.0f}",
               _bars(lines["100 ms"], "down"))


def _panel(title, form, bars, top):
    out = [f'<text class="title" x="{MARGIN}" y="{top + 18}">{escape(title)}</text>']
    most = max(max(values) for _, values in bars)
    for number, (name, values) in enumerate(bars):
        y = top + TITLE + number * ROW
        median = statistics.median(values)
        scale = BAR / most
        kind = "adit" if name.startswith("adit") else "peer"
        left = MARGIN + LABEL
        middle = y + ROW / 2 - 2
        out += [
            f'<text x="{left - 10}" y="{y + 14}" text-anchor="end">{escape(name)}</text>',
            f'<rect class="{kind}" x="{left}" y="{y + 2}" width="{median * scale:.1f}" '
            f'height="{ROW - 7}" rx="2"/>',
            f'<line class="spread" x1="{left + min(values) * scale:.1f}" y1="{middle}" '
            f'x2="{left + max(values) * scale:.1f}" y2="{middle}"/>',
            f'<text class="small" x="{left + max(values) * scale + 8:.1f}" y="{y + 14}">'
            f'{form.format(median)}</text>']
    return out, top + TITLE + len(bars) * ROW + GAP


def svg(found):
    body, top = [], MARGIN
    for title, form, bars in _panels(found):
        if bars:
            drawn, top = _panel(title, form, bars, top)
            body += drawn
    note = (f"{found['processor']}, Linux {found['kernel']}; bars are medians, "
            "lines go from the least to the most")
    body.append(f'<text class="small" x="{MARGIN}" y="{top + 6}">{escape(note)}</text>')
    height = top + MARGIN
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" role="img" aria-label="Benchmarks of adit and peers">'
            f'<style>{STYLE}</style><rect class="page" width="{WIDTH}" height="{height}"/>\n'
            + "\n".join(body) + "\n</svg>\n")
