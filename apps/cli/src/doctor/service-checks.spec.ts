import { expect, it } from 'vitest';
import { checkServices } from './service-checks.js';

const underWay = { id: '7', events: 3, since: 0 };

it('names each application service that does not take what it is sent, with what it says, and counts the others', () => {
  const taking = { id: 'bot', transactions: 2 };
  const sent = { id: 'slow', transactions: 7, underWay };
  expect(checkServices([])).toEqual([]);
  expect(checkServices([taking, sent])).toEqual([
    { name: 'application services', level: 'ok', text: '2 services not known to refuse anything' },
  ]);
  const refusing = { ...sent, id: 'bridge', refused: { tries: 4, reason: 'it answered 500' } };
  expect(checkServices([taking, refusing])).toMatchObject([
    { level: 'warn', text: expect.stringMatching(/^bridge does not take transaction 7, since .*: it answered 500$/) },
    { level: 'ok' },
  ]);
});
