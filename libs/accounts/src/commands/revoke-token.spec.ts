import { expect, it } from 'vitest';
import { MatrixError } from '#kernel/matrix-error';
import { StoreAway } from '#kernel/outage';
import type { Accounts } from '../accounts.js';
import type { KnownTokens } from '../sessions/known-tokens.js';
import { RevokeToken, RevokeTokenHandler } from './revoke-token.js';

const revoke = (error: Error): Promise<void> => {
  // Nothing else of the two is asked for where no token is found.
  const tokens = { getRow: () => Promise.reject(error) } as unknown as KnownTokens;
  return new RevokeTokenHandler({} as Accounts, tokens).execute(new RevokeToken('annals_at_any'));
};

it('does nothing for a token that is none, and says that it cannot while a store is away', async () => {
  await expect(revoke(new MatrixError('M_UNKNOWN_TOKEN'))).resolves.toBeUndefined();
  const away = new StoreAway('M_UNKNOWN', 'The log is away', { status: 503 });
  await expect(revoke(away)).rejects.toBe(away);
});
