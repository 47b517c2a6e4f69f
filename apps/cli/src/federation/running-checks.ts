import type { PeerSilence } from '#federation/peers/peers';
import type { DestinationReport } from '#federation/sending/destinations';
import type { ServerName } from '#kernel/ids';
import { type Check, ok, warn } from '../doctor/check.js';
import type { Installation } from '../installation.js';
import { callServer } from '../projections/remote-projections.js';
import { counted, duration, moment } from '../terminal/units.js';

/**
 * Whether the running server leaves another one alone because it did not answer, and what it has yet to send to it. Nothing where no
 * server runs.
 */
export async function checkRunning({ connect }: Installation, server: ServerName): Promise<Check[]> {
  const client = await connect();
  if (client === undefined) return [ok('left alone', 'no server runs here that could leave it alone')];
  try {
    return [
      checkLeftAlone(await callServer<PeerSilence | null>(client, 'federation.left-alone', { server })),
      checkSending(await callServer<DestinationReport>(client, 'federation.destination', { server })),
    ];
  } finally {
    client.close();
  }
}

function checkLeftAlone(silence: PeerSilence | null): Check {
  if (silence === null) return ok('left alone', 'no');
  const { failures, reason, remainingMs } = silence;
  const rest =
    remainingMs === 0 ? 'asked again with the next request' : `left alone for ${duration(remainingMs / 1000)}`;
  const text = `it did not answer ${counted(failures, 'time')} in a row, and is ${rest}: ${reason}`;
  return warn(
    'left alone',
    text,
    'it is asked at once where it sends something itself, or where somebody waits for it',
  );
}

function checkSending({ waiting, isSending, acceptedAt, retryAt, behind }: DestinationReport): Check {
  const last = acceptedAt === undefined ? 'nothing since the start' : `something at ${moment(acceptedAt)}`;
  const now = isSending ? `${counted(waiting, 'event')} and EDUs under way or waiting` : 'nothing waits for it';
  if (behind === null) return ok('sending', `it accepted ${last}; ${now}`);
  const { since, failures, error, retry_at: noted } = behind;
  const lacks = `it may lack what was for it since ${moment(since.at)}, and accepted ${last}; ${now}`;
  if (failures === 0)
    return warn('sending', `${lacks}; it is slow`, 'it gets the newest of each room once it keeps up');
  const text = `${lacks}; tried ${counted(failures, 'time')} in vain, again at ${moment(retryAt ?? noted)}: ${error}`;
  return warn(
    'sending',
    text,
    'what it lacks is sent when it can be reached, and as soon as it sends something itself',
  );
}
