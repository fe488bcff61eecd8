"""Draws loss.csv as loss.svg (logarithmic loss axis).

    python3 curve.py
"""

import csv
import math
import pathlib

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 720, 360, 60, 30, 20, 45


def main():
    here = pathlib.Path(__file__).parent
    rows = list(csv.reader(open(here / "loss.csv", newline="")))[1:]
    points = [(int(s), float(v)) for s, v in rows if s.isdigit()]
    held_out = [float(v) for s, v in rows if s == "held_out"]
    last = points[-1][0]
    low, high = math.log10(0.04), math.log10(8)

    def x(step):
        return LEFT + (WIDTH - LEFT - RIGHT) * step / last

    def y(loss):
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - math.log10(loss)) / (high - low)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           f'<text x="{LEFT}" y="18">Cross-entropy per answer token (mean of 100 steps), {last} steps of 32,768 tokens</text>']
    for loss in (0.05, 0.1, 0.2, 0.5, 1, 2, 5):
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(loss):.1f}" y2="{y(loss):.1f}" stroke="#ddd"/>'
                   f'<text x="{LEFT - 8}" y="{y(loss) + 4:.1f}" text-anchor="end">{loss}</text>')
    for step in range(0, last + 1, 2000):
        out.append(f'<text x="{x(step):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{step}</text>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">step</text>')
    path = " ".join(f"{x(s):.1f},{y(v):.1f}" for s, v in points)
    out.append(f'<polyline points="{path}" fill="none" stroke="#1f5fbf" stroke-width="1.5"/>')
    for loss in held_out:
        out.append(f'<circle cx="{x(last):.1f}" cy="{y(loss):.1f}" r="4" fill="#c0392b"/>'
                   f'<text x="{x(last) - 8:.1f}" y="{y(loss) - 8:.1f}" text-anchor="end" fill="#c0392b">held out, bf16 weights: {loss}</text>')
    out.append("</svg>")
    (here / "loss.svg").write_text("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
