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

/** Where views can be kept here. */
export const VIEWS_THERE: readonly Views[] = VIEWS_SERVER === undefined ? ['LMDB'] : ['LMDB', 'MongoDB'];

/** What suites run on that are about no store: the server for logs where there is one. */
export const USUAL_LOG: Log = LOG_SERVER === undefined ? 'LMDB' : 'a server';

const LOGS: readonly Log[] = ['LMDB', 'a server'];
const VIEWS: readonly Views[] = ['LMDB', 'MongoDB'];

/** Runs a suite once with each kind of log; views are in LMDB. */
export function describeWithLogs(name: string, suite: (log: Log) => void): void {
  for (const log of LOGS) describe(`${name} (log ${placed(log)})`, () => suite(log));
}

/** Runs a suite once with each kind of log and of views, each with each; with MongoDB only where ANNALS_READ_MODELS_URL names one. */
export function describeWithAllStores(name: string, suite: (stores: Stores) => void): void {
  for (const log of LOGS) for (const views of VIEWS) describeWith(name, { log, views }, suite);
}

/** Runs a suite once with all embedded, and once with all on servers: each kind of either, and half of the time. */
export function describeWithStores(name: string, suite: (stores: Stores) => void): void {
  describeWith(name, { log: 'LMDB', views: 'LMDB' }, suite);
  describeWith(name, { log: 'a server', views: VIEWS_SERVER === undefined ? 'LMDB' : 'MongoDB' }, suite);
}

/** A suite about what only an embedded log has: not run where the environment names a server, for the reason in its name. */
export function describeEmbedded(name: string, reason: string, suite: () => void): void {
  describe.skipIf(USUAL_LOG !== 'LMDB')(`${name} (log in LMDB alone: ${reason})`, suite);
}

function describeWith(name: string, { log, views }: Stores, suite: (stores: Stores) => void): void {
  const needs = views === 'MongoDB' ? ': where ANNALS_READ_MODELS_URL names one' : '';
  describe.skipIf(views === 'MongoDB' && VIEWS_SERVER === undefined)(
    `${name} (log ${placed(log)}, views in ${views}${needs})`,
    () => suite({ log, views }),
  );
}

function placed(log: Log): string {
  return log === 'LMDB' ? 'in LMDB' : 'on a server';
}
