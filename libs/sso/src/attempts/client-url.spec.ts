import { describe, expect, it } from 'vitest';
import { isOfClient, parseClientUrl, shownOf, withLoginToken } from './client-url.js';

describe('the URL of a client', () => {
  it.each([
    ['https://app.example/', 'https://app.example/?loginToken=t'],
    ['https://app.example/?a=b%20c&loginToken=old&d#/home', 'https://app.example/?a=b%20c&d&loginToken=t#/home'],
    ['element://connect/', 'element://connect/?loginToken=t'],
    ['org.example.app:/back', 'org.example.app:/back?loginToken=t'],
    ['http://localhost:1234/?loginToken', 'http://localhost:1234/?loginToken=t'],
  ])('%s has the token as a parameter', (url, whole) => expect(withLoginToken(parseClientUrl(url), 't')).toBe(whole));

  it.each([
    ['https://a.example/app/', 'https://a.example/app/', true],
    ['https://a.example/app', 'https://a.example/app', true],
    ['https://a.example/app/x?y#z', 'https://a.example/app', true],
    ['https://a.example/x', 'https://a.example', true],
    ['https://a.example/application', 'https://a.example/app', false],
    ['https://a.example/app', 'https://a.example/app/', false],
    ['https://a.example.evil.example/app', 'https://a.example/app', false],
    ['https://a.example:444/app', 'https://a.example/app', false],
    ['http://a.example/app', 'https://a.example/app', false],
    ['https://a.example/app/../x', 'https://a.example/app', false],
    ['element://connect/x', 'element://connect', true],
    ['element://evil/x', 'element://connect', false],
  ])('%s is a part of %s: %s', (url, prefix, is) => expect(isOfClient(parseClientUrl(url), prefix)).toBe(is));

  it('is shown by what people know it by', () => {
    expect(shownOf(new URL('https://a.example:8/x'))).toBe('a.example:8');
    expect(shownOf(new URL('element://connect/x'))).toBe('element://connect');
    expect(shownOf(new URL('org.example.app:/x'))).toBe('org.example.app:');
  });
});
