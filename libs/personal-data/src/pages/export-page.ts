import { hash } from 'node:crypto';
import { escapeHtml } from '#kernel/escape-html';

const STYLE = `:root{color-scheme:light dark;--faint:#5c666d;--rule:#d6d3cb}@media(prefers-color-scheme:dark){:root{--faint:#a3adb4;--rule:#3a4046}}
body{font:1rem/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}h1{font-size:1.5rem;line-height:1.25;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:2.5rem 0 .5rem}p{margin:.25rem 0}.faint,time{color:var(--faint);font-size:.875rem}
ol.records{list-style:none;padding:0}ol.records>li{border-top:1px solid var(--rule);padding:.6rem 0}
dl{display:grid;grid-template-columns:minmax(6rem,12rem) minmax(0,1fr);gap:.1rem .75rem;margin:0}dt{color:var(--faint);overflow-wrap:anywhere}dd{margin:0;white-space:pre-wrap;overflow-wrap:anywhere}
dd ul{margin:0;padding-inline-start:1.2rem}.text{white-space:pre-wrap;overflow-wrap:anywhere}.kind{font-weight:600}li{overflow-wrap:anywhere}nav{display:flex;gap:1rem;flex-wrap:wrap}
@media(max-width:34rem){dl{grid-template-columns:minmax(0,1fr)}dd{margin-bottom:.4rem}}`;

/** No page of an export runs anything or asks for anything, wherever it is opened. */
const POLICY = `default-src 'none'; style-src 'sha256-${hash('sha256', STYLE, 'base64')}'; base-uri 'none'; form-action 'none'`;

/** A page of an export; `body` is HTML with everything foreign in it escaped. */
export function exportPage(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${escapeHtml(POLICY)}"><meta name="referrer" content="no-referrer">
<title>${escapeHtml(title)}</title><style>${STYLE}</style></head>
<body><main><h1>${foreign(title)}</h1>
${body}
</main></body></html>
`;
}

/** Text of somebody's, whose direction says nothing of what stands around it. */
export function foreign(text: string): string {
  return `<bdi>${escapeHtml(text)}</bdi>`;
}

/** A link to a file of the export: `path` is one of its own. */
export function linkTo(path: string, html: string): string {
  return `<a href="${escapeHtml(path.split('/').map(encodeURIComponent).join('/'))}">${html}</a>`;
}

const LATEST = 8.64e15;

/** A moment, as people read it; as the number that it is where no calendar has it. */
export function momentOf(milliseconds: number): string {
  if (!Number.isFinite(milliseconds) || Math.abs(milliseconds) > LATEST) return String(milliseconds);
  const iso = new Date(milliseconds).toISOString();
  return `<time datetime="${iso}">${iso.slice(0, 19).replace('T', ' ')} UTC</time>`;
}
