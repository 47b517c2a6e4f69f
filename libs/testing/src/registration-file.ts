import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A registration file of an application service, in a folder of its own, and its path. Keys given take the place of the usual ones. */
export function writeRegistration(keys: Readonly<Record<string, unknown>> = {}): string {
  const path = join(mkdtempSync(join(tmpdir(), 'annals-service-')), 'registration.yaml');
  writeFileSync(path, registrationText(keys));
  return path;
}

/** What such a file says, as JSON, which is YAML. */
export function registrationText(keys: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    id: 'bridge',
    url: null,
    as_token: 'token-of-the-service',
    hs_token: 'token-of-the-server',
    sender_localpart: '_bridge_bot',
    namespaces: {
      users: [{ exclusive: true, regex: '@_bridge_.*' }],
      aliases: [{ exclusive: true, regex: '#_bridge_.*' }],
      rooms: [],
    },
    ...keys,
  });
}
