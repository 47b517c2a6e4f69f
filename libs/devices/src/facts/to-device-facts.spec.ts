import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DeviceId, UserId } from '#kernel/ids';
import { readSent, type Receiver, tailOfSent, textOfSent, transactionOf, usersIn } from './to-device-facts.js';

const alice = '@alice:a.example' as UserId;
const bob = '@bob:a.example' as UserId;
const to = (userId: UserId, deviceId: string, content: number): Receiver => [userId, deviceId as DeviceId, content];
const sent = (type: string, receivers: readonly Receiver[], contents: readonly object[]) => {
  const text = textOfSent(
    { type, txn: 't' },
    receivers,
    contents.map((content) => JSON.stringify(content)),
  );
  return { data: text.data, metadata: { erasable: text.erasable } as never };
};

describe('the text of to-device-sent', () => {
  it('is read back, whatever is in it', () => {
    const receivers = [to(alice, '"],"contents":[', 0), to(bob, 'contents', 1), to(bob, '\n', 1)];
    const fact = sent('a"]}', receivers, [{ '"contents":[': 1 }, {}]);
    expect(readSent(fact)).toMatchObject({ type: 'a"]}', to: receivers, contents: ['{"\\"contents\\":[":1}', '{}'] });
    expect(transactionOf(fact)).toEqual({ type: 'a"]}', txn: 't' });
    expect([...usersIn(fact)]).toEqual([alice, bob]);
  });

  it('is read back with the contents as they were, whatever objects they are', () => {
    const odd = fc.constantFrom('\\', '"', '\\"', '{', '}', ']', '[', ',', '],"salt":"', '\u2028', '\u0000');
    const text = fc.oneof(fc.string({ unit: odd, maxLength: 8 }), fc.string());
    const content = fc.dictionary(text, fc.oneof(fc.jsonValue(), text, fc.array(fc.dictionary(text, text))));
    fc.assert(
      fc.property(fc.array(content), (contents) => {
        const receivers = contents.map((_, i) => to(bob, `${i}`, i));
        const fact = sent('t', receivers, contents);
        expect(readSent(fact)).toEqual({
          type: 't',
          to: receivers,
          contents: contents.map((one) => JSON.stringify(one)),
        });
      }),
    );
  });

  it('is an error where it was cut off, and nothing that goes on for ever', () => {
    const { data, metadata } = sent('t', [to(bob, 'B', 0)], [{ a: '}"' }, {}]);
    const end = data.indexOf('],"salt"');
    for (let length = data.indexOf(',"contents":[') + 13; length <= end; length++) {
      expect(() => readSent({ data: data.slice(0, length), metadata }), data.slice(0, length)).toThrow(SyntaxError);
    }
  });

  it('keeps of the contents what those receivers are to have who are left, and nothing where none are', () => {
    const contents = ['{"n":0}', '{"n":1}', '{"n":2}'];
    const left = JSON.parse(`{${tailOfSent([to(bob, 'B', 2), to(bob, 'C', 2), to(alice, 'A', 0)], contents)}`);
    expect(left).toMatchObject({ to: [[bob, 'B', 0], [bob, 'C', 0], [alice, 'A', 1]], contents: [{ n: 2 }, { n: 0 }] }); // prettier-ignore
    expect(JSON.parse(`{${tailOfSent([], contents)}`)).toMatchObject({ to: [], contents: [] });
  });

  it('does not tell by its hash what was in it: the same again is another text', () => {
    expect(tailOfSent([to(bob, 'B', 0)], ['{}'])).not.toBe(tailOfSent([to(bob, 'B', 0)], ['{}']));
  });
});
