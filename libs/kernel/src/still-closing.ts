import { MatrixError } from './matrix-error.js';

/** The refusal of who would have an account opened again while something is left to do of how it was closed. */
export const stillClosing = (): MatrixError =>
  new MatrixError('M_UNKNOWN', 'The account is still being closed: try again in a moment', {
    status: 503,
    fields: { retry_after_ms: 5_000 },
  });

/** Likewise where some of that was given up: none of it comes by waiting. */
export const closingGivenUp = (): MatrixError =>
  new MatrixError(
    'M_BAD_STATE',
    'The account was not closed all the way, which the operator of the server can have tried again (annals effects)',
  );
