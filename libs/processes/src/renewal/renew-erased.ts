import type { EventStore } from '#event-store/event-store';
import type { Clock } from '#kernel/clock';
import type { Position } from '#kernel/position';
import type { ProjectionOperations } from '#projections/projection-operations';
import type { Views } from '#projections/views';
import { ViewsNotRenewed } from '#read-models/read-model-errors';
import type { ReadModelStore, Renewal } from '#read-models/read-model-store';
import type { WriteSideName } from '#read-models/write-side-collections';
import { LAST_ERASURE } from './erasures.projector.js';

const RENEWALS: WriteSideName = 'views-renewal';
const KEY = ['views'] as const;

/** What is kept of the last renewal. */
export interface Renewed {
  readonly at: number;
  /** The last erasure before it. */
  readonly upTo?: Position | undefined;
}

/** What became of the files, and of what was erased before. */
export interface RenewalOfErased extends Renewal {
  /** The projections that had yet to come by what was erased: their rows may hold it, and so do the files until they are renewed again. */
  readonly behind: readonly string[];
}

export interface ToRenew {
  readonly readModels: ReadModelStore;
  readonly events: Pick<EventStore, 'head'>;
  readonly views: Views;
  readonly clock: Clock;
  readonly projections?: Pick<ProjectionOperations, 'dropBehind' | 'list'> | undefined;
}

/**
 * Renews the views, with all that the log has by then, and keeps when that was; generations that no longer serve, and have what was erased
 * since, are let go. Throws ViewsNotRenewed where that cannot be, or not now.
 */
export async function renewErased({
  readModels,
  events,
  views,
  clock,
  projections,
}: ToRenew): Promise<RenewalOfErased> {
  if (readModels.renew === undefined)
    throw new ViewsNotRenewed('the views are on a database server, which has means of its own for that');
  const head = await events.head();
  await views.whenProcessed(head);
  const upTo = await findLastErasure(views);
  if (upTo !== undefined) await projections?.dropBehind(upTo);
  const isOut = upTo !== undefined && (await isOutOfRows({ views, projections }, upTo));
  // Where it stands still which erasure was the last, that may be any.
  const last = views.position([LAST_ERASURE.name]) < head ? head : upTo;
  const behind = last === undefined ? [] : await listBehind(projections, last);
  const renewal = await readModels.renew();
  const renewed: Renewed = { at: clock.now(), upTo: isOut ? upTo : undefined };
  await readModels.write([{ collection: RENEWALS, key: KEY, value: JSON.stringify(renewed) }]);
  return { ...renewal, behind };
}

/** Whether what was erased up to a position is in no row any more: what stands still, or is being filled, may not have come by that yet. */
export async function isOutOfRows(
  { views, projections }: Pick<ToRenew, 'views' | 'projections'>,
  upTo: Position,
): Promise<boolean> {
  return views.position() >= upTo && (await listBehind(projections, upTo)).length === 0;
}

/** The names of those that serve, or are being filled, and stand before a position. */
async function listBehind(projections: ToRenew['projections'], upTo: Position): Promise<string[]> {
  const statuses = (await projections?.list()) ?? [];
  return statuses.flatMap(({ name, serving, position }) => (serving.position < upTo || position < upTo ? [name] : []));
}

/** Where the log last says that something is to be in the views no more. */
export function findLastErasure(views: Views): Promise<Position | undefined> {
  return LAST_ERASURE.get(views, KEY);
}

/** When the views were renewed last; undefined where they never were. */
export async function findLastRenewal(readModels: ReadModelStore): Promise<Renewed | undefined> {
  const text = await readModels.get(RENEWALS, KEY);
  return text === undefined ? undefined : (JSON.parse(text) as Renewed); // as `renewErased` wrote it
}
