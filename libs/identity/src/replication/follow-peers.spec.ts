import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MemoryEventStore } from '#testing/memory-event-store';
import type { Associations } from '../associations/associations.js';
import type { Holder } from '../decide/association.js';
import type { ToldAssociation, ToldEnd } from '../decide/learn-association.js';
import type { IdentityAccounts } from '../identity-accounts.js';
import { FollowPeers } from './follow-peers.js';
import type { IdentityPeers } from './identity-peers.js';

const PEER = 'id.example' as ServerName;
const PAGE = 3;
const NOW = 1_000_000_000;
const HOUR = 3600_000;
const DAY = 24 * HOUR;
const BOB = '@bob:b.example';

const idOf = (name: string): string => name.padEnd(22, '-');
const association = (name: string, ts: number): JsonObject => ({
  association_id: idOf(name),
  ts,
  association: {
    medium: 'email',
    address: `${name}@mail.example`,
    mxid: BOB,
    ts,
    not_before: ts,
    not_after: ts + 1,
    signatures: {},
  },
});
const end = (name: string, ts: number): JsonObject => ({ association_id: idOf(name), ts });

describe('another identity server, of which some is of times to come,', () => {
  let store: MemoryEventStore;
  let now: number;
  /** What it says, and behind which places it was asked. */
  let said: JsonObject[];
  let asked: string[];
  /** What was learnt: addresses, ids of what is over, and users. */
  let learnt: string[];
  let ends: ToldEnd[];
  /** What is known here of every identifier. */
  let holder: Holder;
  let warnings: unknown[];

  beforeEach(() => {
    [store, now, said, asked, learnt, ends] = [new MemoryEventStore(), NOW, [], [], [], []];
    holder = { ts: 0 };
    warnings = [];
    vi.spyOn(Logger.prototype, 'warn').mockImplementation((text: unknown) => void warnings.push(text));
  });
  afterEach(() => void vi.restoreAllMocks());

  /** As of a start of the server: it knows what the log has. */
  function begin(): FollowPeers {
    const peers = {
      all: [{ name: PEER, publicKey: '', url: '' }],
      isSigned: () => true,
      read: (_: unknown, place: string) => {
        asked.push(place);
        const next = Math.min(Number(place) + PAGE, said.length);
        return Promise.resolve({
          entries: said.slice(Number(place), next),
          next: String(next),
          more: next < said.length,
        });
      },
    };
    const associations = {
      learn: (told: ToldAssociation) => Promise.resolve(learnt.push(told.of.address.split('@')[0]!)),
      learnEnd: (told: ToldEnd) => Promise.resolve(learnt.push(told.association_id[0]!) + ends.push(told)),
      findHolder: () => Promise.resolve(holder),
    };
    const accounts = { learnReaders: (mxid: string) => Promise.resolve(learnt.push(mxid)) };
    return new FollowPeers(
      store,
      { now: () => now },
      peers as unknown as IdentityPeers,
      associations as unknown as Associations,
      accounts as unknown as IdentityAccounts,
    );
  }

  it('is followed in all else, and in that once its time has come, also after a start of this server', async () => {
    said = ['a', 'b', 'c', 'd', 'late', 'f', 'g'].map((name) => association(name, name === 'late' ? NOW + HOUR : NOW));
    const follow = begin();
    await follow.look();
    expect(learnt).toEqual(['a', 'b', 'c', 'd', 'f', 'g']);
    expect(warnings).toEqual([expect.stringContaining('1 things wait until then, 0 are passed over')]);
    await follow.look();
    expect(learnt).toHaveLength(6);
    const again = begin();
    asked = [];
    await again.look();
    expect(asked).toEqual(['3', '6']);
    learnt = [];
    now += HOUR;
    await again.look();
    expect(learnt).toEqual(['late']);
    asked = [];
    await begin().look();
    expect(asked).toEqual(['7']);
  });

  it('is no more than five minutes ahead by a clock that differs', async () => {
    said = [association('soon', NOW + 5 * 60_000), association('late', NOW + 5 * 60_000 + 1)];
    await begin().look();
    expect(learnt).toEqual(['soon']);
  });

  it('is passed over in what is further ahead than a clock is for long, which is said', async () => {
    said = [association('never', NOW + 7 * DAY + 1), association('week', NOW + 7 * DAY), association('a', NOW)];
    const follow = begin();
    await follow.look();
    expect(learnt).toEqual(['a']);
    expect(warnings).toEqual([expect.stringContaining('1 things wait until then, 1 are passed over')]);
    now += 8 * DAY;
    await follow.look();
    expect(learnt).toEqual(['a', 'week']);
  });

  it('is passed over in what is more than a thousand things', async () => {
    said = Array.from({ length: 1_002 }, (_, n) => association(`u${n}`, NOW + HOUR));
    const follow = begin();
    await follow.look();
    expect(learnt).toEqual([]);
    now += HOUR;
    await follow.look();
    expect(learnt).toHaveLength(1_000);
  });

  it('counts by what it said last of an identifier', async () => {
    said = [association('bob', NOW + HOUR)];
    const follow = begin();
    await follow.look();
    said.push(association('bob', NOW));
    await follow.look();
    expect(learnt).toEqual(['bob']);
    now += 2 * HOUR;
    await follow.look();
    expect(learnt).toEqual(['bob']);
  });

  it('is believed at once in who may find somebody, and in what is over, as of now', async () => {
    said = [{ mxid: BOB, ts: NOW + DAY, readers: [], signatures: {} }, end('a', NOW + DAY)];
    await begin().look();
    expect(learnt).toEqual([BOB, 'a']);
    expect(ends).toMatchObject([{ ts: NOW + 5 * 60_000 }]);
  });

  it('is believed in that it was over before its time had come', async () => {
    said = [association('bob', NOW + HOUR)];
    const follow = begin();
    await follow.look();
    said.push(end('bob', NOW));
    await follow.look();
    expect(learnt).toEqual(['b']);
    now += 2 * HOUR;
    await follow.look();
    expect(learnt).toEqual(['b']);
  });

  it('waits for nothing where as late a one is known here', async () => {
    holder = { ts: NOW + DAY, made: { ts: NOW + DAY, by: PEER } };
    said = [association('bob', NOW + DAY)];
    await begin().look();
    expect(learnt).toEqual(['bob']);
  });
});
