import { MatrixError } from '#kernel/matrix-error';

/** Throws M_INVALID_PARAM for what is no client secret: identity service API, "Email associations". */
export function checkClientSecret(text: string): void {
  if (/^[0-9a-zA-Z.=_-]{1,255}$/.test(text)) return;
  throw new MatrixError('M_INVALID_PARAM', 'client_secret: 1 to 255 of the characters 0-9a-zA-Z.=_-');
}
