import type { FastifyReply, FastifyRequest } from 'fastify';
import { describe, expect, it } from 'vitest';
import { generateSigningKey } from '#protocol/signing/signing-key';
import { BrowserCookie } from './browser-cookie.js';
import { FormTokens } from './form-tokens.js';
import { readForm } from './read-form.js';

const requestWith = (headers: Record<string, string>, body?: string): FastifyRequest =>
  ({ headers, body: body === undefined ? undefined : Buffer.from(body) }) as unknown as FastifyRequest;

describe('the cookie of a browser', () => {
  const cookie = new BrowserCookie('annals', 'https://example.org');
  const set = (by: BrowserCookie): string => {
    let line = '';
    by.put({ header: (_name: string, value: string) => (line = value) } as unknown as FastifyReply, 'a.b-c', 60);
    return line;
  };

  it('is kept from scripts, other sites and other hosts', () => {
    expect(set(cookie)).toBe('__Host-annals=a.b-c; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure');
    expect(set(new BrowserCookie('annals', 'http://localhost:8008'))).not.toMatch(/__Host|Secure/);
  });

  it('is found among others, and is none where there are two or it is not of our form', () => {
    expect(cookie.find(requestWith({ cookie: 'x=1; __Host-annals=a.b-c; annals=y' }))).toBe('a.b-c');
    for (const text of ['annals=a', '__Host-annals=a; __Host-annals=b', '__Host-annals="a"', '__Host-annals='])
      expect(cookie.find(requestWith({ cookie: text }))).toBeUndefined();
    expect(cookie.find(requestWith({}))).toBeUndefined();
  });
});

describe('the token of a form', () => {
  const tokens = new FormTokens(generateSigningKey());
  const refused = expect.objectContaining({ errcode: 'M_FORBIDDEN' });

  it('is good for the browser that it was made for', () => {
    const token = tokens.of('one');
    expect(() => tokens.check(requestWith({}), 'one', token)).not.toThrow();
    expect(() => tokens.check(requestWith({ 'sec-fetch-site': 'same-origin' }), 'one', token)).not.toThrow();
    for (const [cookie, given] of [
      ['two', token],
      [undefined, token],
      ['one', undefined],
      ['one', `${token}A`],
    ])
      expect(() => tokens.check(requestWith({}), cookie, given)).toThrow(refused);
  });

  it('is not good for a page of another site, nor of another server', () => {
    for (const site of ['cross-site', 'same-site'])
      expect(() => tokens.check(requestWith({ 'sec-fetch-site': site }), 'one', tokens.of('one'))).toThrow(refused);
    const others = new FormTokens(generateSigningKey());
    expect(() => tokens.check(requestWith({}), 'one', others.of('one'))).toThrow(refused);
  });
});

describe('a form', () => {
  it('has each field once', () => {
    expect([...readForm(requestWith({}, 'a=1&b=x+y%20z'))]).toEqual([
      ['a', '1'],
      ['b', 'x y z'],
    ]);
    const refused = expect.objectContaining({ errcode: 'M_INVALID_PARAM' });
    expect(() => readForm(requestWith({}, 'a=1&a=1'))).toThrow(refused);
    expect(() => readForm(requestWith({ 'content-type': 'application/json' }, '{}'))).toThrow(refused);
    expect(() => readForm(requestWith({}, Array.from({ length: 65 }, (_, i) => `f${i}=`).join('&')))).toThrow(refused);
  });
});
