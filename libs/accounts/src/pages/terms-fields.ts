import type { TermsDocument } from '#config/terms/read-terms';
import { escapeHtml } from '#kernel/escape-html';

/** By which box of a form a document is accepted: its value is the version that was shown. */
const boxOf = ({ id }: TermsDocument): string => `accept ${id}`;

/** A box to tick for each document, with a link to it in each of its languages. */
export function termsFields(documents: readonly TermsDocument[]): string {
  const boxes = documents.map((document) => {
    const links = Object.entries(document.languages).map(
      ([language, { name, url }]) =>
        `<a href="${escapeHtml(url)}" lang="${escapeHtml(language)}" hreflang="${escapeHtml(language)}" target="_blank" rel="noreferrer">${escapeHtml(name)}</a>`,
    );
    const [name, version] = [escapeHtml(boxOf(document)), escapeHtml(document.version)];
    return `<label><input type="checkbox" name="${name}" value="${version}" required>I accept: ${links.join(', ')}</label>`;
  });
  return `<input type="hidden" name="ticked" value="yes">${boxes.join('')}`;
}

/** Whether the boxes of all these documents were ticked, in the versions of today; `fieldOf`: the fields of the form that was sent. */
export function areTicked(documents: readonly TermsDocument[], fieldOf: (name: string) => unknown): boolean {
  return documents.every((document) => fieldOf(boxOf(document)) === document.version);
}

/** What is said to who has not ticked all of them. */
export const ALL_OF_IT = 'All of it has to be accepted';
