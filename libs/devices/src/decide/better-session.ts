import type { BackedUpSession } from '../facts/backup-facts.js';

type Quality = Omit<BackedUpSession, 'session_data'>;

/**
 * Whether a key takes the place of the one that is there of the same session: client-server API, "Server-side key backups". Verified
 * ones go first, then those that read from an earlier message on, then those that went through fewer hands; else what is there stays.
 */
export function isBetter(key: Quality, there: Quality): boolean {
  if (key.is_verified !== there.is_verified) return key.is_verified;
  if (key.first_message_index !== there.first_message_index) return key.first_message_index < there.first_message_index;
  return key.forwarded_count < there.forwarded_count;
}
