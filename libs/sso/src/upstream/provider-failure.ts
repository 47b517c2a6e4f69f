import { OutgoingFailure } from '#http/outgoing/outgoing';
import { messageOf } from '#kernel/message-of';

/**
 * Why a provider could not be asked, for the operator: that it was not reached, or what it refused by which code. What it answered stands in the cause of other errors, and
 * may hold tokens: nothing is told of these.
 */
export function providerFailure(error: unknown): string {
  const { cause, error: code } = error as { readonly cause?: unknown; readonly error?: unknown };
  if (cause instanceof OutgoingFailure) return messageOf(cause);
  return typeof code === 'string' ? `${messageOf(error)} (${code.slice(0, 80)})` : messageOf(error);
}
