import type { RecordedFact } from '#event-store/event-store';
import { LOG_RESTORED, type LogBegun, type LogRestored, type NamedKey } from '#event-store/log-identity';
import { isServerName } from '#kernel/ids';
import { parseVerifyKey } from '#protocol/signing/signing-key';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** What is wrong with a fact of the stream that says whose log it is; undefined where nothing is. Its data is JSON. */
export function findIdentityProblem({ type, data }: RecordedFact, revision: number): string | undefined {
  if ((type === 'log-begun') !== (revision === 0)) {
    return revision === 0 ? 'it does not say whose log this is' : 'it says once more whose log this is';
  }
  const said = JSON.parse(data) as Readonly<Record<string, unknown>> | null; // checked below
  if (type === 'log-begun') return isLogBegun(said) ? undefined : 'it does not say properly whose log this is';
  if (type === 'signing-key-accepted') return isNamedKey(said) ? undefined : 'it names no signing key';
  if (type === LOG_RESTORED) return isLogRestored(said) ? undefined : 'it does not say which restoration it was';
  return undefined;
}

function isLogRestored(said: Partial<Record<keyof LogRestored, unknown>> | null): boolean {
  return typeof said?.restore_id === 'string' && UUID.test(said.restore_id);
}

function isLogBegun(said: Partial<Record<keyof LogBegun, unknown>> | null): boolean {
  const { log_id: id, server_name: server, key } = said ?? {};
  return (
    typeof id === 'string' && UUID.test(id) && typeof server === 'string' && isServerName(server) && isNamedKey(key)
  );
}

function isNamedKey(said: unknown): boolean {
  if (typeof said !== 'object' || said === null) return false;
  const { key_id: id, public_key: key } = said as Partial<Record<keyof NamedKey, unknown>>;
  return (
    typeof id === 'string' && id.startsWith('ed25519:') && typeof key === 'string' && parseVerifyKey(key) !== undefined
  );
}
