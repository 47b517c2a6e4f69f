import type { Places } from '#http/pagination';
import { NO_TYPING } from '#ephemeral/typing/typing-mark';
import { positionOf } from '#kernel/position';
import { findStreamToken, type StreamToken } from './stream-token.js';

/** A token of `messages`: of a room's timeline, but its second number is a place in the log like any other. */
const MESSAGES_TOKEN = /^t\d{1,16}_(\d{1,15})$/;

/**
 * The places of the event stream. Besides its own tokens it takes those of a room's messages: `initialSync` answers both
 * kinds side by side.
 */
export const EVENT_STREAM: Places<StreamToken> = {
  find(token) {
    const [, position] = MESSAGES_TOKEN.exec(token) ?? [];
    if (position !== undefined) return { position: positionOf(Number(position)), typing: NO_TYPING };
    return findStreamToken(token);
  },
  compare(a, b) {
    if (a.position !== b.position) return a.position < b.position ? -1 : 1;
    return a.typing.run === b.typing.run ? a.typing.sequence - b.typing.sequence : 0;
  },
};
