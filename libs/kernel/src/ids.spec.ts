import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  foldRoomAlias,
  isEventId,
  isRoomAlias,
  isRoomId,
  isServerName,
  isUserId,
  localpartOf,
  parseEventId,
  parseRoomId,
  parseUserId,
  serverNameOf,
  type RoomAlias,
  type RoomId,
  type ServerName,
  type UserId,
} from './ids.js';

describe('identifiers', () => {
  test.each(['example.org', 'example.org:8448', '1.2.3.4:80', '[::1]:8448', 'localhost'])(
    '%s is a server name',
    (text) => {
      expect(isServerName(text)).toBe(true);
    },
  );

  test.each(['', 'a b', 'example.org:', 'example.org:123456', '[::1', 'exämple.org', 'a/b'])(
    '%s is no server name',
    (text) => {
      expect(isServerName(text)).toBe(false);
    },
  );

  test.each([
    ['@alice:example.org', true],
    ['@Alice=old style!:example.org', true],
    ['@:example.org', true],
    ['alice:example.org', false],
    ['@alice', false],
    ['@alice:not a server', false],
    [`@${'a'.repeat(242)}:example.org`, true],
    [`@${'a'.repeat(243)}:example.org`, false],
  ])('%s: a user id is at most 255 bytes and names a server (%s)', (text, expected) => {
    expect(isUserId(text)).toBe(expected);
  });

  test('sizes count bytes, not characters', () => {
    expect(isUserId(`@${'ä'.repeat(122)}:example.org`)).toBe(false);
    expect(isRoomId(`!${'ä'.repeat(127)}`)).toBe(true);
    expect(isRoomId(`!${'ä'.repeat(128)}`)).toBe(false);
  });

  test('what is none is refused in plain words', () => {
    expect(() => parseEventId('x')).toThrow(/^Not an event ID: x$/);
    expect(() => parseRoomId('x')).toThrow(/^Not a room ID: x$/);
  });

  test('room ids have a server name up to version 11 and none from 12 on', () => {
    expect(isRoomId('!opaque:example.org')).toBe(true);
    expect(isRoomId('!Nhcu5BS-UMnFX7hBVfVSoXiD7OgH6iRT-xyIuqDnpYQ')).toBe(true);
    expect(serverNameOf('!opaque:example.org' as RoomId)).toBe('example.org');
    expect(serverNameOf('!hash' as RoomId)).toBeUndefined();
  });

  test('an alias needs a local part, an event id something behind its sigil', () => {
    expect([isRoomAlias('#a:example.org'), isRoomAlias('#:example.org')]).toEqual([true, false]);
    expect([isEventId('$abc'), isEventId('$')]).toEqual([true, false]);
  });

  test('a wrong identifier is refused with M_INVALID_PARAM', () => {
    expect(() => parseUserId('alice', 'a.example' as ServerName)).toThrow(
      expect.objectContaining({ errcode: 'M_INVALID_PARAM', status: 400 }),
    );
    expect(() => parseRoomId(17)).toThrow(expect.objectContaining({ errcode: 'M_INVALID_PARAM' }));
  });

  test('a user id of this server is read in small letters, that of another server as it is', () => {
    const ours = 'Example.org:80' as ServerName;
    expect(parseUserId('@BOB=X:Example.org:80', ours)).toBe('@bob=x:Example.org:80');
    // Server names are compared letter by letter: appendices, "Server Name".
    for (const other of ['@BOB:example.org:80', '@BOB:Example.org', '@BOB:Example.org:8', '@BOB:X.Example.org:80']) {
      expect(parseUserId(other, ours)).toBe(other);
    }
    expect(parseUserId('@\u212Aevin:Example.org:80', ours)).toBe('@\u212Aevin:Example.org:80');
    expect(parseUserId('@ÄB:Example.org:80', ours)).toBe('@Äb:Example.org:80');
  });

  test.each([
    ['#ThePub:a.example', '#thepub:a.example'],
    ['#STRASSE:a.example', '#straße:a.example'],
    ['#Stra\u1e9ee:a.example', '#straße:a.example'],
    ['#ΟΔΟΣ:a.example', '#οδος:a.example'],
    ['#οδοσ:a.example', '#οδος:a.example'],
    ['#Caf\u00c9:a.example', '#cafe\u0301:a.example'],
    ['#ПАБ:a.example', '#паб:a.example'],
    ['#KAPI:a.example', '#kapı:a.example'],
    ['#İ:a.example', '#i\u0307:a.example'],
  ])('the aliases %s and %s are one', (one, other) => {
    expect(foldRoomAlias(one as RoomAlias)).toBe(foldRoomAlias(other as RoomAlias));
  });

  test('aliases of different letters or servers are two', () => {
    const fold = (alias: string): string => foldRoomAlias(alias as RoomAlias);
    expect(fold('#pub:a.example')).not.toBe(fold('#púb:a.example'));
    expect(fold('#pub:a.example')).not.toBe(fold('#pub:A.example'));
    expect(fold('#Pub:A.example:80')).toBe('#pub:A.example:80');
  });

  test('an alias is found whatever was done to its case, or to how its letters are composed', () => {
    const fold = (localpart: string): string => foldRoomAlias(`#${localpart}:a.example` as RoomAlias);
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }), (text) => {
        const localpart = text.replaceAll(':', '').normalize('NFC');
        const folded = fold(localpart);
        const spellings = [localpart.toUpperCase(), localpart.toLowerCase(), localpart.normalize('NFD')];
        spellings.push(localpart.toUpperCase().toLowerCase(), localpart.toLowerCase().toUpperCase());
        for (const spelling of spellings) expect(fold(spelling)).toBe(folded);
        expect(`#${folded.slice(1, folded.indexOf(':'))}:a.example`).toBe(folded);
        expect(fold(folded.slice(1, folded.indexOf(':')))).toBe(folded);
      }),
      { numRuns: 2_000 },
    );
  });

  test('the local part ends at the first colon, the server name may have one more', () => {
    const id = '@alice:localhost:8008' as UserId;
    expect([localpartOf(id), serverNameOf(id)]).toEqual(['alice', 'localhost:8008']);
  });
});
