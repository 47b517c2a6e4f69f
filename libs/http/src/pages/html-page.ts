import { hash } from 'node:crypto';
import { escapeHtml } from '#kernel/escape-html';

const STYLE = `body{font-family:system-ui,sans-serif;overflow-wrap:anywhere;max-width:22rem;margin:3rem auto;padding:0 1rem;line-height:1.5}
label{display:block;margin:.75rem 0 .25rem}input{font:inherit;width:100%;box-sizing:border-box;padding:.4rem}
button{font:inherit;margin-top:1rem;padding:.4rem 1rem}[role=alert]{color:#b00020}
:root{color-scheme:light dark}input[type=checkbox]{width:auto;margin-right:.5rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}
dt{font-weight:600;margin-top:.5rem}dd{margin:0}.note{font-size:.875rem}
ul.list{list-style:none;padding:0}ul.list li{border-top:1px solid #8888;padding:.75rem 0}
.row{display:flex;gap:1rem;align-items:center;flex-wrap:wrap}@media(prefers-color-scheme:dark){[role=alert]{color:#ff8a80}}`;

/** A page and the policy it must be sent with: its own style and script run, nothing else. */
export interface HtmlPage {
  readonly html: string;
  readonly contentSecurityPolicy: string;
  /** Also for browsers that know no such policy. */
  readonly isNeverFramed?: true;
}

/** What else a page may do, or is not to have done to it. */
export interface PageRules {
  /** Where its forms may lead besides: the origin, or the scheme, of the place to which a browser is sent on for what it sends. */
  readonly formsLeadTo?: string;
  /** Scripts of others that run on it, and frames of theirs, by their origins: a captcha is made of such, and nothing else is. */
  readonly othersScripts?: { readonly scriptsOf: readonly string[]; readonly framesOf: readonly string[] };
  /** No page at all may show it within: for those on which a click lets somebody in. */
  readonly isNeverFramed?: true;
}

/** A small page. `body` is HTML with everything foreign in it escaped; `script` is a text of our own. */
export function htmlPage(title: string, body: string, script?: string, rules: PageRules = {}): HtmlPage {
  const html = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escapeHtml(title)}</title><style>${STYLE}</style></head>
<body><main><h1>${escapeHtml(title)}</h1>
${body}
</main>${script === undefined ? '' : `<script>${script}</script>`}</body></html>
`;
  const policy = [
    "default-src 'none'",
    `style-src ${hashSource(STYLE)}`,
    ...scriptSources(script, rules.othersScripts),
    ["connect-src 'self'", ...(rules.othersScripts?.framesOf ?? [])].join(' '),
    ["form-action 'self'", rules.formsLeadTo].filter(Boolean).join(' '),
    "base-uri 'none'",
    rules.isNeverFramed === true ? "frame-ancestors 'none'" : "frame-ancestors 'self'",
  ];
  const { isNeverFramed } = rules;
  return Object.freeze({ html, contentSecurityPolicy: policy.join('; '), ...(isNeverFramed && { isNeverFramed }) });
}

function scriptSources(script: string | undefined, others: PageRules['othersScripts']): string[] {
  const scripts = [...(script === undefined ? [] : [hashSource(script)]), ...(others?.scriptsOf ?? [])];
  const frames =
    others === undefined ? [] : [`frame-src ${others.framesOf.join(' ')}`, "style-src-attr 'unsafe-inline'"];
  return [...(scripts.length === 0 ? [] : [`script-src ${scripts.join(' ')}`]), ...frames];
}

function hashSource(text: string): string {
  return `'sha256-${hash('sha256', text, 'base64')}'`;
}
