"""The page's looks: light and dark, phone and desk, paper too."""

from __future__ import annotations

# Colors of contenders, told apart by color-blind readers; the dark ones follow in STYLE.
COLORS = 8

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fbfaf8; --card: #ffffff; --ink: #1d1b18; --soft: #6b665e; --line: #e4e0d8;
  --accent: #0b5cad; --best: #e6f0fa; --warn: #8a4b00; --warn-paper: #fff4e0; --bad: #b3261e;
  --c0: #0b6bcb; --c1: #d1541d; --c2: #158057; --c3: #8a4fbf;
  --c4: #a87400; --c5: #c2347e; --c6: #0f8a94; --c7: #55606e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #16171a; --card: #1e2024; --ink: #ece9e4; --soft: #a09a90; --line: #33363c;
    --accent: #7db8f5; --best: #1f344a; --warn: #ffcf8a; --warn-paper: #3a2c12; --bad: #ff9a8f;
    --c0: #5fa8f5; --c1: #f58a5a; --c2: #4cc795; --c3: #c39af0;
    --c4: #e0b04a; --c5: #f07db5; --c6: #4fc4cc; --c7: #a3adba;
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue",
    "Noto Sans", Arial, sans-serif;
}
main { max-width: 1420px; margin: 0 auto; padding: 40px 24px 80px; }
h1 { font-size: clamp(1.7rem, 4vw, 2.5rem); line-height: 1.15; margin: 0 0 .5em;
  letter-spacing: -.02em; text-wrap: balance; }
h2 { font-size: 1.45rem; line-height: 1.2; margin: 0; letter-spacing: -.01em; }
h3 { font-size: .95rem; margin: 28px 0 8px; }
p { margin: 0 0 .8em; }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
.lead { font-size: 1.08rem; max-width: 75ch; }
.soft { color: var(--soft); }
.small { font-size: .85rem; }
.measure { max-width: 80ch; }
.small.measure { max-width: 105ch; }
.notice { background: var(--warn-paper); color: var(--warn); border-radius: 8px;
  padding: 10px 14px; margin: 0 0 12px; max-width: 90ch; font-size: .95rem; }
.chip { display: inline-block; border-radius: 99px; padding: 1px 10px; font-size: .75rem;
  font-weight: 600; vertical-align: middle; white-space: nowrap; }
.chip.warn { background: var(--warn-paper); color: var(--warn); }
.claims { list-style: none; padding: 0; margin: 0 0 20px; display: grid; gap: 10px 28px;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); }
.claims li { padding-left: 14px; border-left: 3px solid var(--accent); font-size: .92rem; }
nav { display: flex; flex-wrap: wrap; gap: 8px; margin: 20px 0 4px; }
nav a { border: 1px solid var(--line); background: var(--card); border-radius: 99px;
  padding: 3px 14px; font-size: .88rem; color: var(--ink); }
section { margin-top: 48px; padding-top: 28px; border-top: 1px solid var(--line); }
.heading { display: flex; flex-wrap: wrap; gap: 6px 12px; align-items: baseline; margin: 0 0 4px; }
.strip { display: flex; gap: 10px; overflow-x: auto; padding: 12px 0 6px; margin: 8px 0 4px; }
.strip figure { flex: 1 0 150px; max-width: 260px; margin: 0; min-width: 0; }
.strip figure:first-child { position: sticky; left: 0; z-index: 2; background: var(--paper);
  box-shadow: 0 0 0 5px var(--paper), 11px 0 8px -6px rgba(0, 0, 0, .16); }
.strip .name { font-size: .85rem; font-weight: 600; line-height: 1.25;
  display: flex; align-items: flex-end; padding-bottom: 4px; min-height: calc(2.5em + 4px); }
.strip img { display: block; width: 100%; height: auto; cursor: zoom-in; border-radius: 6px;
  background: var(--card); outline: 1px solid var(--line); outline-offset: -1px; }
.strip img:focus { position: fixed; inset: 3vmin; width: 94vw; height: 94vh; z-index: 9;
  object-fit: contain; pointer-events: none; border-radius: 12px;
  box-shadow: 0 0 0 50vmax rgba(0, 0, 0, .6); }
.strip figcaption { font-size: .78rem; color: var(--soft); line-height: 1.35;
  padding: 3px 0 9px; min-height: calc(2.7em + 12px); font-variant-numeric: tabular-nums; }
.strip .none { display: grid; place-items: center; border: 1px dashed var(--line);
  border-radius: 6px; padding: 12px; font-size: .8rem; color: var(--bad); text-align: center;
  overflow: hidden; overflow-wrap: anywhere; }
.bar { height: 14px; border-radius: 4px; margin-top: 10px; outline: 1px solid var(--line); }
.ticks { position: relative; height: 1.4em; font-size: .72rem; color: var(--soft);
  font-variant-numeric: tabular-nums; }
.ticks span { position: absolute; transform: translateX(-50%); white-space: nowrap; }
.ticks span:first-child { transform: none; }
.ticks span:last-child { transform: translateX(-100%); }
.dot { display: inline-block; flex: none; width: .68em; height: .68em; border-radius: 50%;
  margin: 0 .45em .05em 0; }
.scroll { overflow-x: auto; margin: 8px 0 4px; border: 1px solid var(--line);
  border-radius: 10px; background: var(--card); }
table { border-collapse: collapse; width: 100%; font-size: .85rem;
  font-variant-numeric: tabular-nums; }
th, td { padding: 7px 9px; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; z-index: 1;
  background: var(--card); }
thead th { font-weight: 600; vertical-align: bottom; border-bottom: 1px solid var(--line);
  font-size: .78rem; line-height: 1.3; white-space: normal; min-width: 5em; }
thead .kind th { border: 0; color: var(--soft); font-weight: 500; text-transform: uppercase;
  letter-spacing: .06em; font-size: .68rem; padding-bottom: 0; text-align: left; }
thead abbr { text-decoration: underline dotted var(--soft); text-underline-offset: 3px;
  cursor: help; }
sup a { font-weight: 400; font-size: .75em; padding: 0 2px; }
tbody tr + tr td { border-top: 1px solid var(--line); }
tbody .field td { color: var(--soft); font-size: .76rem; padding: 10px 9px 3px; }
tbody .field + tr td { border-top: 0; }
td.best { font-weight: 700; background: var(--best); }
td.fail { text-align: left; color: var(--bad); white-space: normal; }
td.words, th.words { text-align: left; }
td.none { color: var(--soft); }
.remark { color: var(--soft); font-size: .78rem; display: block; white-space: normal; }
.remark.bad { color: var(--bad); }
.edge { border-left: 1px solid var(--line); }
.plot { width: 100%; max-width: 760px; height: auto; display: block; }
.plot polyline { stroke-width: 2.2; stroke-linejoin: round; }
.plot circle { stroke: var(--paper); stroke-width: 1.5; }
.plot .rule { stroke: var(--line); }
.plot text { fill: var(--soft); font: 12px ui-sans-serif, system-ui, sans-serif; }
.plot .axis { fill: var(--ink); font-size: 13px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: .85rem; padding: 4px 0; }
.protocol { padding-left: 1.6em; max-width: 90ch; }
.protocol li { margin-bottom: 6px; font-size: .9rem; }
.protocol li:target { background: var(--best); }
.protocol li::marker { color: var(--soft); }
.facts { font-size: .9rem; padding-left: 1.1em; max-width: 100ch; overflow-wrap: anywhere; }
code { font: .88em ui-monospace, "SF Mono", Menlo, Consolas, monospace; background: var(--card);
  border: 1px solid var(--line); border-radius: 5px; padding: 1px 6px; overflow-wrap: anywhere; }
@media (max-width: 640px) {
  main { padding: 24px 14px 60px; }
  th, td { padding: 6px 9px; }
  .strip figure { flex-basis: 132px; }
  .strip figcaption { min-height: calc(4.05em + 12px); }
  .plot text { font-size: 19px; }
  .plot .axis { font-size: 20px; }
}
@media print {
  .strip, .scroll { overflow: visible; }
  section { break-inside: avoid; }
}
"""
