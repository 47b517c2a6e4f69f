import { describe, expect, it } from 'vitest';
import { loadConfig } from '#config/config';
import type { ServerName } from '#kernel/ids';
import { FederatedServers } from './federated-servers.js';

function allowed(env: Record<string, string>, ...names: string[]): string[] {
  const servers = new FederatedServers(loadConfig(env));
  return names.filter((name) => servers.allows(name as ServerName));
}

describe('the servers that are spoken to', () => {
  it('are all, unless told', () => {
    expect(allowed({}, 'a.example', '[::1]:8448')).toEqual(['a.example', '[::1]:8448']);
  });

  it('are those on the list, whatever their port and capitals', () => {
    const env = { ANNALS_FEDERATION_ALLOW: 'a.example, *.Ours.example' };
    const names = ['a.example', 'A.example:8449', 'x.ours.example', 'ours.example', 'b.example', 'xa.example'];
    expect(allowed(env, ...names)).toEqual(['a.example', 'A.example:8449', 'x.ours.example']);
  });

  it('are none that is denied, whoever is allowed', () => {
    const env = { ANNALS_FEDERATION_ALLOW: '*.example', ANNALS_FEDERATION_DENY: 'bad.example,c.example:1' };
    expect(allowed(env, 'a.example', 'bad.example', 'bad.example:2', 'c.example', 'c.example:1')).toEqual([
      'a.example',
      'c.example',
    ]);
  });

  it('are none at all where federation is off', () => {
    expect(allowed({ ANNALS_FEDERATION: 'off', ANNALS_FEDERATION_ALLOW: 'a.example' }, 'a.example')).toEqual([]);
  });
});
