import { isJsonObject, JsonNumber, type JsonValue } from '#kernel/json';
import type { PersonalRecord } from '../personal-data.js';
import { foreign, linkTo, momentOf } from './export-page.js';

/** What lies deeper is shown as the JSON that it is. */
const MOST_DEPTH = 6;

/** A record as an item of a list. `file`: where its file is, as seen from the page. */
export function renderRecord({ data, shown, file: own }: PersonalRecord, file?: string): string {
  const name = own?.name === undefined ? 'The file' : `The file ${foreign(own.name)}`;
  const link = file === undefined ? '' : `<p>${linkTo(file, name)}</p>`;
  if (shown === undefined) return `<li>${render(data, '', 0)}${link}</li>`;
  const text = shown.text === undefined ? '' : `\n<p class="text" dir="auto">${foreign(shown.text)}</p>`;
  return `<li><p>${momentOf(shown.at)} <span class="kind">${foreign(shown.what)}</span></p>${text}${link}</li>`;
}

function render(value: JsonValue, key: string, depth: number): string {
  if (typeof value === 'number' && key.endsWith('_ts')) return momentOf(value);
  if (typeof value === 'string') return foreign(value);
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (value === null || typeof value === 'number' || value instanceof JsonNumber) return foreign(JSON.stringify(value));
  if (depth >= MOST_DEPTH) return foreign(JSON.stringify(value));
  if (isJsonObject(value)) {
    const entries = Object.entries(value).filter(([, one]) => one !== undefined);
    if (entries.length === 0) return 'nothing';
    const rows = entries.map(
      ([name, one]) => `<dt>${foreign(labelOf(name))}</dt><dd>${render(one!, name, depth + 1)}</dd>`,
    );
    return `<dl>${rows.join('\n')}</dl>`;
  }
  if (value.length === 0) return 'none';
  return `<ul>${value.map((one) => `<li>${render(one, key, depth + 1)}</li>`).join('')}</ul>`;
}

/** The name of a value of ours in words; that of a client's is its own affair. */
function labelOf(key: string): string {
  return /^[a-z_]+$/.test(key) ? key.replace(/_ts$/, '').replaceAll('_', ' ') : key;
}
