import { openSync } from 'node:fs';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { FirstRegistrationToken } from '#accounts/first-registration-token';
import { LogSink } from '#observability/log-sink';
import { startAccountsApp } from '#testing/accounts-app';
import { showFirstToken } from './show-first-token.js';

it.runIf(process.platform === 'linux').each([
  { what: 'be written', sink: () => new LogSink(openSync('/dev/full', 'w'), { retryMs: 5 }) },
  { what: 'wait until it is written', sink: () => new LogSink(openSync('/dev/null', 'w'), { maxWaiting: 1 }) },
])('a token does not count as shown whose line could not: $what', async ({ sink: open }) => {
  const app = await startAccountsApp({ ANNALS_REGISTRATION: 'token' });
  const first = app.get(FirstRegistrationToken);
  const sink = open();
  await showFirstToken(first, { logger: pino({ level: 'warn' }, sink), sink });
  const shown: string[] = [];
  for (let start = 0; start < 2; start++) await first.issue((token) => shown.push(token));
  expect(shown).toHaveLength(1);
  await app.close();
});
