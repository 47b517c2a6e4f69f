import { MatrixError } from './matrix-error.js';

/**
 * Whether a refusal says nothing but that it does not go for the moment: the policy server of a room does not answer or is asked too much, the room
 * waits for other servers, a store is away. What follows from a fact tries it again, and does not take it for an answer.
 */
export function mayPass(error: unknown): boolean {
  return error instanceof MatrixError && (error.status === 503 || error.errcode === 'M_LIMIT_EXCEEDED');
}
