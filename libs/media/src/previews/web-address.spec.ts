import { describe, expect, it } from 'vitest';
import { placeOf, readAddress } from './web-address.js';

const RULES = {
  deny: ['*.internal.example', 'tracker.example', '*.Bücher.example', '10.*', '2001:db8:*', 'ad?.example'],
  privateHosts: ['wiki.lan', '10.0.0.5:8443', 'Files.LAN:8080'],
};

describe('the address of a page', () => {
  it('is one of the web, without what comes behind #', () => {
    expect(readAddress('https://example.org/a?b#c', RULES)?.href).toBe('https://example.org/a?b');
    expect(readAddress('HTTP://EXAMPLE.org:8080', RULES)?.href).toBe('http://example.org:8080/');
    expect(readAddress('/a/b.png', RULES, new URL('https://example.org/x/'))?.href).toBe('https://example.org/a/b.png');
    expect(readAddress('https://bücher.example/', RULES)?.hostname).toBe('xn--bcher-kva.example');
  });

  it('is none where it is of something else, says who asks, or leads to what is no web', () => {
    const bad = [
      '',
      'example.org',
      'ftp://example.org/',
      'file:///etc/passwd',
      'gopher://127.0.0.1:6379/',
      'data:text/html,x',
      'javascript:alert(1)',
      'https://user:password@example.org/',
      'http://example.org:22/',
      'https://example.org:25/',
      `https://example.org/${'x'.repeat(2048)}`,
    ];
    for (const text of bad) expect([text, readAddress(text, RULES)]).toEqual([text, undefined]);
  });

  it('is none of a host that the operator names', () => {
    const denied = ['https://tracker.example/', 'https://TRACKER.example./', 'http://a.internal.example/'];
    denied.push('https://www.bücher.example/', 'https://www.xn--bcher-kva.example/');
    denied.push('http://10.1.2.3/', 'http://[2001:db8::1]/', 'https://ad1.example/');
    for (const text of denied) expect([text, readAddress(text, RULES)]).toEqual([text, undefined]);
    expect(readAddress('https://internal.example/', RULES)).toBeDefined();
  });

  it('may be of a private network where the operator names the host', () => {
    const of = (text: string) => placeOf(new URL(text), RULES);
    expect(of('https://[::1]:8448/')).toEqual({
      tlsName: '::1',
      at: [{ host: '::1', port: 8448 }],
      mayBePrivate: false,
      isPlain: false,
      trustsPublicToo: true,
    });
    expect(of('http://wiki.lan/')).toMatchObject({ mayBePrivate: true, isPlain: true, at: [{ port: 80 }] });
    expect(of('https://10.0.0.5:8443/').mayBePrivate).toBe(true);
    expect(of('http://files.lan:8080/').mayBePrivate).toBe(true);
    expect(of('http://files.lan/').mayBePrivate).toBe(false);
    expect(of('https://10.0.0.5/').mayBePrivate).toBe(false);
    expect(of('http://2130706433/').at[0]!.host).toBe('127.0.0.1');
  });
});
