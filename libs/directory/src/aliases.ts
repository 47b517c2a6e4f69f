import { Inject, Injectable, Optional } from '@nestjs/common';
import { Aggregates } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore, type NewFact } from '#event-store/event-store';
import { factId } from '#event-store/fact-id';
import { GivenUpClaims } from '#event-store/given-up';
import type { FactDraft } from '#event-store/seal-facts';
import { CLOCK, type Clock, type Stopwatch } from '#kernel/clock';
import { foldRoomAlias, localpartOf, type RoomAlias, type RoomId, serverNameOf, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import type { CacheNumbers } from '#kernel/lru-cache';
import { AppServices } from '#config/appservices/app-services';
import { CONFIG, type Config } from '#config/config';
import { VIEWS, type Views } from '#projections/views';
import type { AliasBook } from '#rooms/alias-book';
import { roomStream } from '#rooms/facts/room-facts';
import { ALIASES_ON_DEMAND, type AliasesOnDemand } from './aliases-on-demand.js';
import { type AliasCreated, type AliasDeleted, aliasStream } from './facts/alias-facts.js';
import { ALIASES, ROOM_ALIASES } from './projections/directory.projector.js';
import { findAlias } from './queries/find-alias.js';

/** What an alias is: where it points, by whom, and how often it has changed (so that each fact has an id of its own). */
export interface AliasState {
  readonly roomId: RoomId | undefined;
  readonly creator: UserId | undefined;
  readonly changes: number;
}

export const NO_ALIAS: AliasState = { roomId: undefined, creator: undefined, changes: 0 };

/** Folds the facts of an alias. */
export function evolveAlias({ changes }: AliasState, fact: Pick<NewFact, 'type' | 'data'>): AliasState {
  const created = fact.type === 'alias-created' ? (JSON.parse(fact.data) as AliasCreated) : undefined;
  return { roomId: created?.room_id, creator: created?.creator, changes: changes + 1 };
}

/** Lets an alias point to a room. Throws M_ROOM_IN_USE where it points to one already. */
export function decideClaim(state: AliasState, created: AliasCreated): FactDraft[] {
  if (state.roomId !== undefined) throw new MatrixError('M_ROOM_IN_USE', `${created.alias} is taken`);
  return [draftOf('alias-created', state, created)];
}

/** Takes an alias away from a room; nothing where it does not point there. */
export function decideRelease(state: AliasState, deleted: AliasDeleted): FactDraft[] {
  return state.roomId === deleted.room_id ? [draftOf('alias-deleted', state, deleted)] : [];
}

/** Lets an alias that points to one room point to another: both facts in one write. Nothing where it does not point there. */
export function decideMove(state: AliasState, deleted: AliasDeleted, created: AliasCreated): FactDraft[] {
  const released = decideRelease(state, deleted);
  const free: AliasState = { ...NO_ALIAS, changes: state.changes + released.length };
  return released.length === 0 ? [] : [...released, ...decideClaim(free, created)];
}

function draftOf(type: string, { changes }: AliasState, data: AliasCreated | AliasDeleted): FactDraft {
  // A store takes the same id at the same place for the same fact: what two rooms claim at once must not share one.
  const id = factId(`${type} ${foldRoomAlias(data.alias)} ${data.room_id} ${changes}`);
  return { id, type, data: JSON.stringify(data) };
}

const CAPACITY = 1_000;

/** The aliases of this server. */
@Injectable()
export class Aliases implements AliasBook {
  readonly #streams: Aggregates<AliasState>;
  readonly #givenUp: GivenUpClaims;

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(CLOCK) clock: Clock & Stopwatch,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName' | 'eventStoreUrl'>,
    private readonly services: AppServices,
    @Optional() @Inject(ALIASES_ON_DEMAND) private readonly demand?: AliasesOnDemand,
  ) {
    this.#givenUp = new GivenUpClaims(clock, config.eventStoreUrl !== undefined);
    this.#streams = new Aggregates({ store, clock, initialState: NO_ALIAS, evolve: evolveAlias, capacity: CAPACITY });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#streams.numbers;
  }

  async claim(alias: RoomAlias, roomId: RoomId, requester: Requester): Promise<void> {
    this.checkOurs(alias);
    this.checkNamespaces(alias, requester);
    const created = { alias, room_id: roomId, creator: requester.userId };
    try {
      await this.#execute(alias, requester, (state) => decideClaim(state, created));
    } catch (error) {
      const isTaken = error instanceof MatrixError && error.errcode === 'M_ROOM_IN_USE';
      const abandoned = isTaken ? await this.#findAbandoned(alias) : undefined;
      if (abandoned === undefined) throw error;
      const deleted = { alias, room_id: abandoned, by: requester.userId };
      await this.#execute(alias, requester, (state) =>
        state.roomId === abandoned ? decideMove(state, deleted, created) : decideClaim(state, created),
      );
    }
  }

  async move(alias: RoomAlias, from: RoomId, to: RoomId, requester: Requester): Promise<void> {
    const { userId } = requester;
    const deleted = { alias, room_id: from, by: userId };
    const row = await ALIASES.get(this.views, [foldRoomAlias(alias)]);
    await this.#execute(alias, requester, (state) => {
      // Whose alias it is stays so: they may delete it wherever it points. Of who was erased nothing says it once more.
      const creator = row === undefined ? state.creator : row.creator;
      return decideMove(state, deleted, { alias, room_id: to, creator: creator ?? userId });
    });
  }

  async release(alias: RoomAlias, roomId: RoomId, requester: Requester): Promise<void> {
    const deleted = { alias, room_id: roomId, by: requester.userId };
    await this.#execute(alias, requester, (state) => decideRelease(state, deleted));
  }

  async resolve(alias: RoomAlias): Promise<RoomId | undefined> {
    return (await findAlias(this.views, alias))?.room_id;
  }

  async find(alias: RoomAlias): Promise<RoomId | undefined> {
    const roomId = await this.resolve(alias);
    if (roomId !== undefined || this.demand === undefined) return roomId;
    await this.demand.make(alias);
    return this.resolve(alias);
  }

  async listOf(roomId: RoomId): Promise<RoomAlias[]> {
    const aliases: RoomAlias[] = [];
    for await (const page of ROOM_ALIASES.pages(this.views, { prefix: [roomId] })) {
      aliases.push(...page.map(({ value }) => value));
    }
    return aliases;
  }

  /** Only aliases of this server's name, with a local part, can be made here. */
  checkOurs(alias: RoomAlias): void {
    if (serverNameOf(alias) !== this.config.serverName || localpartOf(alias) === '') {
      throw new MatrixError('M_INVALID_PARAM', `${alias} is not an alias of this server`);
    }
  }

  /**
   * Answers whether it is for an application service to make and delete this alias, in whatever room it is. Throws M_EXCLUSIVE where the
   * alias is kept for another service, or lies outside of the namespaces of the one that asks (application service API, "Server admin
   * style permissions").
   */
  checkNamespaces(alias: RoomAlias, { appServiceId }: Requester): boolean {
    if (this.services.isAliasReserved(alias, appServiceId)) throw new MatrixError('M_EXCLUSIVE');
    const service = appServiceId === undefined ? undefined : this.services.find(appServiceId);
    if (service === undefined) return false;
    if (!service.hasAlias(alias)) {
      throw new MatrixError('M_EXCLUSIVE', 'The alias is outside of the namespaces of the application service');
    }
    return true;
  }

  /** The room an alias was claimed for that never began: the server ended between the two. Asked of the log, not of views. */
  async #findAbandoned(alias: RoomAlias): Promise<RoomId | undefined> {
    for await (const fact of this.store.readStream(aliasStream(alias), { backwards: true, limit: 1 })) {
      const { roomId } = evolveAlias(NO_ALIAS, fact);
      if (roomId === undefined) return undefined;
      for await (const _ of this.store.readStream(roomStream(roomId), { limit: 1 })) return undefined;
      return this.#givenUp.has(fact) ? roomId : undefined;
    }
    return undefined;
  }

  async #execute(alias: RoomAlias, requester: Requester, decide: (state: AliasState) => FactDraft[]): Promise<void> {
    const { userId: actor, deviceId: device, requestId: correlation } = requester;
    const { position } = await this.#streams.execute(aliasStream(alias), decide, { actor, device, correlation });
    await this.views.whenProcessed(position);
  }
}
