import { describe, expect, it } from 'vitest';
import type { DeviceId, UserId } from '#kernel/ids';
import { checkAddressed, checkMessages } from './check-messages.js';

const bob = '@bob:a.example' as UserId;
const TOO_LARGE = expect.objectContaining({ errcode: 'M_TOO_LARGE' });
/** A content whose event has so many bytes. */
const contentOf = (bytes: number): string => {
  const rest = Buffer.byteLength(JSON.stringify({ sender: bob, type: 'm.test', content: { a: '' } }));
  return JSON.stringify({ a: 'x'.repeat(bytes - rest) });
};

describe('what a request sends to devices', () => {
  it('has as many bytes in a message as an event may have, and no more', () => {
    const check = (bytes: number): void =>
      checkMessages(bob, 'm.test', 't', new Map([[bob, new Map([['D' as DeviceId, contentOf(bytes)]])]]));
    expect(() => check(65_536)).not.toThrow();
    expect(() => check(65_537)).toThrow(TOO_LARGE);
  });

  it('is no more than the log takes in one fact', () => {
    const contents = Array.from({ length: 20 }, () => contentOf(65_000));
    const to = contents.map((_, i) => [bob, `D${i}` as DeviceId, i] as const);
    expect(() => checkAddressed({ to: to.slice(0, 14), contents: contents.slice(0, 14) })).not.toThrow();
    expect(() => checkAddressed({ to, contents })).toThrow(TOO_LARGE);
  });

  it('does not lay one large message into the inboxes of very many devices', () => {
    const to = (count: number) => Array.from({ length: count }, (_, i) => [bob, `D${i}` as DeviceId, 0] as const);
    expect(() => checkAddressed({ to: to(250), contents: [contentOf(65_000)] })).not.toThrow();
    expect(() => checkAddressed({ to: to(300), contents: [contentOf(65_000)] })).toThrow(TOO_LARGE);
  });
});
