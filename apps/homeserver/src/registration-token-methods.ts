import type { TokenAdministration } from '#accounts/administration/token-administration';
import type { LimitChange, TokenLimits } from '#accounts/facts/registration-token-facts';
import { listRegistrationTokens } from '#accounts/queries/registration-tokens';
import type { Clock } from '#kernel/clock';
import type { ControlMethod } from '#projections/control-server';
import type { ControlRequest } from '#projections/control-socket';
import type { Views } from '#projections/views';

/** What the command line can ask of a running server about the tokens by which people register. */
export function registrationTokenMethods(
  tokens: TokenAdministration,
  views: Views,
  clock: Clock,
): Readonly<Record<string, ControlMethod>> {
  return {
    'registration-tokens.create': ({ token, limits }) =>
      tokens.create(typeof token === 'string' ? token : undefined, limitsOf(limits)),
    'registration-tokens.change': (request) => tokens.change(nameOf(request), changeOf(request['change'])),
    'registration-tokens.revoke': (request) => tokens.revoke(nameOf(request)),
    'registration-tokens.list': () => listRegistrationTokens(views, clock.now()),
  };
}

function nameOf({ method, name }: ControlRequest): string {
  if (typeof name !== 'string') throw new Error(`${method}: which token?`);
  return name;
}

function limitsOf(given: unknown): TokenLimits {
  const { uses_allowed: uses, expires_at: expiresAt } = (given ?? {}) as Record<string, unknown>;
  return {
    ...(typeof uses === 'number' ? { uses_allowed: uses } : {}),
    ...(typeof expiresAt === 'number' ? { expires_at: expiresAt } : {}),
  };
}

function changeOf(given: unknown): LimitChange {
  const { uses, expiresAt } = (given ?? {}) as Record<string, unknown>;
  const isLimit = (value: unknown): value is number | null => value === null || typeof value === 'number';
  return { ...(isLimit(uses) ? { uses } : {}), ...(isLimit(expiresAt) ? { expiresAt } : {}) };
}
