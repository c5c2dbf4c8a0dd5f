/** Of the documentation page: one file, no script, light and dark. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --ink: light-dark(#1c2430, #dfe5ec); --soft: light-dark(#5a6675, #94a1b0); --ground: light-dark(#fff, #12171d);
  --panel: light-dark(#f5f7f9, #1a2129); --line: light-dark(#dfe4ea, #2b3540);
  --get: light-dark(#0a6c74, #5cc8d1); --post: light-dark(#9a4a06, #f0a35e); --link: light-dark(#0a5ea8, #7fb8f0);
}
* { box-sizing: border-box }
html { scroll-padding-top: 1rem }
body { margin: 0; color: var(--ink); background: var(--ground); font: 16px/1.6 system-ui, -apple-system, 'Segoe UI', sans-serif }
a { color: var(--link); text-decoration: none } a:hover { text-decoration: underline }
code, pre { font-family: ui-monospace, 'SF Mono', Menlo, Consolas, monospace; font-size: .84em }
p code, td code, li code, summary code { background: var(--panel); border-radius: .25rem; padding: .1em .3em; overflow-wrap: anywhere }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; margin: .5rem 0; overflow-x: auto; line-height: 1.5 }
.page { display: grid; grid-template-columns: 18.5rem minmax(0, 1fr); max-width: 84rem; margin: 0 auto }
nav { position: sticky; top: 0; align-self: start; max-height: 100vh; overflow-y: auto; padding: 1.75rem 1.25rem; border-right: 1px solid var(--line); font-size: .84rem }
nav strong { display: block; margin: 1.1rem 0 .2rem; font-size: .8rem; letter-spacing: .02em }
nav strong a { color: var(--ink) }
nav ul { list-style: none; margin: 0; padding: 0 }
nav li a { display: flex; gap: .5rem; padding: .12rem 0; color: var(--soft) }
nav li a:hover { color: var(--ink) }
nav li code { background: none; padding: 0; overflow-wrap: anywhere }
nav .method { min-width: 2.3rem; font-size: .66rem; line-height: 1.9 }
main { padding: 2rem 2.5rem 5rem; min-width: 0; max-width: 60rem }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .25rem; letter-spacing: -.015em } h1 small { color: var(--soft); font-size: 1rem; font-weight: 400; letter-spacing: 0 }
h2 { font-size: 1.45rem; margin: 3.5rem 0 .25rem; letter-spacing: -.01em }
h2 + p { color: var(--soft); margin-top: 0 }
h3 { font-size: 1.05rem; font-weight: 600; margin: 0; display: flex; flex-wrap: wrap; gap: .25rem .7rem; align-items: baseline }
h3 code { font-size: .95em; overflow-wrap: anywhere }
h3 .scope { margin-left: auto }
h4 { font-size: .82rem; font-weight: 600; color: var(--soft); margin: 1.3rem 0 .3rem }
article { border-top: 1px solid var(--line); padding: 1.6rem 0 1.4rem }
article > p { margin: .6rem 0 }
.method { font: 700 .74rem/1.4 ui-monospace, Menlo, Consolas, monospace; color: var(--get) } .method.post { color: var(--post) }
.scope { font-size: .76rem; font-weight: 400; color: var(--soft); border: 1px solid var(--line); border-radius: 1rem; padding: 0 .6rem; white-space: nowrap }
table { border-collapse: collapse; width: 100%; font-size: .9rem }
td, th { border-top: 1px solid var(--line); padding: .38rem .9rem .38rem 0; vertical-align: top; text-align: left; font-weight: 400 }
tr:first-child > * { border-top: 0 }
th { width: 1%; white-space: nowrap } td:last-child { padding-right: 0 }
td p { margin: 0 } td p + p { margin-top: .2rem }
.kind { color: var(--soft); font-size: .82rem }
details { margin: .3rem 0 } pre { max-height: 26rem } summary { cursor: pointer; color: var(--soft); font-size: .86rem } summary:hover { color: var(--ink) }
.example { margin: .5rem 0 .9rem } .example > span { font-size: .86rem; color: var(--soft) }
.example pre { margin-top: .2rem }
footer { color: var(--soft); font-size: .86rem; margin-top: 4rem }
@media (max-width: 56rem) {
  .page { display: block }
  nav { position: static; max-height: none; border-right: 0; border-bottom: 1px solid var(--line); padding: 1rem 1.1rem }
  nav ul { display: none } nav > a, nav strong { display: inline-block; margin: .2rem 1rem .2rem 0; font-size: .9rem }
  main { padding: 1.5rem 1.1rem 4rem } h1 { font-size: 1.6rem } h3 .scope { margin-left: 0 }
  table, tbody, tr, th, td { display: block; width: auto } th, td { padding: 0; border: 0; white-space: normal }
  tr { border-top: 1px solid var(--line); padding: .45rem 0 } tr:first-child { border-top: 0 }
}
`
