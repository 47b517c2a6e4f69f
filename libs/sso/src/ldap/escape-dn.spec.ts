import { FilterParser } from 'ldapts';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { localpartOfName, nameOfLocalpart } from '../admission/localpart-of.js';
import { escapeDn, escapeFilter, firstValueOf } from './escape-dn.js';

describe('what somebody writes for their name', () => {
  it('is one value of the name of an entry', () => {
    expect(escapeDn('a,ou=b+c="d"<e>;#\\')).toBe('a\\,ou\\=b\\+c\\=\\"d\\"\\<e\\>\\;#\\\\');
    expect(escapeDn(' # ')).toBe('\\ #\\ ');
    expect(escapeDn('#a\0')).toBe('\\#a\\00');
    expect(escapeDn('a\\ ')).toBe('a\\\\\\ ');
  });

  it('is one value of a filter', () => {
    expect(escapeFilter('*)(|(a=\\*')).toBe('\\2a\\29\\28|\\28a=\\5c\\2a');
    expect(escapeFilter('a\0')).toBe('a\\00');
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (value) => {
        expect(escapeFilter(value)).not.toMatch(/[()*\0]/);
        const filter = FilterParser.parseString(`(uid=${escapeFilter(value)})`);
        expect(filter.constructor.name).toBe('EqualityFilter');
      }),
    );
  });

  it('comes back from the name of a group', () => {
    for (const value of ['staff', 'a,b', 'a+b=c', '"x"']) {
      expect(firstValueOf(`cn=${escapeDn(value)},ou=groups,dc=example`)).toBe(value);
    }
    expect(firstValueOf('cn=B\\C3\\B6se\\2C,ou=groups')).toBe('Böse,');
    expect(firstValueOf('staff')).toBeUndefined();
  });

  it('comes back from the localpart that it makes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (name) => {
        const folded = name.normalize('NFC').toLowerCase();
        fc.pre(folded.isWellFormed?.() !== false && folded === folded.normalize('NFC').toLowerCase());
        const back = nameOfLocalpart(localpartOfName(name));
        expect(localpartOfName(back)).toBe(localpartOfName(name));
      }),
    );
    expect(nameOfLocalpart('j=c3=b6rg')).toBe('jörg');
    expect(nameOfLocalpart('a=zz')).toBe('a=zz');
    expect(nameOfLocalpart('a=ff')).toBe('a=ff');
  });
});
