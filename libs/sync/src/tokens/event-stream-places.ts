import type { Places } from '#http/pagination';
import { findTypingMark, formatTypingMark, NO_TYPING, type TypingMark } from '#ephemeral/typing/typing-mark';
import { MatrixError } from '#kernel/matrix-error';
import { comparePlaces, formatPlace, parsePlace, type Place, START } from '#kernel/position';
import type { StreamToken } from './stream-token.js';

/** A place in the event stream: in the log, and among the typing notifications (see `StreamToken`). */
export interface EventStreamPlace {
  readonly place: Place;
  readonly typing: TypingMark;
}

/** Before the first event. */
export const BEGINNING: EventStreamPlace = Object.freeze({ place: START, typing: NO_TYPING });

/** A stream token, of /sync too; one that a page ended with backwards stands before an event. */
const STREAM_TOKEN = /^s(b?\d+)(?:_([0-9a-z.]{1,300}))?$/;
/** A token of `messages`: of a room's timeline, but its second number is a place in the log like any other. */
const MESSAGES_TOKEN = /^t\d{1,16}_(b?\d+)$/;

/**
 * The places of the event stream. Besides its own tokens it takes those of a room's messages: `initialSync` answers both
 * kinds side by side.
 */
export const EVENT_STREAM: Places<EventStreamPlace> = {
  find(token) {
    const [, digits = '', mark] = STREAM_TOKEN.exec(token) ?? MESSAGES_TOKEN.exec(token) ?? [];
    const place = parsePlace(digits);
    const typing = mark === undefined ? NO_TYPING : findTypingMark(mark);
    return place === undefined || typing === undefined ? undefined : { place, typing };
  },
  compare(a, b) {
    if (a.typing.run !== b.typing.run) return comparePlaces(a.place, b.place);
    return comparePlaces(a.place, b.place) || a.typing.sequence - b.typing.sequence;
  },
};

/** The token of a place, as clients hold it. */
export function formatEventStreamPlace({ place, typing }: EventStreamPlace): string {
  return `s${formatPlace(place)}_${formatTypingMark(typing)}`;
}

/** The moment of a place, for all that is no event: to that, just before an event and just after it are the same. */
export function streamTokenOf({ place, typing }: EventStreamPlace): StreamToken {
  return { position: typeof place === 'string' ? place : place.before, typing };
}

/** Reads a token of this list. Throws M_INVALID_PARAM, naming the parameter. */
export function parseEventStreamPlace(text: string, parameter: string): EventStreamPlace {
  const place = EVENT_STREAM.find(text);
  if (place === undefined) throw new MatrixError('M_INVALID_PARAM', `${parameter}: not a token of this server`);
  return place;
}
