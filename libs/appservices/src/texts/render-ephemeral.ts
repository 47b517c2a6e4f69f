import type { ReceiptSet } from '#ephemeral/facts/receipt-facts';
import { contentOfPresence, type ShownPresence } from '#ephemeral/presence/shown-presence';
import type { RoomId, UserId } from '#kernel/ids';

/*
 * Ephemeral events as application services get them, each a JSON text: as in /sync, with the room they are of (application service API,
 * "Pushing ephemeral data").
 */

export function renderReceipt(receipt: ReceiptSet, userId: UserId, ts: number): string {
  const { room_id, event_id, receipt_type, thread_id } = receipt;
  const content = { [event_id]: { [receipt_type]: { [userId]: { ts, thread_id } } } };
  return JSON.stringify({ type: 'm.receipt', room_id, content });
}

export function renderTyping(room_id: RoomId, user_ids: readonly UserId[]): string {
  return JSON.stringify({ type: 'm.typing', room_id, content: { user_ids } });
}

export function renderPresence(sender: UserId, shown: ShownPresence | undefined): string {
  const content = shown === undefined ? { presence: 'offline' } : contentOfPresence(shown, false, 'today');
  return JSON.stringify({ type: 'm.presence', sender, content });
}
