import { expect, it } from 'vitest';
import { recordFacts } from '#testing/project';
import { TRANSACTIONS_KEPT } from '../facts/to-device-facts.js';
import { foldSent, nameOfTransaction, NOTHING_SENT } from './sent-transactions.js';

const STREAM = 'sent-@alice:a.example|A';

it('a device’s last transactions are remembered by their type and id, whatever became of their contents', () => {
  const facts = recordFacts(
    Array.from({ length: TRANSACTIONS_KEPT + 10 }, (_, n) => {
      return { stream: STREAM, type: 'to-device-sent', data: { type: 'm.test', txn: `t${n}`, to: [], contents: [] } };
    }),
  ).map((fact) => ({ ...fact, metadata: { ...fact.metadata, erasable: fact.data.indexOf('"to"') } }));
  const sent = facts.reduce(foldSent, NOTHING_SENT);
  expect(sent).toHaveLength(TRANSACTIONS_KEPT);
  expect(sent.at(-1)).toBe(nameOfTransaction('m.test', `t${TRANSACTIONS_KEPT + 9}`));
  expect(sent).not.toContain(nameOfTransaction('m.test', 't9'));
  expect(sent).toContain(nameOfTransaction('m.test', 't10'));
  expect(sent).not.toContain(nameOfTransaction('m.other', 't10'));
});
