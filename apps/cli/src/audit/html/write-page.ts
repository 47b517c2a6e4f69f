import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { AuditEntry } from '#rooms/audit/audit-room';
import { type RefusedEntry, refusedLine } from '../refused-of-room.js';
import type { VerifiedRoom } from '../verify-room-facts.js';

/** What a page is about. */
export interface PageHead {
  readonly room: string;
  /** The server whose log it is. */
  readonly server: string;
  /** Milliseconds since the epoch. */
  readonly madeAt: number;
  readonly verified: VerifiedRoom;
  readonly messages: boolean;
  /** What was refused of other servers, and is in no fact of the room. */
  readonly refused: readonly RefusedEntry[];
}

const read = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8');
const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/**
 * A room's history as one HTML page that asks nobody for anything: timeline, the state at each moment, chain and verification.
 * What people chose reaches it as JSON that a script sets as text; the page's own policy lets nothing else run or load. In
 * pieces, as the entries come, which must begin with the room's first.
 */
export async function* writePage(head: PageHead, entries: AsyncIterable<AuditEntry>): AsyncGenerator<string> {
  const [script, style] = [read('./page.js'), read('./page.css')];
  yield beginning(head, script, style);
  const [actors, kinds] = [new Numbers(), new Numbers()];
  let separator = '';
  for await (const entry of entries) {
    yield separator + embedded(pageEntry(entry, head, actors, kinds));
    separator = ',\n';
  }
  yield `],"actors":${embedded(actors.names)},"kinds":${embedded(kinds.names)}}</script>\n<script>${script}</script>\n</body>\n</html>\n`;
}

function pageEntry(entry: AuditEntry, { verified }: PageHead, actors: Numbers, kinds: Numbers): object {
  const { revision, at, who, device, origin, transaction, what, event_id: id, chain, root, effect, content } = entry;
  return {
    revision,
    at,
    who: actors.of(who),
    device,
    origin,
    transaction,
    what,
    kind: kinds.of(kindOf(entry)),
    id,
    chain,
    root,
    wrong: verified.problems.get(revision),
    effect: effect.map(({ type, state_key: key, event_id: eventId, content: told = {} }) => [
      type,
      key,
      eventId,
      eventId === id ? content : told,
    ]),
  };
}

const REFUSED: ReadonlySet<string> = new Set(['pdu-soft-failed', 'pdu-rejected']);
const TOLD: ReadonlySet<string> = new Set([
  'outlier-stored',
  'state-learnt',
  'state-taken',
  'join-begun',
  'join-completed',
  'join-filled',
  'join-given-up',
]);

function kindOf({ type, state_key: stateKey, fact }: AuditEntry): string {
  if (REFUSED.has(fact)) return 'refused events';
  if (TOLD.has(fact)) return 'told by other servers';
  if (fact !== 'pdu-accepted') return 'consequences';
  if (type === 'm.room.member') return 'members';
  if (stateKey !== undefined) return 'settings';
  if (type === 'm.room.redaction') return 'redactions';
  return type === 'm.room.message' || type === 'm.room.encrypted' ? 'messages' : 'other events';
}

/** Names that stand once and are referred to by number. */
class Numbers {
  readonly names: string[] = [];
  readonly #numbers = new Map<string, number>();

  of(name: string): number {
    let number = this.#numbers.get(name);
    if (number === undefined) {
      number = this.names.push(name) - 1;
      this.#numbers.set(name, number);
    }
    return number;
  }
}

/** JSON within a script element: no `<`, so that no text can end it. */
function embedded(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

function beginning(head: PageHead, script: string, style: string): string {
  const { room, server, madeAt, verified, messages, refused } = head;
  const policy = `default-src 'none'; script-src ${hashOf(script)}; style-src ${hashOf(style)}`;
  const count = verified.problems.size;
  const problems = [...verified.problems].slice(0, MOST_PROBLEMS);
  const listed = problems.map(([revision, texts]) => `<li>revision ${revision}: ${escaped(texts.join('; '))}</li>`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>Audit of ${escaped(room)}</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>Audit of ${escaped(room)}</h1>
<div class="faint">From the log of ${escaped(server)}, ${escaped(new Date(madeAt).toISOString())}. ${messages ? 'With' : 'Without'} the texts of messages. All times are UTC.</div>
<div id="verdict" class="${count === 0 ? 'good' : 'bad'}">${escaped(verdictOf(verified))}</div>
${count === 0 ? '' : `<ul id="problems">${listed.join('')}</ul>`}
${refused.length === 0 ? '' : refusedList(refused)}
</header>
<div id="tools">
<input id="search" type="search" placeholder="Search" aria-label="Search">
<select id="kind" aria-label="Kind"></select>
<select id="who" aria-label="Who"></select>
<span id="count" class="faint"></span>
<label id="moment"><span class="faint">Moment</span><input id="slider" type="range" min="0" value="0"><output id="when"></output></label>
</div>
<main>
<div id="timeline" tabindex="0"><div id="space"></div></div>
<section id="state" aria-live="polite"></section>
</main>
<noscript>This page needs its own script, which asks nobody for anything.</noscript>
<script type="application/json" id="data">{"entries":[`;
}

const MOST_PROBLEMS = 100;
const MOST_REFUSED = 200;

/** What is in no fact of the room stands beside the timeline, the newest of it. */
function refusedList(refused: readonly RefusedEntry[]): string {
  const lines = refused.slice(-MOST_REFUSED).map((one) => `<li>${escaped(refusedLine(one).trim())}</li>`);
  return `<details id="refused"><summary>${refused.length} refused of other servers lately</summary><ul>${lines.join('')}</ul></details>`;
}

/** The result of the verification in a sentence. */
export function verdictOf({ facts, problems, unverifiable }: VerifiedRoom): string {
  const unknown = unverifiable === 0 ? '' : ` ${unverifiable} signatures are by keys that are not known here.`;
  if (problems.size > 0) return `Verification found problems in ${problems.size} of ${facts} facts.${unknown}`;
  return `Verified: the chain, hashes, signatures, authorisation and state of all ${facts} facts hold.${unknown}`;
}
