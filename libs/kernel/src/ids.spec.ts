import { describe, expect, test } from 'vitest';
import {
  isEventId,
  isRoomAlias,
  isRoomId,
  isServerName,
  isUserId,
  localpartOf,
  parseRoomId,
  parseUserId,
  serverNameOf,
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

  test('the local part ends at the first colon, the server name may have one more', () => {
    const id = '@alice:localhost:8008' as UserId;
    expect([localpartOf(id), serverNameOf(id)]).toEqual(['alice', 'localhost:8008']);
  });
});
