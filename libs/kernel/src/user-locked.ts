import { MatrixError } from './matrix-error.js';

const SOFTLY = Object.freeze({ fields: Object.freeze({ soft_logout: true }) });

/** The refusal of one whose account is locked: their client is to keep its session, and its keys (client-server API, "Account locking"). */
export function userLocked(): MatrixError {
  return new MatrixError('M_USER_LOCKED', undefined, SOFTLY);
}
