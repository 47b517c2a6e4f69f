import type { ErasureFacts } from '#admin/facts/erasure-facts';
import type { AccountFact } from '#accounts/facts/account-facts';
import type { ContactFact } from '#contacts/facts/contact-facts';
import type { BackupVersionFact } from '#devices/facts/backup-facts';
import { ENDS_OF_IDENTIFIERS } from '#identity/facts/identity-facts';
import type { Position } from '#kernel/position';
import { asText, Collection, owning } from '#projections/collection';
import type { Projector } from '#projections/projector';

/** Where the log last says that something is to be in the views no more. */
export const LAST_ERASURE = new Collection<readonly ['views'], Position>('last-erasure', {
  key: ['`views`'],
  says: 'the position of the last fact by which something was to be nowhere any more',
  codec: asText(),
});

const OF_ACCOUNTS: readonly AccountFact['type'][] = ['account-deactivated', 'threepid-removed', 'external-id-unlinked'];
const OF_CONTACTS: readonly ContactFact['type'][] = ['contact-removed', 'contacts-ended'];
const BACKUP_DELETED: BackupVersionFact['type'] = 'backup-version-deleted';
const ERASED: keyof ErasureFacts = 'erasure-ended';

/** Those by which somebody wants something to be gone, and not only to be something else. */
const ERASING: ReadonlySet<string> = new Set([
  'pdu-redacted',
  'room-purged',
  'media-deleted',
  ERASED,
  ...OF_ACCOUNTS,
  ...OF_CONTACTS,
  BACKUP_DELETED,
  ...ENDS_OF_IDENTIFIERS,
]);

/** Remembers that the file of the views holds what is there no more, until that is renewed. */
export const erasuresProjector: Projector = {
  name: 'erasures',
  version: 2,
  ...owning(LAST_ERASURE),
  handles: (type) => ERASING.has(type),
  project({ position }, rows) {
    LAST_ERASURE.put(rows, ['views'], position);
  },
};
