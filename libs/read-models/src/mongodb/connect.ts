import { MongoClient } from 'mongodb';
import type { Outage } from '#kernel/outage';
import { judgeSilence } from './judge-silence.js';
import { whyUnreachable } from './unreachable.js';

/** The connection, the reading of rows and the writing are lost and come back apart. */
export type Way = 'connection' | 'read' | 'write';

/** A server that says nothing is found out within these two, by the connection that watches it: no request waits much longer. */
export const LOOK_MS = 2000;
const LOOK_TIMEOUT_MS = 4000;
/** How long a request waits for a server that can be asked, another member of a replica set for example. */
export const SELECTION_MS = 2500;

/** A client of the server, not connected yet. Throws ViewsMisconfigured where the URL is none. */
export function clientOf(url: string): MongoClient {
  try {
    return new MongoClient(url, {
      appName: 'annals',
      readPreference: 'primary',
      serverSelectionTimeoutMS: SELECTION_MS,
      heartbeatFrequencyMS: LOOK_MS,
      connectTimeoutMS: LOOK_TIMEOUT_MS,
    });
  } catch (error) {
    throw judgeSilence(url, error).error;
  }
}

/** Notes from now on whether there is a server that takes writes. */
export function watchConnection(client: MongoClient, outage: Outage<Way>): void {
  client.on('topologyDescriptionChanged', ({ newDescription }) => {
    const reason = whyUnreachable(newDescription);
    if (reason === undefined) outage.noteSuccess('connection');
    else outage.noteLoss('connection', reason);
  });
}
