import type { KindWriter } from '../files/kind-writer.js';
import { CHAPTERS } from '../personal-data.js';
import { exportPage, foreign, linkTo, momentOf } from './export-page.js';

/** Whose data it is, of which server, as of when. */
export interface ExportHead {
  readonly userId: string;
  readonly serverName: string;
  /** Milliseconds since the epoch. */
  readonly madeAt: number;
}

/** The first page of an export, from which all of it is found. */
export function indexPage({ userId, serverName, madeAt }: ExportHead, kinds: readonly KindWriter[]): string {
  const chapters = Object.entries(CHAPTERS).flatMap(([chapter, title]) => {
    const own = kinds.filter(({ kind }) => kind.chapter === chapter);
    return own.length === 0 ? [] : [`<section><h2>${title}</h2>\n${listOf(own)}</section>`];
  });
  return exportPage(
    `What ${serverName} has of ${userId}`,
    `<p>As it was at ${momentOf(madeAt)}. The pages are for reading; the JSON says the same to programs, and ${linkTo('export.json', 'export.json')} has a list of all of it.
What is encrypted is here as your devices encrypted it: this server cannot read it.</p>
<p>What others wrote is theirs, and not here. Of passwords and keys to your sessions there is nothing.</p>
${chapters.join('\n')}`,
  );
}

/** Those of which there is something, then the names of the others. */
function listOf(kinds: readonly KindWriter[]): string {
  const items = kinds.filter(({ records }) => records > 0).map(itemOf);
  const list = items.length === 0 ? '' : `<ol class="records">\n${items.join('\n')}\n</ol>\n`;
  const none = kinds.filter(({ records }) => records === 0).map(({ kind }) => foreign(kind.title));
  return none.length === 0 ? list : `${list}<p class="faint">Nothing of these: ${none.join(', ')}.</p>`;
}

function itemOf({ kind, records, files, pages, pieces, rooms }: KindWriter): string {
  const name = pages[0] === undefined ? foreign(kind.title) : linkTo(pages[0], foreign(kind.title));
  const json = pieces.map(({ path }, n) => linkTo(path, pieces.length > 1 ? `JSON ${n + 1}` : 'JSON'));
  const stored = files === 0 ? '' : `${files.toLocaleString('en')} of them as files; `;
  return `<li><p><span class="kind">${name}</span> <span class="faint">${records.toLocaleString('en')}; ${stored}${json.join(' ')}</span></p>
<p class="faint">${foreign(kind.about)}</p>${rooms.length === 0 ? '' : `\n<ul>${rooms.map(roomOf).join('\n')}</ul>`}</li>`;
}

function roomOf({ room_id: id, name, records, pages }: KindWriter['rooms'][number]): string {
  const more = pages.slice(1).map((path, n) => linkTo(path, `page ${n + 2}`));
  const about = [records.toLocaleString('en'), ...more].join(' ');
  return `<li>${linkTo(pages[0]!, foreign(name))} <span class="faint">${about} ${name === id ? '' : foreign(id)}</span></li>`;
}
