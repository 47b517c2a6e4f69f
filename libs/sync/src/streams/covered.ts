/**
 * Injection token of the collections that an answer to /sync is made of: its token runs ahead of none of them, and long polls are
 * woken once they have what happened. What is told besides of an event (what relates to it) may come later.
 */
export const COVERED = Symbol.for('annals.SyncCovered');
