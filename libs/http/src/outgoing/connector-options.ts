import { readFileSync } from 'node:fs';
import type { Config } from '#config/config';
import type { ConnectorOptions } from './guarded-connector.js';
import { makeLookUp } from './look-up.js';

/** How long a try to connect to another server may take. */
const CONNECT_MS = 10_000;

/** How this server connects to others, by its settings. Throws where the file of the authorities cannot be read. */
export function connectorOptionsOf({
  tlsCa,
  federationAllowPrivate,
}: Pick<Config, 'tlsCa' | 'federationAllowPrivate'>): ConnectorOptions {
  return {
    ca: tlsCa === undefined ? undefined : readFileSync(tlsCa, 'utf8'),
    allowPrivate: federationAllowPrivate,
    connectMs: CONNECT_MS,
    lookup: makeLookUp(),
  };
}
