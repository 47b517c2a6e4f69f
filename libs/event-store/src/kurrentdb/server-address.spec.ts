import { describe, expect, it } from 'vitest';
import { EventStoreMisconfigured } from '../event-store-errors.js';
import { parseServerAddress, withQuickGossip } from './server-address.js';

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

  it('asks dead nodes for a short time only, unless it says itself for how long', () => {
    expect(withQuickGossip('kurrentdb://a', 'javascript')).toBe('kurrentdb://a?gossipTimeout=1');
    expect(withQuickGossip('kurrentdb://a?tls=false', 'javascript')).toBe('kurrentdb://a?tls=false&gossipTimeout=1');
    expect(withQuickGossip('kurrentdb://a?GossipTimeout=9', 'native')).toBe('kurrentdb://a?GossipTimeout=9');
    expect(withQuickGossip('kurrentdb://a', 'native')).toBe('kurrentdb://a?gossipTimeout=1000');
  });
});
