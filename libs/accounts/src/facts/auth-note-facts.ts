import type { Upcast } from '#event-store/fact-shapes';

/**
 * What is to be known of an authentication that is under way until it is done, at most an hour: sessions in which a stage has been completed,
 * addresses that were shown to be somebody's. Each note is called by the sha256 of the secret that its owner holds, and sealed with that
 * secret: nobody reads it who has the log alone. The stream is kept short: what is over goes from the log.
 */
export const AUTH_NOTES_STREAM = 'auth-notes';

/** Phone numbers that people are showing to be theirs, as such notes. */
export const PHONE_VALIDATIONS_STREAM = 'phone-validations';

/** `auth-note-kept`: what a note says from here on, until a moment in milliseconds since the epoch. */
export interface AuthNoteKept {
  readonly note: string;
  readonly until: number;
  readonly sealed: string;
  /** What stands for whom it counts for, where one may have so many: it names nobody to who has the log alone. */
  readonly owner?: string;
  /** The same for many owners that have something in common: the server that they are of. */
  readonly group?: string;
}

/** `auth-note-ended`: it was used up. Known for as long as the note would have been, so that nobody uses it again. */
export interface AuthNoteEnded {
  readonly note: string;
  readonly until: number;
}

/** `auth-notes-over`: none of the notes before counts any more. */
export type AuthNotesOver = Record<string, never>;

export interface AuthNoteFacts {
  'auth-note-kept': AuthNoteKept;
  'auth-note-ended': AuthNoteEnded;
  'auth-notes-over': AuthNotesOver;
}

export type AuthNoteFact = {
  [T in keyof AuthNoteFacts]: { readonly type: T; readonly data: AuthNoteFacts[T] };
}[keyof AuthNoteFacts];

/** How old shapes of these facts become today's. */
export const AUTH_NOTE_SHAPES: Readonly<Record<keyof AuthNoteFacts, readonly Upcast[]>> = {
  'auth-note-kept': [],
  'auth-note-ended': [],
  'auth-notes-over': [],
};
