import { MatrixError } from '#kernel/matrix-error';

/** Throws M_FORBIDDEN for an administrator: no other locks, suspends or erases them. The operator of the server can. */
export function checkNoAdministrator(account: { readonly admin?: boolean | undefined } | undefined): void {
  if (account?.admin === true) throw new MatrixError('M_FORBIDDEN', 'The user is an administrator');
}
