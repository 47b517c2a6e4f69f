import { MatrixError } from './matrix-error.js';

/** The refusal of who would have an account opened again while something is left to do of how it was closed. */
export const stillClosing = (message = 'The account is still being closed: try again in a moment'): MatrixError =>
  new MatrixError('M_UNKNOWN', message, { status: 503, fields: { retry_after_ms: 5_000 } });
