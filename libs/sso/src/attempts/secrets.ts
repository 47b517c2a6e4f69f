import { randomBytes } from 'node:crypto';

/** A random text of 96 bits for an attempt, and of 256 bits for a secret of it. */
export const newAttemptId = (): string => randomBytes(9).toString('base64url');
export const newSecret = (): string => randomBytes(32).toString('base64url');
