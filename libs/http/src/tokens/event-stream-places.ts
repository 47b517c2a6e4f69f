import type { LogHistory } from '#event-store/log-history';
import { MatrixError } from '#kernel/matrix-error';
import type { Places } from '../pagination.js';
import { compareStreamPlaces, findStreamToken, type StreamToken } from './stream-token.js';
import { findTimelineToken } from './timeline-token.js';
import { NO_TYPING } from './typing-mark.js';

/** The event stream as a list with pages. */
export function eventStreamPlaces(history: LogHistory): Places<StreamToken> {
  return { find: (text) => find(history, text), compare: compareStreamPlaces, isLost: ({ isLost }) => isLost };
}

/** Reads a token of the event stream. Throws M_INVALID_PARAM, naming the parameter. */
export function parseEventStreamPlace(history: LogHistory, text: string, parameter: string): StreamToken {
  const token = find(history, text);
  if (token === undefined) throw new MatrixError('M_INVALID_PARAM', `${parameter}: not a token of this server`);
  return token;
}

/** Besides its own tokens it takes those of a room's timeline, which `initialSync` answers beside them: they are places in the log too. */
function find(history: LogHistory, text: string): StreamToken | undefined {
  const timeline = findTimelineToken(history, text);
  if (timeline === undefined) return findStreamToken(history, text);
  return { place: timeline.place, isLost: timeline.isLost, typing: NO_TYPING };
}
