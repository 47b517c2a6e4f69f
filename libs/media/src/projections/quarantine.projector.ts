import { asJson, Collection, owning } from '#projections/collection';
import type { Projector } from '#projections/projector';
import { CONTENT_SHAPES, type ContentQuarantined, hashOfStream } from '../facts/content-facts.js';
import type { ContentHash } from '../store/media-store.js';

export interface QuarantineRow {
  readonly at: number;
  readonly by: string;
  readonly reason?: string;
}

export const QUARANTINED = new Collection<readonly [hash: ContentHash], QuarantineRow>('quarantined-content', {
  key: ['sha256'],
  says: 'since when nobody is given it, by whom and why',
  codec: asJson(),
});

export const quarantineProjector: Projector = {
  name: 'quarantine',
  version: 1,
  ...owning(QUARANTINED),
  handles: (type) => Object.hasOwn(CONTENT_SHAPES, type),
  project({ type, stream, data, metadata: { at, actor } }, rows) {
    const key = [hashOfStream(stream)] as const;
    if (type === 'content-released') QUARANTINED.delete(rows, key);
    else QUARANTINED.put(rows, key, { at, by: actor, reason: (JSON.parse(data) as ContentQuarantined).reason });
  },
};
