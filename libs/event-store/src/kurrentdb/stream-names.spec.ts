import { assert, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { streamNamesIn } from './stream-names.js';

const names = streamNamesIn('annals');

describe('stream names', () => {
  it('survive the way to the server and back, and keep their prefixes', () => {
    const text = string({ unit: 'binary' });
    assert(
      property(text, text, (prefix, rest) => {
        const name = prefix + rest;
        expect(names.fromServer(names.toServer(name))).toBe(name);
        expect(names.toServer(name).startsWith(names.prefixOnServer(prefix))).toBe(true);
        expect(names.toServer(name)).toMatch(/^annals\.[\w.!~*'()%-]*$/);
      }),
    );
  });

  it('of two namespaces never meet', () => {
    expect(() => streamNamesIn('a.b')).toThrow(RangeError);
    expect(() => streamNamesIn('$all')).toThrow(RangeError);
    expect(streamNamesIn('a').toServer('b').startsWith(streamNamesIn('ab').prefixOnServer())).toBe(false);
  });
});
