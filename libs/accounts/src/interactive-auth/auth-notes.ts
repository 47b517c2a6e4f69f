import { Inject, Injectable } from '@nestjs/common';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { CLOCK, type Clock } from '#kernel/clock';
import { MOST_NOTES } from '../decide/auth-notes.js';
import { AUTH_NOTES_STREAM } from '../facts/auth-note-facts.js';
import { KeptNotes } from './kept-notes.js';

/** Notes about an authentication that is under way. */
@Injectable()
export class AuthNotes extends KeptNotes {
  constructor(@Inject(EVENT_STORE) store: EventStore, @Inject(CLOCK) clock: Clock) {
    super(store, clock, { stream: AUTH_NOTES_STREAM, most: MOST_NOTES });
  }
}
