import type { UserId } from './ids.js';

/**
 * The stream of a user in the log. One user is one stream, so that "no stream yet" is the whole rule of uniqueness. Several
 * domains write to it (accounts, push rules, forgotten rooms); folds skip what they do not know.
 */
export const USER_STREAM_PREFIX = 'user-';
export const userStream = (userId: UserId): string => `${USER_STREAM_PREFIX}${userId}`;
export const userIdOfStream = (stream: string): UserId => stream.slice(USER_STREAM_PREFIX.length) as UserId;
