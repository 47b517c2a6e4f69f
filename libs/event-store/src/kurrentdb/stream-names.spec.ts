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

  it('of facts never begin as that of erasures does', () => {
    const text = string({ unit: 'binary' });
    assert(property(text, (name) => !names.toServer(name).startsWith(names.erasures)));
    expect(streamNamesIn('a').erasures.startsWith(streamNamesIn('ab').erasures)).toBe(false);
    expect(streamNamesIn('ab').erasures.startsWith(streamNamesIn('a').erasures)).toBe(false);
  });

  it('of two namespaces never meet', () => {
    expect(() => streamNamesIn('a.b')).toThrow(RangeError);
    expect(() => streamNamesIn('$all')).toThrow(RangeError);
    expect(streamNamesIn('a').toServer('b').startsWith(streamNamesIn('ab').prefixOnServer())).toBe(false);
  });
});
