import { Injectable } from '@nestjs/common';
import type { StreamMoment } from '#http/tokens/stream-token';
import type { RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Requester } from '#kernel/requester';
import { compileSyncFilter } from '../filters/sync-filter.js';
import { type ActiveUser, isAway, isPutOut } from '../notifier/active-user.js';
import type { SyncContext } from '../streams/sync-context.js';
import { SyncContexts } from '../streams/sync-contexts.js';
import { isInScope, type ListedRooms, type ToldOf } from './extensions/extension-context.js';
import { SlidingExtensions } from './extensions/sliding-extensions.js';
import type { ListedRoom } from './known-rooms.js';
import { ListSubjects } from './list-subjects.js';
import { type HasNews, LeftBehind } from './left-behind.js';
import { NewRooms } from './new-rooms.js';
import { extensionNow, isSameTold, toldNow, toldUntil } from './next-told.js';
import type { RoomUpdate } from './room-update.js';
import { type SelectedRoom, type Selection, selectRooms, wantsRoom } from './select-rooms.js';
import { SeenRooms } from './seen-rooms.js';
import { isCountedAnew } from '../streams/counted-by.js';
import { Looks } from './looks.js';
import { type RoomPart, type RoomTask, SlidingRooms } from './sliding-room.js';
import type { SlidingRequest, WantedExtensions } from './sliding-request.js';
import { NOTHING_TOLD, TOLD, type Told, type ToldChange, type ToldExtension, type ToldRoom } from './told-state.js';

/** A request with where its client is. */
export interface PlacedRequest {
  readonly requester: Requester;
  readonly request: SlidingRequest;
  readonly since: StreamMoment | undefined;
  /** Of messages to its device the client has all up to here: as the token of that extension says. */
  readonly heard: Position | undefined;
  readonly told: ToldChange | undefined;
}

/** What an answer tells, before its client has a place to go on from. */
export interface SlidingContents {
  readonly counts: ReadonlyMap<string, number>;
  readonly rooms: readonly RoomUpdate[];
  /** By their names, JSON texts. */
  readonly extensions: ReadonlyMap<string, string>;
  /** Whether it holds something the client does not know: only that ends a long poll. */
  readonly isNews: boolean;
  readonly until: StreamMoment;
  /** What it changes in how the client stands to things. */
  readonly change: ToldChange;
  /** The answer goes out, and its client will come with this. */
  readonly sent: (token: string) => void;
}

/** Members are remembered as those that clients load lazily. */
const LAZY = compileSyncFilter({ room: { state: { lazy_load_members: true } } });

/** Computes answers of sliding sync: MSC4186, "Room results". */
@Injectable()
export class SlidingAnswers {
  constructor(
    private readonly contexts: SyncContexts,
    private readonly known: SeenRooms,
    private readonly subjects: ListSubjects,
    private readonly rooms: SlidingRooms,
    private readonly extensions: SlidingExtensions,
    private readonly leftBehind: LeftBehind,
  ) {}

  /** Computes what there is to tell now. Nothing of it is noted: whoever asks again is told it again. */
  async read(user: ActiveUser, placed: PlacedRequest): Promise<SlidingContents> {
    const { request, told = NOTHING_TOLD } = placed;
    const sync = await this.#open(user, placed);
    const { all, seen } = await this.known.list(user, await sync.reader(), sync.until.position);
    const { selection, direct, listed } = await this.#select(user, sync, request, seen, told);
    const change = { rooms: new Map<RoomId, ToldRoom>(), extensions: new Map<ToldExtension, Told>() };
    const updates: RoomUpdate[] = [];
    const answered: ToldOf[] = [];
    const looks = new Looks(await isCountedAnew(sync));
    const newRooms = new NewRooms();
    const hasNews = sync.since && (await this.leftBehind.newsSince({ sync, user }, sync.since));
    for (const [roomId, selected] of selection.rooms) {
      const before = told.rooms.get(roomId);
      if (before === undefined && newRooms.areTooMany) continue; // with the next answer
      const isDirect = direct.has(roomId);
      const marks = marksOf(request.extensions, selected, before, isDirect);
      const isAsItWas = before !== undefined && before.upTo === undefined && before.marks === marks;
      // PERF: of nearly all rooms of somebody who has thousands there is nothing to tell, and nothing is made or waited for.
      if (isAsItWas && looks.areDone(selected, before) && hasNews?.(selected.room, before) === false) continue;
      const after = momentOf(sync, before);
      const from = isToldOtherwise(selected, before, after) ? undefined : after?.position;
      const look = looks.at(selected, before, from);
      const mayHaveNews = look.mayHaveNews || this.leftBehind.mayHaveReceipts(roomId, after?.position);
      if (isAsItWas && !mayHaveNews) {
        answered.push({ selected, told: before, after });
        continue;
      }
      if (sync.turn.isOver()) await sync.turn.pass();
      const task = { selected, told: before, after: from, ...look };
      const update = await this.#answer(sync, task, { isDirect, mayHaveNews });
      if (update !== undefined) updates.push(update);
      else if (before === undefined) continue;
      answered.push({ selected, told: before, after });
      const now = toldNow(before, selected.config, update?.contents, { marks, isActive: look.isActive });
      if (before === undefined) newRooms.add(roomId);
      if (!isSameTold(before, now)) change.rooms.set(roomId, now);
    }
    const beside = { rooms: answered, listed, updates, told: told.extensions };
    const context = { sync, user, wanted: request.extensions, ...beside };
    const { texts, isNews } = await this.extensions.read(context);
    if (hasNews !== undefined) this.#leaveBehind(sync.since!, all, selection, { told, change, hasNews });
    const { accountData, e2ee, threadSubscriptions } = request.extensions;
    for (const [name, isWanted] of [
      ['account_data', accountData !== undefined],
      ['e2ee', e2ee],
      ['thread_subscriptions', threadSubscriptions !== undefined],
    ] as const) {
      const now = extensionNow(told.extensions.get(name), isWanted, sync.since?.position);
      if (now !== undefined) change.extensions.set(name, now);
    }
    return {
      counts: selection.counts,
      rooms: updates,
      extensions: texts,
      isNews: isNews || updates.length > 0,
      until: sync.until,
      change,
      sent: (token) => sync.members.sendUntil(token),
    };
  }

  #open(user: ActiveUser, { requester, request, since, heard }: PlacedRequest): Promise<SyncContext> {
    return this.contexts.open(user, {
      requester,
      since,
      token: request.pos,
      isAnew: false,
      heard,
      filter: LAZY,
      fullState: false,
      stateAfter: 'state_after',
      allSections: false,
    });
  }

  async #select(
    user: ActiveUser,
    sync: SyncContext,
    request: SlidingRequest,
    seen: readonly ListedRoom[],
    told: ToldChange,
  ): Promise<{ selection: Selection; direct: ReadonlySet<string>; listed: ListedRooms }> {
    const subjects = await this.subjects.read(user, request, sync.until.position);
    const isListed = ({ roomId, known }: ListedRoom): boolean => {
      if (!isAway(known.membership)) return true;
      if (isPutOut(known) && !known.forgotten) return true;
      // Who left by themself knows it, but for those of the client's rooms of which it was not told yet.
      const after = momentOf(sync, told.rooms.get(roomId));
      return after !== undefined && known.position > after.position;
    };
    // To rooms of before clients may subscribe: "or have historically been in the room".
    const isOpen = (room: ListedRoom): boolean =>
      request.subscriptions.has(room.roomId) &&
      (isListed(room) || (room.known.wasIn === true && !room.known.forgotten));
    const open = request.subscriptions.size === 0 ? [] : seen.filter(isOpen);
    const byId = new Map(open.map((room) => [room.roomId, room]));
    const selection = selectRooms(request, seen.filter(isListed), (roomId) => byId.get(roomId), subjects);
    return { selection, direct: subjects.direct, listed: { rooms: seen, isWanted: wantsRoom(request, subjects) } };
  }

  async #answer(
    sync: SyncContext,
    task: RoomTask,
    { isDirect, mayHaveNews }: { readonly isDirect: boolean; readonly mayHaveNews: boolean },
  ): Promise<RoomUpdate | undefined> {
    const { selected, told } = task;
    const part = mayHaveNews ? await this.rooms.read(sync, task) : undefined;
    const isDirectNew = (((told?.marks ?? 0) & TOLD.direct) !== 0) !== isDirect;
    if (part === undefined && (told === undefined || !isDirectNew)) return undefined;
    return updateOf(selected, part, isDirect, isDirectNew);
  }

  /** Notes up to where the client has the rooms that something happened in and that this answer is not about. */
  #leaveBehind(
    { position }: StreamMoment,
    all: readonly ListedRoom[],
    selection: Selection,
    { told, change, hasNews }: Standing,
  ): void {
    if (told.rooms.size === 0) return;
    for (const room of all) {
      if (selection.rooms.has(room.roomId)) continue;
      const before = told.rooms.get(room.roomId);
      if (before === undefined || before.upTo !== undefined || !hasNews(room, before)) continue;
      change.rooms.set(room.roomId, toldUntil(before, position));
    }
  }
}

/** How a client stands to rooms, what becomes of that, and in which there is news. */
interface Standing {
  readonly told: ToldChange;
  readonly change: { readonly rooms: Map<RoomId, ToldRoom> };
  readonly hasNews: HasNews;
}

/** What besides its events an answer tells of a room. */
function marksOf(
  { receipts, accountData, typing }: WantedExtensions,
  selected: SelectedRoom,
  before: ToldRoom | undefined,
  isDirect: boolean,
): number {
  const isIn = selected.room.known.membership === 'join';
  // Who comes back may still believe of somebody that they type.
  const heardTyping = ((before?.marks ?? 0) & TOLD.typing) !== 0;
  let marks = isDirect ? TOLD.direct : 0;
  if (selected.room.invitedAt !== undefined) marks |= TOLD.uninvited;
  if (isIn && isInScope(receipts, selected)) marks |= TOLD.receipts;
  if (isInScope(accountData, selected)) marks |= TOLD.accountData;
  if ((isIn || heardTyping) && isInScope(typing, selected)) marks |= TOLD.typing;
  return marks;
}

/** Up to where the client has a room; undefined: it has nothing of it. */
function momentOf({ since }: Pick<SyncContext, 'since'>, told: ToldRoom | undefined): StreamMoment | undefined {
  if (told === undefined || since === undefined) return undefined;
  return told.upTo === undefined ? since : { ...since, position: told.upTo };
}

/**
 * Whether a client has of a room what it is to have no more, and is to be told what there is: it was told of an invitation by somebody
 * whom its user ignores now, or nothing of one by somebody whom they ignored then.
 */
function isToldOtherwise(
  { room: { known, invitedAt } }: SelectedRoom,
  told: ToldRoom | undefined,
  after: StreamMoment | undefined,
): boolean {
  if (told === undefined || after === undefined) return false;
  const isUninvited = (told.marks & TOLD.uninvited) !== 0;
  return invitedAt === undefined
    ? isUninvited && known.membership === 'invite'
    : !isUninvited && invitedAt <= after.position;
}

function updateOf(
  { room, lists }: SelectedRoom,
  part: RoomPart | undefined,
  isDirect: boolean,
  isDirectNew: boolean,
): RoomUpdate {
  return {
    roomId: room.roomId,
    membership: part?.membership ?? room.known.membership,
    lists,
    // A number for clients to sort by: what lies between two of them means nothing.
    bumpStamp: Number(room.bump),
    isDirect,
    isDirectNew,
    contents: part?.contents,
    stripped: part?.stripped,
  };
}
