import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { sealFacts } from '#event-store/seal-facts';
import type { Position } from '#kernel/position';
import { ProjectionRuntime } from '#projections/projection-runtime';
import type { Projector } from '#projections/projector';
import { ViewsNotRenewed } from '#read-models/read-model-errors';
import type { ReadModelStore, Renewal } from '#read-models/read-model-store';
import { MemoryEventStore } from '#testing/memory-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { erasuresProjector, LAST_ERASURE } from './erasures.projector.js';
import { RenewedViews } from './renewed-views.js';

const DAY = 24 * 60 * 60_000;

/** Views that can be renewed, or say why not. */
class RenewableViews extends MemoryReadModels {
  renewals = 0;
  refusal: Error | undefined;
  whenRenewed = Promise.resolve();

  async renew(): Promise<Renewal> {
    await this.whenRenewed;
    if (this.refusal !== undefined) throw this.refusal;
    this.renewals++;
    return { bytesBefore: 2, bytesAfter: 1, milliseconds: 1, at: 0 };
  }
}

/** What takes long over a fact of one type. */
function slowProjector(until: Promise<void>): Projector {
  return {
    name: 'slow',
    version: 1,
    collections: ['slow'],
    handles: (type) => type === 'pdu-redacted',
    project: () => until,
  };
}

let log: MemoryEventStore;
let readModels: RenewableViews;
let runtime: ProjectionRuntime;
let views: RenewedViews;
let now = 0;
let facts = 0;
const warned = vi.spyOn(Logger.prototype, 'warn');

async function begin(...more: readonly Projector[]): Promise<void> {
  runtime = new ProjectionRuntime({
    store: log,
    readModels,
    projectors: [erasuresProjector, ...more],
    listeners: [],
    clock: { now: () => now },
  });
  await runtime.start();
  views = viewsOf(readModels);
}

function viewsOf(store: ReadModelStore): RenewedViews {
  return new RenewedViews(store, log, runtime, { now: () => now }, { renewViewsEveryMs: DAY }, runtime.operations);
}

beforeEach(async () => {
  log = new MemoryEventStore();
  readModels = new RenewableViews();
  facts = 0;
  warned.mockReset().mockImplementation(() => {});
  vi.spyOn(Logger.prototype, 'log').mockImplementation(() => {});
  await begin();
});
afterEach(async () => {
  await views.onModuleDestroy();
  await runtime.stop();
});

async function happens(type: string): Promise<Position> {
  const draft = { id: randomUUID(), type, data: '{}', at: 1, actor: 'server' };
  const stream = `room-${facts++}`;
  const { position } = await log.append(stream, 'no-stream', sealFacts(undefined, [draft]));
  await runtime.whenProcessed(position, [LAST_ERASURE.name]);
  return position;
}

it('renews the views once something was erased, and not again before something else is', async () => {
  await happens('pdu-accepted');
  await views.look();
  expect(readModels.renewals).toBe(0);
  await happens('pdu-redacted');
  await views.look();
  expect(readModels.renewals).toBe(1);
  now += 2 * DAY;
  await views.look();
  expect(readModels.renewals).toBe(1);
});

it.each([
  'room-purged',
  'media-deleted',
  'account-deactivated',
  'threepid-removed',
  'external-id-unlinked',
  'association-ended',
  'association-end-learnt',
  'binding-ended',
  'contact-removed',
  'contacts-ended',
  'backup-version-deleted',
  'erasure-ended',
])('does so after %s', async (type) => {
  await happens(type);
  await views.look();
  expect(readModels.renewals).toBe(1);
});

it('leaves what something else took the place of', async () => {
  for (const type of ['contact-put', 'contact-matched', 'device-dehydrated', 'backup-version-changed']) {
    await happens(type);
    await views.look();
    expect([type, readModels.renewals]).toEqual([type, 0]);
  }
});

it('does so no more often than the operator says, also where the server was started again', async () => {
  await happens('pdu-redacted');
  await views.look();
  await happens('pdu-redacted');
  now += DAY - 1;
  await views.look();
  expect(readModels.renewals).toBe(1);
  await runtime.stop();
  await begin();
  await views.look();
  expect(readModels.renewals).toBe(1);
  now += 1;
  await views.look();
  expect(readModels.renewals).toBe(2);
});

it('does so though the clock was put back since the last time, however far', async () => {
  now = 100 * DAY;
  await happens('pdu-redacted');
  await views.look();
  now = DAY;
  await happens('pdu-redacted');
  await views.look();
  expect(readModels.renewals).toBe(2);
  await happens('pdu-redacted');
  await views.look();
  expect(readModels.renewals).toBe(2);
});

it('tells an operator where it is not known what was erased last', async () => {
  await happens('pdu-redacted');
  await views.look();
  await runtime.operations.pause('erasures', 'for a test');
  await log.append('room-later', 'no-stream', sealFacts(undefined, [{ id: randomUUID(), type: 'pdu-redacted', data: '{}', at: 1, actor: 'server' }])); // prettier-ignore
  expect(await views.renew()).toMatchObject({ behind: ['erasures'] });
});

it('waits for views that have not taken out yet what was erased', async () => {
  await runtime.stop();
  let goOn: () => void = () => {};
  await begin(slowProjector(new Promise((resolve) => (goOn = resolve))));
  await runtime.operations.pause('slow', 'for a test');
  await happens('pdu-redacted');
  await views.look();
  expect(readModels.renewals).toBe(0);
  expect(await views.renew()).toMatchObject({ behind: ['slow'] });
  readModels.renewals = 0;
  now += DAY;
  goOn();
  await runtime.operations.resume('slow');
  await expect.poll(() => runtime.position() > ('0' as Position)).toBe(true);
  await expect.poll(async () => (await views.look(), readModels.renewals)).toBe(1);
});

it('waits for what is being rebuilt and has passed what was erased since, and not yet that it was', async () => {
  await runtime.stop();
  let goOn: () => void = () => {};
  const until = new Promise<void>((resolve) => (goOn = resolve));
  let isRebuilt = false;
  await begin({ ...slowProjector(until), project: () => (isRebuilt ? until : undefined) });
  await happens('pdu-accepted');
  await happens('pdu-redacted');
  await runtime.whenProcessed(await log.head());
  isRebuilt = true;
  await runtime.operations.rebuild('slow');
  await views.look();
  expect(readModels.renewals).toBe(0);
  // An operator does not wait, and is told; it is done again then.
  expect(await views.renew()).toMatchObject({ behind: ['slow'] });
  goOn();
  await expect.poll(async () => (await runtime.operations.status('slow')).previous?.generation).toBe(1);
  now += DAY;
  await views.look();
  expect(readModels.renewals).toBe(2);
});

it('is done by whoever asks, at any time, and not once more for the same', async () => {
  await happens('pdu-redacted');
  expect(await views.renew()).toMatchObject({ bytesBefore: 2, bytesAfter: 1, behind: [] });
  await views.renew();
  now += 2 * DAY;
  await views.look();
  expect(readModels.renewals).toBe(2);
});

it('says once that it cannot, until it could', async () => {
  readModels.refusal = new ViewsNotRenewed('there is too little room');
  await happens('pdu-redacted');
  for (let n = 0; n < 3; n++) await views.look();
  expect(warned.mock.calls).toEqual([
    [{ reason: 'there is too little room' }, expect.stringContaining('could not be')],
  ]);
  await expect(views.renew()).rejects.toThrow('there is too little room');
  readModels.refusal = undefined;
  await views.look();
  expect(readModels.renewals).toBe(1);
  readModels.refusal = new ViewsNotRenewed('there is too little room');
  await happens('pdu-redacted');
  now += DAY;
  await views.look();
  expect(warned.mock.calls).toHaveLength(2);
});

it('does not hold up the end of the server, which ends the renewal', async () => {
  let end: (reason: Error) => void = () => {};
  readModels.whenRenewed = new Promise((_, reject) => (end = reject));
  await happens('pdu-redacted');
  const looking = views.look();
  await delay(10);
  await views.onModuleDestroy();
  await looking;
  end(new ViewsNotRenewed('they are being closed'));
  await delay(1);
  expect(warned.mock.calls).toEqual([]);
});

it('lets former generations go that have what was erased since they served', async () => {
  await runtime.stop();
  const [kept, wordy] = [
    [] as string[],
    { ...slowProjector(Promise.resolve()), name: 'wordy', collections: ['words'] },
  ];
  const words: Projector = {
    ...wordy,
    handles: (type) => type.startsWith('pdu-'),
    project: ({ stream, type }, rows) => {
      if (type === 'pdu-accepted') rows.put('words', [stream], 'secret');
      else rows.delete('words', ['room-0']);
    },
  };
  await begin(words);
  await happens('pdu-accepted');
  await runtime.operations.rebuild('wordy');
  await expect.poll(async () => (await runtime.operations.status('wordy')).previous?.generation).toBe(1);
  for (const name of await readModels.collections()) if (name.startsWith('wordy')) kept.push(name);
  expect(kept).toHaveLength(2);
  await views.renew();
  expect((await runtime.operations.status('wordy')).previous?.generation).toBe(1);
  await happens('pdu-redacted');
  await runtime.whenProcessed(await log.head());
  await views.renew();
  expect((await runtime.operations.status('wordy')).previous).toBeUndefined();
  expect((await readModels.collections()).filter((name) => name.startsWith('wordy'))).toEqual([]);
});

it('says that a database has means of its own', async () => {
  await expect(viewsOf(new MemoryReadModels()).renew()).rejects.toThrow(ViewsNotRenewed);
});
