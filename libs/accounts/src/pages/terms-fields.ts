import type { TermsDocument } from '#config/terms/read-terms';
import { escapeHtml } from '#kernel/escape-html';

/** A box to tick for each document, with a link to it in each of its languages. */
export function termsFields(documents: readonly TermsDocument[]): string {
  const boxes = documents.map(({ id, languages }) => {
    const links = Object.entries(languages).map(
      ([language, { name, url }]) =>
        `<a href="${escapeHtml(url)}" lang="${escapeHtml(language)}" hreflang="${escapeHtml(language)}" target="_blank" rel="noreferrer">${escapeHtml(name)}</a>`,
    );
    const name = escapeHtml(`accept ${id}`);
    return `<label for="${name}"><input type="checkbox" id="${name}" name="${name}" value="on" required>I accept: ${links.join(', ')}</label>`;
  });
  return `<input type="hidden" name="ticked" value="yes">${boxes.join('')}`;
}
