import type { UpstreamProvider } from '#config/sso/upstream-provider';
import { MatrixError } from '#kernel/matrix-error';
import { MOST_SKEW_SECONDS } from './most-skew.js';

/**
 * Whether somebody showed who they are once they were asked to, and not before: providers may pass `prompt=login` over (OpenID Connect
 * Core, sections 2 and 3.1.2.1: `auth_time`, which whoever is asked with `max_age` has to tell). Who tells no time has not said that they did, unless the
 * operator knows that this provider never does. Throws M_FORBIDDEN.
 */
export function checkShownAnew(
  { name, tellsAuthTime }: Pick<UpstreamProvider, 'name' | 'tellsAuthTime'>,
  { auth_time: seconds }: { readonly auth_time?: unknown },
  anewSince: number,
): void {
  if (typeof seconds !== 'number') {
    if (!tellsAuthTime) return;
    throw new MatrixError('M_FORBIDDEN', `${name} does not say when you logged in`);
  }
  if ((seconds + 1) * 1000 > anewSince - MOST_SKEW_SECONDS * 1000) return;
  throw new MatrixError('M_FORBIDDEN', `${name} did not ask you to log in once more`);
}
