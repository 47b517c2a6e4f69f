import { setImmediate as nextTurn } from 'node:timers/promises';
import { Parser } from 'htmlparser2';

/** What a page says of itself. */
export interface PageAbout {
  /** By name: those of Open Graph that are told, and no others. */
  readonly properties: Readonly<Record<string, string>>;
  /** Of a picture, as the page has it: it may be relative. */
  readonly image?: string;
  /** Where the page says that its links begin. */
  readonly base?: string;
}

/** The Open Graph protocol: what clients show, and nothing that would have them load anything from elsewhere. */
const TOLD: ReadonlySet<string> = new Set([
  'og:title',
  'og:description',
  'og:site_name',
  'og:type',
  'og:url',
  'og:locale',
  'og:image:alt',
  'article:published_time',
  'article:author',
]);
/** In this order the first is taken that a page has. */
const TITLES = ['og:title', 'twitter:title', 'title'];
const DESCRIPTIONS = ['og:description', 'twitter:description', 'description'];
const IMAGES = ['og:image:secure_url', 'og:image', 'og:image:url', 'twitter:image', 'twitter:image:src'];
const LONGEST = 1_000;
/** Of a text no more is looked at: what is white space in it goes. */
const READ_OF_TEXT = 8 * LONGEST;
/** What a turn reads. */
const SLICE = 4 * 1024;
/** So many elements in one another, which no page has that is looked at, and then no more of it is read: each costs as much as there are already. */
const DEEPEST = 256;
const CHARSET = /charset\s*=\s*["']?\s*([\w:.+-]{1,40})/i;
/** As much of a page as may say in which encoding it is (HTML, "Determining the character encoding"). */
const SNIFFED_BYTES = 1_024;

/** The text of a page, by what the server, the page's first bytes or the page itself says of its encoding; UTF-8 else. */
export function decodePage(bytes: Uint8Array, contentType: string | undefined): string {
  const [first, second] = bytes;
  const isMarked = (first === 0xfe && second === 0xff) || (first === 0xff && second === 0xfe);
  const marked = isMarked ? (first === 0xfe ? 'utf-16be' : 'utf-16le') : undefined;
  const start = Buffer.from(bytes.subarray(0, SNIFFED_BYTES)).toString('latin1');
  const [, said] = CHARSET.exec(contentType ?? '') ?? [];
  const [, named] = CHARSET.exec(start) ?? [];
  for (const label of [marked, said, named]) {
    if (label === undefined) continue;
    try {
      return new TextDecoder(label).decode(bytes);
    } catch {
      // No encoding that anybody knows.
    }
  }
  return new TextDecoder().decode(bytes);
}

/** What a page says of itself, read in many turns of the event loop: a page is as long, and as strange, as who wrote it likes. */
export async function readPage(html: string): Promise<PageAbout> {
  const said = new Map<string, string>();
  const note = (name: string | undefined, value: string | undefined): void => {
    const text = clean(value);
    if (name !== undefined && text !== '' && !said.has(name)) said.set(name, text);
  };
  let title: string | undefined;
  let base: string | undefined;
  let depth = 0;
  const parser = new Parser({
    onopentagname() {
      depth++;
    },
    onopentag(name, { property, name: named, content, href }) {
      if (name === 'meta') note((property ?? named)?.trim().toLowerCase(), content);
      else if (name === 'base') base ??= href;
      else if (name === 'title' && !said.has('title')) title ??= '';
    },
    ontext(text) {
      if (title !== undefined && title.length < LONGEST) title += text;
    },
    onclosetag(name) {
      depth--;
      if (name !== 'title') return;
      note('title', title);
      title = undefined;
    },
  });
  for (let at = 0; at < html.length; at += SLICE) {
    parser.write(html.slice(at, at + SLICE));
    if (depth > DEEPEST) break;
    await nextTurn();
  }
  parser.end();
  return aboutOf(said, base);
}

function aboutOf(said: ReadonlyMap<string, string>, base: string | undefined): PageAbout {
  const first = (names: readonly string[]): string | undefined => said.get(names.find((name) => said.has(name)) ?? '');
  const properties = Object.fromEntries([...said].filter(([name]) => TOLD.has(name)));
  const told = { ...properties, 'og:title': first(TITLES), 'og:description': first(DESCRIPTIONS) };
  const entries = Object.entries(told).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { properties: Object.fromEntries(entries), image: first(IMAGES), base };
}

/** In one line, and no longer than anybody shows. */
function clean(text: string | undefined): string {
  const line = (text ?? '')
    .slice(0, READ_OF_TEXT)
    .replaceAll(/[\p{Cc}\p{Cs}\s]+/gu, ' ')
    .trim();
  // In code points: half of one is no text.
  return Array.from(line.slice(0, 2 * LONGEST))
    .slice(0, LONGEST)
    .join('');
}
