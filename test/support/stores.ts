import { describe } from 'vitest';

/** Where a server keeps its log: embedded, in LMDB, or on a server. */
export type Log = 'LMDB' | 'a server';
/** Where a server keeps its views. */
export type Views = 'LMDB' | 'MongoDB';

export interface Stores {
  readonly log: Log;
  readonly views: Views;
}

/** The server for logs that the environment names; where it names none, a stand-in is started. */
export const LOG_SERVER = process.env['ANNALS_EVENT_STORE_URL'];
/** The server for views that the environment names. */
export const VIEWS_SERVER = process.env['ANNALS_READ_MODELS_URL'];

/** What suites run on that are about no store: the server for logs where there is one. */
export const USUAL_LOG: Log = LOG_SERVER === undefined ? 'LMDB' : 'a server';

const LOGS: readonly Log[] = ['LMDB', 'a server'];

/** Runs a suite once with each kind of log; views are in LMDB. */
export function describeWithLogs(name: string, suite: (log: Log) => void): void {
  for (const log of LOGS) describe(`${name} (log ${placed(log)})`, () => suite(log));
}

/** Runs a suite once with each kind of log and of views; with MongoDB only where ANNALS_READ_MODELS_URL names one. */
export function describeWithStores(name: string, suite: (stores: Stores) => void): void {
  for (const log of LOGS) {
    describe(`${name} (log ${placed(log)}, views in LMDB)`, () => suite({ log, views: 'LMDB' }));
    const needs = 'MongoDB: where ANNALS_READ_MODELS_URL names one';
    describe.skipIf(VIEWS_SERVER === undefined)(`${name} (log ${placed(log)}, views in ${needs})`, () =>
      suite({ log, views: 'MongoDB' }),
    );
  }
}

/** A suite about what only an embedded log has: not run where the environment names a server, for the reason in its name. */
export function describeEmbedded(name: string, reason: string, suite: () => void): void {
  describe.skipIf(USUAL_LOG !== 'LMDB')(`${name} (log in LMDB alone: ${reason})`, suite);
}

function placed(log: Log): string {
  return log === 'LMDB' ? 'in LMDB' : 'on a server';
}
