"""The look of the report: one style sheet, light or dark as the reader's system is."""

STYLE = """
:root { color-scheme: light dark;
  --page: #ffffff; --text: #1b1f24; --dim: #626b75; --rule: #dfe3e8; --panel: #f6f8fa;
  --s0: #0b5cad; --s1: #b8500a; --s2: #14805e; --s3: #a03c82; --s4: #8a6d00; --s5: #3a7ca5;
  --first: #c2321f; --second: #8a6300; --empty: #848d97; }
@media (prefers-color-scheme: dark) { :root {
  --page: #14171b; --text: #e4e7eb; --dim: #98a2ad; --rule: #333a42; --panel: #1d2127;
  --s0: #6cb0f5; --s1: #f09a5b; --s2: #57c9a2; --s3: #dc8dc3; --s4: #d9bb4a; --s5: #8cc7e8;
  --first: #ff7b69; --second: #f2c53d; --empty: #7c8691; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 72rem; background: var(--page);
  color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.6rem; } h2 { margin: 2.5rem 0 .75rem; font-size: 1.15rem; }
h3 { margin: 1.5rem 0 .25rem; font-size: 1rem; } p { margin: .25rem 0; }
.dim, .none, figcaption { color: var(--dim); }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: .75rem;
  margin: 1rem 0; padding: 0; }
.facts div { padding: .6rem .8rem; background: var(--panel); border-radius: .4rem; }
.facts dt { color: var(--dim); font-size: .8rem; }
.facts dd { margin: 0; font-size: 1.15rem; font-variant-numeric: tabular-nums; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 28rem), 1fr));
  gap: 1.5rem; }
figure { margin: 0; } svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--dim); font: 11px system-ui, sans-serif; }
svg .grid { stroke: var(--rule); } svg .tick { stroke: var(--dim); }
svg polyline { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
svg .dashed { stroke-dasharray: 5 3; }
svg .s0 { stroke: var(--s0); } svg .s1 { stroke: var(--s1); } svg .s2 { stroke: var(--s2); }
svg .s3 { stroke: var(--s3); } svg .s4 { stroke: var(--s4); } svg .s5 { stroke: var(--s5); }
svg circle { fill: var(--page); }
.legend { display: flex; flex-wrap: wrap; gap: .1rem 1rem; margin: 0; padding: 0 0 0 .5rem;
  list-style: none; font-size: .85rem; font-variant-numeric: tabular-nums; }
.legend li::before { content: ""; display: inline-block; width: 1.1em; margin-right: .4em;
  vertical-align: middle; border-top: 3px solid currentColor; }
.legend .s0::before { color: var(--s0); } .legend .s1::before { color: var(--s1); }
.legend .s2::before { color: var(--s2); } .legend .s3::before { color: var(--s3); }
.legend .s4::before { color: var(--s4); } .legend .s5::before { color: var(--s5); }
.scroll { overflow-x: auto; } .charts + .scroll { margin-top: 1.5rem; }
.groups { columns: 20rem; column-gap: 2rem; }
.groups .scroll { break-inside: avoid; padding-bottom: 1.5rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .9rem .2rem 0; border-bottom: 1px solid var(--rule); text-align: left;
  vertical-align: top; white-space: nowrap; }
.wrapped { min-width: 13rem; white-space: normal; overflow-wrap: anywhere; }
.groups .wrapped { min-width: 0; }
th { color: var(--dim); font-weight: normal; } .right { text-align: right; }
pre, .moves, code { font-family: ui-monospace, monospace; }
pre { margin: 0; line-height: 1.25; } .moves { overflow-wrap: anywhere; }
.boards { display: flex; flex-wrap: wrap; gap: 1.5rem; margin-top: .75rem; }
.board { padding: .75rem 1rem; background: var(--panel); border-radius: .4rem; }
.first { color: var(--first); font-weight: bold; } .second { color: var(--second);
  font-weight: bold; } .empty { color: var(--empty); }
@media (max-width: 40rem) { svg text { font-size: 14px; } table { font-size: .8rem; }
  th, td { padding-right: .6rem; } }
"""
