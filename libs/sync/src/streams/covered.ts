/**
 * The collections that an answer to /sync is made of: its token runs ahead of none of them, and long polls are woken once they
 * have what happened. One of each projector: those of one projector move together. What is told besides of an event (what
 * relates to it) may come later.
 */
export const COVERED: readonly string[] = [
  'timeline',
  'room-state',
  'membership-log',
  'rooms',
  'account-data',
  'push-rules',
  'receipts',
];
