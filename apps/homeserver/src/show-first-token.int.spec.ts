import { openSync } from 'node:fs';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { FirstRegistrationToken } from '#accounts/first-registration-token';
import { LogSink } from '#observability/log-sink';
import { startAccountsApp } from '#testing/accounts-app';
import { showFirstToken } from './show-first-token.js';

it.runIf(process.platform === 'linux')('a token whose line could not be written does not count as shown', async () => {
  const app = await startAccountsApp({ ANNALS_REGISTRATION: 'token' });
  const first = app.get(FirstRegistrationToken);
  const sink = new LogSink(openSync('/dev/full', 'w'), { retryMs: 5 });
  await showFirstToken(first, { logger: pino({ level: 'warn' }, sink), sink });
  const shown: string[] = [];
  for (let start = 0; start < 2; start++) await first.issue((token) => shown.push(token));
  expect(shown).toHaveLength(1);
  await app.close();
});
