import { expect, test } from 'vitest';
import { readIdentityFact } from './identity-facts.js';

test('associations of the form before the first release are said to be of that, by whoever comes by one', () => {
  const of = { medium: 'email', address: 'bob@example.org' };
  const made = { mxid: '@bob:b.example', ts: 1, not_before: 1, not_after: 2, by: 'a.example', of, salt: 'x' };
  for (const type of ['association-made', 'association-ended', 'association-learnt', 'association-end-learnt']) {
    const read = (data: object) => readIdentityFact({ type, data: JSON.stringify(data) });
    expect(() => read(made)).toThrow('of a form that was in no release');
    expect(read({ ...made, association_id: 'id' }).data).toMatchObject({ association_id: 'id' });
  }
  // Of those that are called by their streams nothing is asked.
  expect(readIdentityFact({ type: 'association-overtaken', data: '{"ts":1}' }).data).toEqual({ ts: 1 });
});
