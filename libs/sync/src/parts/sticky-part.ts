import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { EventId } from '#kernel/ids';
import { STICKY_EVENTS } from '#rooms/projections/sticky-events.projector';
import type { TimelineRow } from '#rooms/projections/timeline-row';
import { listStickyEvents } from '#rooms/reading/sticky-events';
import type { RoomContext } from './room-context.js';
import type { TimelineWindow } from './timeline-window.js';

const NONE: readonly TimelineRow[] = [];

/** The sticky events of a room that the timeline does not show: MSC4354, "Current `/sync`". */
@Injectable()
export class StickyPart {
  static readonly covers = [STICKY_EVENTS.name];

  constructor(@Inject(CONFIG) private readonly config: Pick<Config, 'stickyEvents'>) {}

  /**
   * Each once, and to who is told the room anew all that still are sticky. "If a sticky event would normally appear in both […] but is
   * filtered out by the `timeline` filter, the sticky event MUST appear".
   */
  async read({ reader, after, upTo, sync }: RoomContext, { shown }: TimelineWindow): Promise<readonly TimelineRow[]> {
    if (!this.config.stickyEvents) return NONE;
    const told = new Set<EventId>(shown.map(({ header }) => header.eventId));
    const found = await listStickyEvents(reader, { after, upTo, now: sync.now, told });
    return found.map(({ row }) => row);
  }
}
