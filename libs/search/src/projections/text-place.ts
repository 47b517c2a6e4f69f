import type { EventKeyPart } from '#rooms/projections/event-place';

/** Where a text is: on which of the two shelves of its room, and its number there. */
export interface TextPlace {
  readonly isHistory: boolean;
  readonly number: number;
}

/** What is known of an event by its id: where its text is, which event it edits, or that its text is gone. */
export type KnownText =
  | ({ readonly is: 'text' } & TextPlace)
  | { readonly is: 'edit'; readonly of: EventKeyPart }
  | { readonly is: 'redacted' };

const EDIT = '>';
const HISTORY = 'h';

export const REDACTED_TEXT = 'x';

export function formatTextPlace({ isHistory, number }: TextPlace): string {
  return isHistory ? `${HISTORY}${number}` : String(number);
}

export function formatEditOf(target: EventKeyPart): string {
  return `${EDIT}${target}`;
}

/** Reads what stands for an event. */
export function parseKnownText(text: string): KnownText {
  if (text === REDACTED_TEXT) return { is: 'redacted' };
  if (text.startsWith(EDIT)) return { is: 'edit', of: text.slice(EDIT.length) as EventKeyPart };
  const isHistory = text.startsWith(HISTORY);
  return { is: 'text', isHistory, number: Number(isHistory ? text.slice(HISTORY.length) : text) };
}
