import type { EventStore } from '#event-store/event-store';
import type { ServerName } from '#kernel/ids';
import {
  readRefused,
  type Refusal,
  REFUSALS_STREAM,
  REFUSALS_STREAM_PREFIX,
  refusalsStream,
  serverOfRefusals,
} from '../facts/refusal-facts.js';

/** Something that was refused, and of which server: of a request, which one it said that it was. */
export interface RefusalOf extends Refusal {
  readonly server: string;
}

/** What the log has of refusals: the newest, oldest first. */
export interface ToldRefusals {
  readonly refusals: readonly RefusalOf[];
  /** How many there were besides, since the oldest. */
  readonly further: number;
}

/** What was refused of a server lately. */
export async function refusalsOf(store: EventStore, server: ServerName): Promise<ToldRefusals> {
  const [own, unproven] = [await readStream(store, refusalsStream(server)), await readStream(store, REFUSALS_STREAM)];
  const requests = unproven.refusals.filter((one) => one.server === server);
  return { refusals: inOrder([...own.refusals, ...requests]), further: own.further };
}

/** What was refused lately of all servers and is wanted. */
export async function findRefusals(
  store: EventStore,
  isWanted: (refusal: Refusal) => boolean,
): Promise<readonly RefusalOf[]> {
  const found: RefusalOf[] = [];
  for await (const stream of store.streams({ prefix: REFUSALS_STREAM_PREFIX })) {
    found.push(...(await readStream(store, stream)).refusals.filter(isWanted));
  }
  return inOrder(found);
}

async function readStream(store: EventStore, stream: string): Promise<ToldRefusals> {
  const of = serverOfRefusals(stream);
  const refusals: RefusalOf[] = [];
  let further = 0;
  for await (const fact of store.readStream(stream)) {
    const told = readRefused(fact);
    refusals.push(...told.refusals.map((one) => ({ ...one, server: of ?? one.server ?? '' })));
    further += told.further ?? 0;
  }
  return { refusals, further };
}

function inOrder(refusals: readonly RefusalOf[]): RefusalOf[] {
  return refusals.toSorted((a, b) => a.at - b.at);
}
