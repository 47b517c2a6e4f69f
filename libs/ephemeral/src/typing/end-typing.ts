import { Injectable } from '@nestjs/common';
import { userIdOfStream } from '#kernel/user-stream';
import type { RecordedFact } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import type { Listener } from '#projections/listener';
import { ROOM_STREAM_PREFIX, roomIdOfStream } from '#rooms/facts/room-facts';
import { createRoomFactReader, currentStateOf } from '#rooms/projections/room-fact-reader';
import { Typing } from './typing.js';

const MEMBER = 'm.room.member';
const ENDS: ReadonlySet<string> = new Set(['account-deactivated', 'account-locked', 'account-suspended']);

/** Ends the typing of whoever leaves a room, is kicked or banned there, closes their account, or may not use it any more. */
@Injectable()
export class EndTyping implements Listener {
  readonly name = 'end-typing';
  readonly reads = [];

  constructor(private readonly typing: Typing) {}

  hear(facts: readonly RecordedFact[]): void {
    for (const fact of facts) {
      try {
        this.#take(fact);
      } catch {
        // A fact that cannot be read changes no membership: the projections keep it as a dead letter and say so.
      }
    }
  }

  /** PERF: of a room in which nobody types no fact is looked at, and a message is told from its header. */
  #take(fact: RecordedFact): void {
    const { stream, type } = fact;
    if (ENDS.has(type)) return this.typing.stopEverywhere(userIdOfStream(stream));
    if (type !== 'pdu-accepted' || !stream.startsWith(ROOM_STREAM_PREFIX)) return;
    const roomId = roomIdOfStream(stream);
    if (!this.typing.isBusy(roomId)) return;
    const accepted = createRoomFactReader().findStateChange(fact);
    if (accepted === undefined) return;
    for (const { change, content } of currentStateOf(accepted)) {
      if (change.type === MEMBER && content['membership'] !== 'join') {
        this.typing.stop(roomId, change.state_key as UserId);
      }
    }
  }
}
