import { Inject, Injectable } from '@nestjs/common';
import { type AccountData, listAccountData, listChangedAccountData } from '#accounts/queries/account-data';
import type { RoomId } from '#kernel/ids';
import { VIEWS, type Views } from '#projections/views';
import { formatAccountData } from '../../parts/room-sections.js';
import { readChangedAccountData } from '../../streams/read-account-data.js';
import { TOLD } from '../told-state.js';
import {
  type ExtensionContext,
  type ExtensionPart,
  isInScope,
  NOTHING_TO_TELL,
  toldUpTo,
  type SlidingExtension,
} from './extension-context.js';

/** The user's account data: that of no room, and that of the rooms that are told of. MSC3959. */
@Injectable()
export class AccountDataExtension implements SlidingExtension {
  readonly key = 'account_data';

  constructor(@Inject(VIEWS) private readonly views: Views) {}

  async read(context: ExtensionContext): Promise<ExtensionPart> {
    const { accountData: scope } = context.wanted;
    if (scope === undefined) return NOTHING_TO_TELL;
    const global = await this.#global(context);
    const rooms: string[] = [];
    const changed = await changedRooms(this.views, context);
    for (const { selected, told, after } of context.rooms) {
      if (!isInScope(scope, selected)) continue;
      const { roomId } = selected.room;
      const isTold = told !== undefined && (told.marks & TOLD.accountData) !== 0;
      const data =
        isTold && told.upTo === undefined
          ? (changed.get(roomId) ?? [])
          : await this.#ofRoom(context, roomId, isTold ? after?.position : undefined);
      if (data.length > 0) rooms.push(`${JSON.stringify(roomId)}:[${data.map(formatAccountData).join()}]`);
    }
    if (global.length === 0 && rooms.length === 0) return NOTHING_TO_TELL;
    const json = `{"global":[${global.map(formatAccountData).join()}],"rooms":{${rooms.join()}}}`;
    return { json, isNews: true };
  }

  async #global(context: ExtensionContext): Promise<readonly AccountData[]> {
    const { userId } = context.sync.requester;
    const after = toldUpTo(context, 'account_data')?.position;
    const upTo = context.sync.until.position;
    if (after === undefined) {
      const all = await listAccountData(this.views, userId, undefined);
      return all.filter(({ position }) => position <= upTo);
    }
    if (after === context.sync.since?.position && !context.sync.hasOwnFacts) return [];
    const changed = await listChangedAccountData(this.views, userId, { after, upTo });
    return changed.filter(({ roomId }) => roomId === undefined);
  }

  async #ofRoom(
    { sync }: ExtensionContext,
    roomId: RoomId,
    after: string | undefined,
  ): Promise<readonly AccountData[]> {
    const all = await listAccountData(this.views, sync.requester.userId, roomId);
    return all.filter(({ position }) => position <= sync.until.position && (after === undefined || position > after));
  }
}

/** The account data of rooms that changed since the client asked last. */
export async function changedRooms(
  views: Views,
  { sync }: Pick<ExtensionContext, 'sync'>,
): Promise<ReadonlyMap<RoomId, readonly AccountData[]>> {
  const { since, until, hasOwnFacts, requester } = sync;
  if (since === undefined || !hasOwnFacts) return NOTHING_CHANGED;
  return (await readChangedAccountData(views, requester.userId, since.position, until.position)).rooms;
}

const NOTHING_CHANGED: ReadonlyMap<RoomId, readonly AccountData[]> = new Map();
