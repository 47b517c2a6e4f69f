import { Injectable } from '@nestjs/common';
import { Typing } from '#ephemeral/typing/typing';
import { TOLD } from '../told-state.js';
import {
  type ExtensionContext,
  type ExtensionPart,
  isInScope,
  NOTHING_TO_TELL,
  type SlidingExtension,
} from './extension-context.js';

/** Who is typing in the rooms that are told of. MSC3961. */
@Injectable()
export class TypingExtension implements SlidingExtension {
  readonly key = 'typing';

  constructor(private readonly typing: Typing) {}

  async read({ sync, wanted, rooms }: ExtensionContext): Promise<ExtensionPart> {
    if (wanted.typing === undefined) return NOTHING_TO_TELL;
    const { since } = sync;
    const events: string[] = [];
    for (const { selected, told } of rooms) {
      const { roomId, known } = selected.room;
      if (known.membership !== 'join' || !isInScope(wanted.typing, selected)) continue;
      const isTold = told !== undefined && (told.marks & TOLD.typing) !== 0;
      // Who was told of a room once, or was away, may believe that somebody types there who does not any more.
      const isAsBefore = since !== undefined && told?.upTo === undefined && known.position <= since.position;
      const isNews =
        isTold && isAsBefore
          ? this.typing.hasNews(roomId, since.typing, sync.until.typing)
          : isTold || this.typing.isBusy(roomId);
      if (!isNews) continue;
      const users = this.typing.listTyping(roomId, (await sync.reader()).ignored);
      events.push(`${JSON.stringify(roomId)}:{"type":"m.typing","content":{"user_ids":${JSON.stringify(users)}}}`);
    }
    return events.length === 0 ? NOTHING_TO_TELL : { json: `{"rooms":{${events.join()}}}`, isNews: true };
  }
}
