import { MatrixError } from './matrix-error.js';

/** The refusal of who would have an account opened again while something is left to do of how it was closed. */
export const stillClosing = (): MatrixError =>
  new MatrixError('M_UNKNOWN', 'The account is still being closed: try again in a moment', {
    status: 503,
    fields: { retry_after_ms: 5_000 },
  });
