import type { Type } from '@nestjs/common';
import { FillRooms } from '#federation/joining/fill-rooms.effect';
import { SendEvents } from '#federation/sending/send-events.effect';
import { FreedContent } from '#media/freed-content.effect';
import { EFFECTS } from '#processes/processes.module';
import type { Effect } from '#projections/effects/effect';

/**
 * The providers that do what follows from facts: those of one domain in another, and those of the federation (what is sent to other servers,
 * and the rest of rooms of which a part was told), and of media (what nobody refers to any more).
 */
export const ALL_EFFECTS: readonly Type<Effect>[] = [...EFFECTS, SendEvents, FillRooms, FreedContent];
