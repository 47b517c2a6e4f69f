import { describe, expect, it } from 'vitest';
import { EventStoreMisconfigured } from '../event-store-errors.js';
import { addressFor, parseServerAddress } from './server-address.js';

describe('the address of a server', () => {
  it('names hosts, their ports and how they are trusted, and no secret', () => {
    const address = parseServerAddress('kurrentdb://admin:secret@a,b:2114,[::1]:2115?tlsCAFile=/etc/Ca.pem');
    expect(address.hosts).toEqual([
      { host: 'a', port: 2113 },
      { host: 'b', port: 2114 },
      { host: '::1', port: 2115 },
    ]);
    expect(address).toMatchObject({ tls: true, verifyCertificate: true, caFile: '/etc/Ca.pem' });
    expect(address.name).toBe('kurrentdb://a,b:2114,[::1]:2115?tlsCAFile=/etc/Ca.pem');
    expect(parseServerAddress('esdb://h?tls=false&tlsVerifyCert=false')).toMatchObject({
      tls: false,
      verifyCertificate: false,
    });
  });

  it('may be one name to discover a cluster by, but not several', () => {
    expect(parseServerAddress('kurrentdb+discover://cluster.example').hosts).toHaveLength(1);
    expect(() => parseServerAddress('kurrentdb+discover://u:p@a,b,c?tls=false')).toThrow(EventStoreMisconfigured);
    expect(() => parseServerAddress('http:/x')).toThrow(EventStoreMisconfigured);
  });

  it.each([
    'kurrentdb://admin:the/secret@a',
    'kurrentdb://admin:the@secret@a?tls=false',
    'kurrentdb://admin:secret@a?tls=false&foo=bar',
    'kurrentdb://admin:secret@a?tls=false&throwOnAppendFailure=false',
    'secret@a',
  ])('is refused without a secret where it is none: %s', (url) => {
    let message = '';
    try {
      parseServerAddress(url);
    } catch (error) {
      expect(error).toBeInstanceOf(EventStoreMisconfigured);
      ({ message } = error as Error);
    }
    expect(message).toMatch(/is no address of an event store|there is no option/);
    expect(message).not.toContain('secret');
  });

  it('prefers no node: only the leader has for sure what was just written', () => {
    expect(addressFor('native', 'kurrentdb://a?nodePreference=follower&tls=false&gossipTimeout=9')).toBe(
      'kurrentdb://a?tls=false&gossipTimeout=9',
    );
    expect(addressFor('native', 'kurrentdb://a?tls=false&NodePreference=random')).toBe(
      'kurrentdb://a?tls=false&gossipTimeout=1000',
    );
    expect(addressFor('native', 'kurrentdb://a?nodePreference=random')).toBe('kurrentdb://a?gossipTimeout=1000');
  });

  it('asks dead nodes for a short time only, unless it says itself for how long', () => {
    expect(addressFor('javascript', 'kurrentdb://a')).toBe('kurrentdb://a?gossipTimeout=1');
    expect(addressFor('javascript', 'kurrentdb://a?tls=false')).toBe('kurrentdb://a?tls=false&gossipTimeout=1');
    expect(addressFor('native', 'kurrentdb://a?GossipTimeout=9')).toBe('kurrentdb://a?GossipTimeout=9');
    expect(addressFor('native', 'kurrentdb://a')).toBe('kurrentdb://a?gossipTimeout=1000');
  });
});
