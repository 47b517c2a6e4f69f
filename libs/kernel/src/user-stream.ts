import type { UserId } from './ids.js';

/**
 * The stream of a user in the log. One user is one stream, so that "no stream yet" is the whole rule of uniqueness. Several
 * domains write to it (accounts, push rules, forgotten rooms); folds skip what they do not know. It begins with what counts for
 * ever, so nothing of it is ever truncated: what is overtaken all the time has a stream beside it.
 */
export const USER_STREAM_PREFIX = 'user-';
export const userStream = (userId: UserId): string => `${USER_STREAM_PREFIX}${userId}`;

/** Where a user has read to: of each mark only the last fact counts, and the others go from the log. */
export const MARKS_STREAM_PREFIX = 'marks-';
export const marksStream = (userId: UserId): string => `${MARKS_STREAM_PREFIX}${userId}`;
/** Whose marks a stream has. */
export const userIdOfMarks = (stream: string): UserId => stream.slice(MARKS_STREAM_PREFIX.length) as UserId;

/** Whose a stream is that is a user's own. */
export const userIdOfStream = (stream: string): UserId =>
  stream.slice(
    stream.startsWith(MARKS_STREAM_PREFIX) ? MARKS_STREAM_PREFIX.length : USER_STREAM_PREFIX.length,
  ) as UserId;
