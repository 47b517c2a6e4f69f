import { expect, it } from 'vitest';
import { isUrlBy, isWebAddress } from './is-web-address.js';

it('an address of the web is a URL by http or https, whoever it leads to', () => {
  for (const text of ['https://a.example', 'http://user@10.0.0.1:8008/path?x#y', 'HTTPS://a.example'])
    expect(isWebAddress(text)).toBe(true);
  for (const text of ['', 'a.example', '/path', 'javascript:alert(1)', 'ftp://a.example', 'https://', 'http://['])
    expect(isWebAddress(text)).toBe(false);
  expect([isUrlBy(['ftp:'], 'ftp://a.example'), isUrlBy(['ftp:'], 'http://a.example')]).toEqual([true, false]);
});
