import type { Type } from '@nestjs/common';
import { SendToServices } from '#appservices/sending/send-to-services.effect';
import { FillRooms } from '#federation/joining/fill-rooms.effect';
import { SendEvents } from '#federation/sending/send-events.effect';
import { FreedContent } from '#media/freed-content.effect';
import { EFFECTS } from '#processes/processes.module';
import type { Effect } from '#projections/effects/effect';

/**
 * The providers that do what follows from facts: those of one domain in another, those of the federation (what is sent to other servers,
 * and the rest of rooms of which a part was told), of media (what nobody refers to any more), and
 * what is sent to application services.
 */
export const ALL_EFFECTS: readonly Type<Effect>[] = [...EFFECTS, SendEvents, FillRooms, FreedContent, SendToServices];
