import { MongoClient } from 'mongodb';
import type { Outage } from '#kernel/outage';
import { isAway, whyUnreachable } from './unreachable.js';

/** The connection, and the writing of rows, are lost and come back apart. */
export type Way = 'connection' | 'write';

/** A server that says nothing is found out within these two, by the connection that watches it: no request waits much longer. */
const LOOK_MS = 2000;
const LOOK_TIMEOUT_MS = 4000;
/** How long a request waits for a server that can be asked, another member of a replica set for example. */
export const SELECTION_MS = 2500;
/** At start there is more time. */
const CONNECT_MS = 10_000;
/** Connects, and notes from then on whether there is a server that takes writes. Throws where none is found in time. */
export async function connect(url: string, outage: Outage<Way>): Promise<MongoClient> {
  const client = new MongoClient(url, {
    appName: 'annals',
    readPreference: 'primary',
    serverSelectionTimeoutMS: SELECTION_MS,
    heartbeatFrequencyMS: LOOK_MS,
    connectTimeoutMS: LOOK_TIMEOUT_MS,
  });
  const deadline = performance.now() + CONNECT_MS;
  for (;;) {
    try {
      await client.connect();
      break;
    } catch (error) {
      if (isAway(error) && performance.now() < deadline) continue;
      await client.close();
      throw error;
    }
  }
  client.on('topologyDescriptionChanged', ({ newDescription }) => {
    const reason = whyUnreachable(newDescription);
    if (reason === undefined) outage.noteSuccess('connection');
    else outage.noteLoss('connection', reason);
  });
  return client;
}
