import { isServerName } from '#kernel/ids';
import { isJsonObject } from '#kernel/json';
import type { Steps } from '#kernel/steps';
import type { WantedKey } from '#rooms/server-keys';

/** NOTSPEC: as many signatures of one event are looked at: its sender's server, and one that authorises a join, sign it. */
const MOST_SIGNATURES = 4;

/** The keys by which some events are signed, each for the latest time at which it must be valid. In steps. */
export function* signingKeysOf(events: Iterable<Uint8Array>): Steps<WantedKey[]> {
  const wanted = new Map<string, WantedKey>();
  for (const bytes of events) {
    for (const one of keysOf(bytes)) {
      const name = `${one.serverName} ${one.keyId}`;
      const before = wanted.get(name);
      if (before === undefined || before.validAt < one.validAt) wanted.set(name, one);
    }
    yield;
  }
  return [...wanted.values()];
}

/** What cannot be read has none: whoever checks the event says so. */
function* keysOf(bytes: Uint8Array): Generator<WantedKey> {
  let event: unknown;
  try {
    event = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
  } catch {
    return;
  }
  if (!isJsonObject(event) || !isJsonObject(event['signatures'])) return;
  const { signatures, origin_server_ts: at } = event;
  const validAt = typeof at === 'number' ? at : 0;
  for (const [serverName, keys] of Object.entries(signatures).slice(0, MOST_SIGNATURES)) {
    if (!isServerName(serverName) || !isJsonObject(keys)) continue;
    for (const keyId of Object.keys(keys).slice(0, MOST_SIGNATURES)) yield { serverName, keyId, validAt };
  }
}
