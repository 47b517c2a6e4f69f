import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type {
  LimitChange,
  RegistrationTokenCreated,
  RegistrationTokenFact,
  TokenLimits,
} from '../facts/registration-token-facts.js';

/** What is known of a registration token. Also the shape of its row in the view. */
export interface RegistrationToken {
  readonly exists: boolean;
  readonly used: number;
  readonly revoked: boolean;
  readonly uses_allowed?: number;
  readonly expires_at?: number;
  /** Its text, where that is kept. */
  readonly token?: string;
}

export const NO_REGISTRATION_TOKEN: RegistrationToken = Object.freeze({ exists: false, used: 0, revoked: false });

/** The token after a fact. */
export function evolveRegistrationToken(token: RegistrationToken, fact: RegistrationTokenFact): RegistrationToken {
  switch (fact.type) {
    case 'registration-token-created':
      return { ...NO_REGISTRATION_TOKEN, ...fact.data, exists: true };
    case 'registration-token-changed': {
      const { uses_allowed: _, expires_at: __, ...rest } = token;
      return { ...rest, ...fact.data };
    }
    case 'registration-token-used':
      return { ...token, used: token.used + 1 };
    case 'registration-token-returned':
      return { ...token, used: token.used - 1 };
    case 'registration-token-revoked':
      return { ...token, revoked: true };
    default:
      return token;
  }
}

/** Whether the token would be taken at `now`. */
export function isUsable(token: RegistrationToken, now: number): boolean {
  if (!token.exists || token.revoked) return false;
  if (token.expires_at !== undefined && token.expires_at <= now) return false;
  return token.uses_allowed === undefined || token.used < token.uses_allowed;
}

/** A new token, or one that was withdrawn, begun anew. Throws M_INVALID_PARAM where it exists already or could never be used. */
export function decideTokenCreation(
  token: RegistrationToken,
  creation: RegistrationTokenCreated,
  now: number,
): RegistrationTokenFact[] {
  if (token.exists && !token.revoked)
    throw new MatrixError('M_INVALID_PARAM', 'This registration token exists already');
  if (!isUsable({ ...NO_REGISTRATION_TOKEN, ...creation, exists: true }, now)) {
    throw new MatrixError('M_INVALID_PARAM', 'This registration token could never be used');
  }
  return [{ type: 'registration-token-created', data: creation }];
}

/** Other limits for a token. Nothing where they are as before. Throws M_NOT_FOUND, and M_INVALID_PARAM for an end in the past. */
export function decideTokenChange(token: RegistrationToken, limits: TokenLimits, now: number): RegistrationTokenFact[] {
  if (!token.exists || token.revoked) throw new MatrixError('M_NOT_FOUND', 'No such registration token');
  if (limits.expires_at === token.expires_at && limits.uses_allowed === token.uses_allowed) return [];
  if (limits.expires_at !== undefined && limits.expires_at !== token.expires_at && limits.expires_at <= now) {
    throw new MatrixError('M_INVALID_PARAM', 'expiry_time: in the past');
  }
  return [{ type: 'registration-token-changed', data: limits }];
}

/** Limits with a change. */
export function limitsAfter({ uses_allowed: before, expires_at: end }: TokenLimits, change: LimitChange): TokenLimits {
  const uses = change.uses === undefined ? before : (change.uses ?? undefined);
  const expiresAt = change.expiresAt === undefined ? end : (change.expiresAt ?? undefined);
  return {
    ...(uses === undefined ? {} : { uses_allowed: uses }),
    ...(expiresAt === undefined ? {} : { expires_at: expiresAt }),
  };
}

/** Takes one use for a registration. Throws M_FORBIDDEN where there is none to take. */
export function decideTokenUse(token: RegistrationToken, userId: UserId, now: number): RegistrationTokenFact[] {
  if (!isUsable(token, now)) throw new MatrixError('M_FORBIDDEN', 'Invalid registration token');
  return [{ type: 'registration-token-used', data: { user_id: userId } }];
}

/** Gives a use back. */
export function decideTokenReturn(token: RegistrationToken, userId: UserId): RegistrationTokenFact[] {
  return token.used > 0 ? [{ type: 'registration-token-returned', data: { user_id: userId } }] : [];
}

/** Withdraws the token. Throws M_NOT_FOUND for an unknown one. */
export function decideTokenRevocation(token: RegistrationToken): RegistrationTokenFact[] {
  if (!token.exists) throw new MatrixError('M_NOT_FOUND', 'No such registration token');
  return token.revoked ? [] : [{ type: 'registration-token-revoked', data: {} }];
}
