import { isRespelled } from './spell-double.js';

const STRING_OR_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/g;

/** Whether a JSON text has a number that is no integer and that some server spells otherwise as it writes it anew. */
export function hasOwnSpelling(text: string): boolean {
  for (const [found] of text.matchAll(STRING_OR_NUMBER)) {
    if (!found.startsWith('"') && isRespelled(found)) return true;
  }
  return false;
}
