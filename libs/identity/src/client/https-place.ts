import type { ServerPlace } from '#http/outgoing/guarded-connector';
import { isJsonObject, type JsonObject } from '#kernel/json';

const DEFAULT_PORT = 443;

/** Where a host is reached by HTTPS: a name or an address, with a port or none. `hostname`: as a URL has it, without the port. */
export function httpsPlace(host: string): Pick<ServerPlace, 'tlsName' | 'at'> & { readonly hostname: string } {
  const { hostname, port } = new URL(`https://${host}`);
  const name = hostname.replace(/^\[(.*)\]$/, '$1');
  return { hostname, tlsName: name, at: [{ host: name, port: port === '' ? DEFAULT_PORT : Number(port) }] };
}

/** The object that was answered; undefined where it is none. */
export function readObject(bytes: Buffer): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
