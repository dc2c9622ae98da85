"""Draws results as bars: how far each figure is from its target."""

from xml.sax.saxutils import escape

WIDTH, LINE, LEFT, SCALE = 860, 24, 200, 300


def bars(results):
    rows = [r for r in results if r["target"]]
    height = LINE * (len(rows) + 3)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
             'font-family="sans-serif" font-size="13">',
             f'<text x="10" y="{LINE}">Each figure as a part of its limit; the line is the limit. '
             'Where more is better the part is inverted.</text>']
    for number, r in enumerate(rows):
        part = r["value"] / r["target"] if r["better"] == "less" else r["target"] / r["value"]
        y = LINE * (number + 2)
        colour = "#4a90a4" if r["met"] else "#c0563b"
        length = min(part, 1.5) * SCALE
        parts += [f'<text x="{LEFT - 8}" y="{y + 13}" text-anchor="end">{escape(r["name"])}</text>',
                  f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{LINE - 6}" fill="{colour}"/>',
                  f'<text x="{LEFT + length + 6:.1f}" y="{y + 13}">{r["value"]:.3g} {escape(r["unit"])} '
                  f'({"at most" if r["better"] == "less" else "at least"} {r["target"]:g})</text>']
    limit = LEFT + SCALE
    parts.append(f'<line x1="{limit}" x2="{limit}" y1="{LINE * 1.5}" y2="{height - LINE}" stroke="black"/></svg>')
    return "\n".join(parts) + "\n"
