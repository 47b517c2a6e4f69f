import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '#kernel/json';
import { isAllowedByAcl } from './server-acl.js';

const ALL = { allow: ['*'] };
const label = fc.string({ unit: fc.constantFrom('a', 'b', 'z', '1', '-'), minLength: 1, maxLength: 6 });
const host = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => `x${labels.join('.')}`);
const port = fc.option(fc.integer({ min: 0, max: 65_535 }), { nil: undefined });
const pattern = fc.oneof(
  host,
  fc.string({ unit: fc.constantFrom('a', 'b', 'x', '*', '?', '.'), maxLength: 6 }),
  fc.constant('*'),
);
const list = fc.option(fc.array(fc.oneof(pattern, fc.integer(), fc.constant(null)), { maxLength: 5 }), {
  nil: undefined,
});
const content = fc
  .record({ allow: list, deny: list, allow_ip_literals: fc.option(fc.boolean(), { nil: undefined }) })
  .map((record) => Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as JsonObject);

describe('the access list of a room', () => {
  it.each<[string, JsonObject, string, boolean]>([
    ['lets nobody in who is not allowed', {}, 'a.example', false],
    ['lets in who is allowed', ALL, 'a.example', true],
    ['lets denial win', { ...ALL, deny: ['evil.example'] }, 'evil.example', false],
    ['looks at no port', { ...ALL, deny: ['evil.example'] }, 'evil.example:8448', false],
    ['looks at no case', { ...ALL, deny: ['EVIL.*'] }, 'Evil.example', false],
    ['takes ? for one character', { ...ALL, deny: ['ev?l.example'] }, 'evil.example', false],
    ['names whole hosts', { ...ALL, deny: ['evil.example'] }, 'not.evil.example', true],
    ['takes a dot for a dot', { allow: ['a.example'] }, 'axexample', false],
    ['refuses addresses', { ...ALL, allow_ip_literals: false }, '1.2.3.4', false],
    ['refuses addresses with a port', { ...ALL, allow_ip_literals: false }, '1.2.3.4:80', false],
    ['refuses addresses in brackets', { ...ALL, allow_ip_literals: false }, '[::1]', false],
    ['refuses addresses in brackets with a port', { ...ALL, allow_ip_literals: false }, '[2001:db8::1]:8448', false],
    ['lets names in that look like addresses', { ...ALL, allow_ip_literals: false }, '1.2.3.4.example', true],
    ['lets addresses in otherwise', { ...ALL, allow_ip_literals: 'false' }, '1.2.3.4', true],
    ['takes what is no list for an empty one', { allow: '*' }, 'a.example', false],
    ['leaves out what is no text', { allow: [7, '*'], deny: [{}, null] }, 'a.example', true],
  ])('%s', (_, acl, serverName, expected) => {
    expect(isAllowedByAcl(acl, serverName)).toBe(expected);
  });

  it('never depends on a port, nor on capitals', () => {
    fc.assert(
      fc.property(content, host, port, (acl, name, at) => {
        const expected = isAllowedByAcl(acl, name);
        expect(isAllowedByAcl(acl, at === undefined ? name : `${name}:${at}`)).toBe(expected);
        expect(isAllowedByAcl(acl, name.toUpperCase())).toBe(expected);
      }),
    );
  });

  it('lets nobody in by a denial, and puts nobody out by an allowance', () => {
    fc.assert(
      fc.property(content, pattern, host, (acl, more, name) => {
        const listOf = (key: string): string[] => (Array.isArray(acl[key]) ? (acl[key] as string[]) : []);
        const before = isAllowedByAcl(acl, name);
        if (!before) expect(isAllowedByAcl({ ...acl, deny: [...listOf('deny'), more] }, name)).toBe(false);
        else expect(isAllowedByAcl({ ...acl, allow: [...listOf('allow'), more] }, name)).toBe(true);
        expect(isAllowedByAcl({ ...acl, deny: [...listOf('deny'), name] }, name)).toBe(false);
      }),
    );
  });

  it('is read in little time, whatever its patterns', () => {
    const acl = { allow: [`${'*a'.repeat(100)}b`] };
    expect(isAllowedByAcl(acl, 'a'.repeat(230))).toBe(false);
  });
});
