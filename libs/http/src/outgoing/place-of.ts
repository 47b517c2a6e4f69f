import type { ServerPlace } from './guarded-connector.js';

/** Where an http or https URL leads, with what holds of whom it is. */
export function placeOf(
  { hostname, port, protocol }: URL,
  rules: Pick<ServerPlace, 'mayBePrivate' | 'trustsPublicToo' | 'connections'> = {},
): ServerPlace {
  const isPlain = protocol === 'http:';
  const host = hostname.replace(/^\[|\]$/g, '');
  return { tlsName: host, at: [{ host, port: port === '' ? (isPlain ? 80 : 443) : Number(port) }], isPlain, ...rules };
}

/** Of a service that the operator chose, wherever it is. */
export const OF_OPERATOR: Pick<ServerPlace, 'mayBePrivate' | 'trustsPublicToo'> = Object.freeze({
  mayBePrivate: true,
  trustsPublicToo: true,
});
