import type { HtmlPage } from '#http/pages/html-page';
import { escapeHtml } from '#kernel/escape-html';
import type { Glimpse } from '#personal-data/hand-over';
import { renderRecord } from '#personal-data/pages/render-record';
import { ACTIONS } from '../account-actions.js';
import { PAGES } from '../oauth-paths.js';
import { type AccountContext, confirmFields, page } from './account-pages.js';

/** Where somebody's data is, and all of it for them to take along. */
export function dataPage(context: AccountContext, places: readonly Glimpse[]): HtmlPage {
  return page(
    'Your data',
    context,
    `<h2>Take it along</h2>
<p>All that this server has of you, as one file (ZIP): pages to read, the same as JSON for programs, and the files that you uploaded.
What others wrote is not in it. It can be large, and whoever has it can read it: keep it safe.</p>
<form method="post" action="${PAGES.data}">${context.browser.formToken}
${confirmFields(context, ACTIONS.data)}
<button>Download</button></form>
<h2>Where it is</h2>
<p>On this server, and also here:</p>
${places.map(placeOf).join('\n')}`,
  );
}

function placeOf({ kind, records, hasMore }: Glimpse): string {
  const list =
    records.length === 0
      ? '<p>None.</p>'
      : `<ul class="list">${records.map((record) => renderRecord(record)).join('\n')}</ul>`;
  const more = hasMore ? '<p class="note">There are more: all of them are in the file.</p>' : '';
  return `<section><h3>${escapeHtml(kind.title)}</h3>\n<p class="note">${escapeHtml(kind.about)}</p>\n${list}${more}</section>`;
}
