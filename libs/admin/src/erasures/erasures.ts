import { randomBytes } from 'node:crypto';
import { Inject, Injectable, Optional } from '@nestjs/common';
import { Aggregates, type Cause } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore, type NewFact, type RecordedFact } from '#event-store/event-store';
import type { FactDraft } from '#event-store/seal-facts';
import type { AccountFact } from '#accounts/facts/account-facts';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import type { CacheNumbers } from '#kernel/lru-cache';
import { MatrixError } from '#kernel/matrix-error';
import { closingGivenUp, stillClosing } from '#kernel/still-closing';
import { userStream } from '#kernel/user-stream';
import { WHAT_FOLLOWS, type WhatFollows } from '#projections/effects/what-follows';
import {
  type AccountErased,
  type ErasureBegun,
  type ErasureEnded,
  type ErasureFacts,
  type ErasureOrdered,
  ERASURES_STREAM,
} from '../facts/erasure-facts.js';

/** An erasure that was ordered, and how it ended. */
export interface Erasure extends ErasureOrdered {
  /** When it was ordered first, in milliseconds since the epoch. */
  readonly at: number;
  readonly begun?: ErasureBegun;
  readonly ended?: ErasureEnded & { readonly at: number };
  /** The id of the fact that ordered it; undefined where none did. */
  readonly fact?: string;
}

/** How far one is that is being carried out. */
export interface ErasureProgress {
  /** First what the user said is redacted, then it is taken from the log. */
  readonly doing: 'redacting' | 'erasing';
  /** How many events that was done to, in the rooms up to this one. */
  readonly events: number;
  /** Which of the user's rooms it is at, from 1, and how many there are. */
  readonly room: number;
  readonly rooms: number;
}

/** By their ids, the oldest first. Of accounts that were closed so without an order there is one called after the user. */
export type ErasuresState = ReadonlyMap<string, Erasure>;

export const NO_ERASURES: ErasuresState = Object.freeze(new Map<string, Erasure>());

const REOPENED: AccountFact['type'] = 'account-reopened';
const CAUSE: Cause = { actor: 'server' };

/** Who was erased. It is kept for ever: as long as somebody may put a log of before in the place of this one. */
@Injectable()
export class Erasures {
  readonly #streams: Aggregates<ErasuresState>;
  /** By their ids, of those that this process carries out. */
  readonly #progress = new Map<string, ErasureProgress>();

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(CLOCK) clock: Clock,
    @Optional() @Inject(WHAT_FOLLOWS) private readonly follows?: WhatFollows,
  ) {
    this.#streams = new Aggregates<ErasuresState>({
      store,
      clock,
      capacity: 1,
      initialState: NO_ERASURES,
      evolve: evolveErasures,
      lastOfEach: keyOfErasures,
      findOver,
    });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#streams.numbers;
  }

  async load(): Promise<ErasuresState> {
    return (await this.#streams.load(ERASURES_STREAM)).state;
  }

  /** Orders one; answers its id, or that of the same one of the user which is under way. */
  async order(order: Omit<ErasureOrdered, 'erasure_id'>, actor: string): Promise<string> {
    const erasure_id = randomBytes(12).toString('base64url');
    let answer = erasure_id;
    // Of a list that outlived its log the list alone knows it.
    const life = order.again === undefined ? await this.#lifeOf(order.user_id) : {};
    const told = { erasure_id, ...order, ...life };
    const decide = (known: ErasuresState): readonly FactDraft[] => {
      const open = [...known.values()].find((one) => isSame(one, told) && one.ended === undefined);
      answer = open?.erasure_id ?? erasure_id;
      return open === undefined ? [draft('erasure-ordered', `ordered ${erasure_id}`, told)] : [];
    };
    await this.#streams.execute(ERASURES_STREAM, decide, { actor });
    return answer;
  }

  /** Notes what there was; nothing where that is known. */
  begin(begun: ErasureBegun): Promise<void> {
    return this.#note('erasure-begun', begun, (known) => known.begun !== undefined);
  }

  /** Says how far one is, to whoever asks this process before it ends. */
  showProgress(erasureId: string, progress: ErasureProgress): void {
    this.#progress.set(erasureId, progress);
  }

  /** undefined: it is not being carried out, or by another process. */
  findProgress(erasureId: string): ErasureProgress | undefined {
    return this.#progress.get(erasureId);
  }

  /** Notes how one ended; nothing where that is known. */
  end(ended: ErasureEnded): Promise<void> {
    this.#progress.delete(ended.erasure_id);
    return this.#note('erasure-ended', ended, () => false);
  }

  /**
   * Notes that an account was closed, and what was its is to go; nothing where that is known. `reopened`: when it was opened again last before that. Answers whether it was not
   * known.
   */
  async noteAccount(userId: UserId, reopened?: number): Promise<boolean> {
    const told = { user_id: userId, ...(await this.#lifeOf(userId)), reopened };
    const decide = (known: ErasuresState): readonly FactDraft[] => {
      for (const one of liveErasuresOf(userId, known)) if (one.reopened === reopened) return [];
      return [draft('account-erased', accountErasureId(told), told)];
    };
    return (await this.#streams.execute(ERASURES_STREAM, decide, CAUSE)).facts.length > 0;
  }

  /** See `ErasedAccounts`. */
  async checkReopening(userId: UserId): Promise<void> {
    for (const { content, ended, fact } of liveErasuresOf(userId, await this.load())) {
      if (content === true)
        throw new MatrixError('M_FORBIDDEN', 'With the account all was erased that the user had said');
      if (ended === undefined) throw (await this.#isGivenUp(fact)) ? closingGivenUp() : stillClosing();
    }
  }

  /** Whether an operator is yet to have an erasure tried again, or dropped. `orderedBy`: the id of the fact that ordered it. */
  async #isGivenUp(orderedBy: string | undefined): Promise<boolean> {
    for await (const fact of this.store.readStream(ERASURES_STREAM)) {
      // Said again it has another id, and it is known of by the first.
      const id = fact.metadata.causation ?? fact.id;
      if (id === orderedBy) return (await this.follows?.stateOf({ ...fact, id })) === 'given-up';
    }
    return false;
  }

  /** When an account was made, by its first fact, and opened again last. */
  async #lifeOf(userId: UserId): Promise<Pick<ErasureOrdered, 'made' | 'reopened'>> {
    let life: Pick<ErasureOrdered, 'made' | 'reopened'> = {};
    for await (const { type, metadata } of this.store.readStream(userStream(userId))) {
      if (life.made === undefined) life = { made: metadata.at };
      if (type === REOPENED) life = { ...life, reopened: metadata.at };
    }
    return life;
  }

  async #note<T extends 'erasure-begun' | 'erasure-ended'>(
    type: T,
    told: ErasureFacts[T],
    isKnown: (erasure: Erasure) => boolean,
  ): Promise<void> {
    const { erasure_id: id } = told;
    const decide = (state: ErasuresState): readonly FactDraft[] => {
      const known = state.get(id);
      if (known === undefined || known.ended !== undefined || isKnown(known)) return [];
      return [draft(type, `${type} ${id}`, told)];
    };
    await this.#streams.execute(ERASURES_STREAM, decide, CAUSE);
  }
}

/** Those of a user that were not refused: what was refused was of somebody else by that name, or of nobody. */
function liveErasuresOf(userId: UserId, known: ErasuresState): Erasure[] {
  return [...known.values()].filter(({ user_id: id, ended }) => id === userId && ended?.refused === undefined);
}

/** By what one is known that nobody ordered. */
function accountErasureId({ user_id: userId, reopened }: AccountErased): string {
  return ['account', userId, reopened ?? []].flat().join(' ');
}

function isSame(one: Erasure, { user_id, content, here, reopened }: ErasureOrdered): boolean {
  return one.user_id === user_id && one.content === content && one.here === here && one.reopened === reopened;
}

function draft<T extends keyof ErasureFacts>(type: T, id: string, data: ErasureFacts[T]): FactDraft {
  return { id, type, data: JSON.stringify(data) };
}

/**
 * What the stream says with one more fact, in the one map that the class has. PERF: a copy for each fact of a stream that keeps all of them takes minutes where tens of
 * thousands were erased. A fact that is taken twice changes nothing more, and whoever loads the state reads it at once.
 */
export function evolveErasures(state: ErasuresState, fact: NewFact): ErasuresState {
  const own = state === NO_ERASURES ? new Map<string, Erasure>() : (state as Map<string, Erasure>);
  takeErasure(own, fact);
  return own;
}

/** Adds to what is known what one more fact of the stream says. */
export function takeErasure(known: Map<string, Erasure>, { id: factId, type, data, metadata }: NewFact): void {
  const { at } = metadata;
  const told = JSON.parse(data) as ErasureFacts[keyof ErasureFacts]; // only this class writes the stream
  if (type === 'account-erased') {
    const account = told as AccountErased;
    const erasure_id = accountErasureId(account);
    const ended = { erasure_id, removed: {}, kept: {}, at };
    known.set(erasure_id, { erasure_id, ...account, at, ended });
    return;
  }
  const { erasure_id: id } = told as ErasureOrdered;
  const before = known.get(id);
  if (type === 'erasure-ordered') {
    const ordered = told as ErasureOrdered;
    // Said again it is the fact of another id, and what became of it is told of the first.
    const fact = before?.fact ?? metadata.causation ?? factId;
    known.set(id, { ...before, ...ordered, at: ordered.again ?? at, fact });
  } else if (before !== undefined) {
    const more =
      type === 'erasure-begun' ? { begun: told as ErasureBegun } : { ended: { ...(told as ErasureEnded), at } };
    known.set(id, { ...before, ...more });
  }
}

/** Of an order, its beginning and its end all count. */
function keyOfErasures({ type, data }: RecordedFact): string {
  const told = JSON.parse(data) as ErasureOrdered | AccountErased; // only this class writes the stream
  return `${type} ${'erasure_id' in told ? told.erasure_id : accountErasureId(told)}`;
}

/** How those began that have ended. */
function* findOver(counting: ReadonlyMap<string, RecordedFact>): Iterable<string> {
  for (const { type, data } of counting.values()) {
    if (type === 'erasure-ended') yield `erasure-begun ${(JSON.parse(data) as ErasureEnded).erasure_id}`;
  }
}
