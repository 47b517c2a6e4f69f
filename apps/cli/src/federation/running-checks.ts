import type { PeerSilence } from '#federation/peers/peers';
import type { ServerName } from '#kernel/ids';
import { type Check, ok, warn } from '../doctor/check.js';
import type { Installation } from '../installation.js';
import { callServer } from '../projections/remote-projections.js';
import { counted, duration } from '../terminal/units.js';

/** Whether the running server leaves another one alone because it did not answer. Nothing where no server runs. */
export async function checkLeftAlone({ connect }: Installation, server: ServerName): Promise<Check[]> {
  const client = await connect();
  if (client === undefined) return [ok('left alone', 'no server runs here that could leave it alone')];
  const silence = await callServer<PeerSilence | null>(client, 'federation.left-alone', { server }).finally(() =>
    client.close(),
  );
  if (silence === null) return [ok('left alone', 'no')];
  const { failures, reason, remainingMs } = silence;
  const rest =
    remainingMs === 0 ? 'asked again with the next request' : `left alone for ${duration(remainingMs / 1000)}`;
  const text = `it did not answer ${counted(failures, 'time')} in a row, and is ${rest}: ${reason}`;
  return [
    warn('left alone', text, 'it is asked at once where it sends something itself, or where somebody waits for it'),
  ];
}
