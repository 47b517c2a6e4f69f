import { randomUUID } from 'node:crypto';
import type { NewFact } from '#event-store/event-store';
import type { Projector } from './projector.js';

/** Small projectors for tests and the benchmark. */

/** A fact of type `said` in the tests' own log. */
export function said(word: string, type = 'said'): NewFact {
  const metadata = { at: 0, actor: 'server', schema: 1, chain: '' };
  return { id: randomUUID(), type, data: JSON.stringify({ word }), metadata };
}

function wordOf(fact: { readonly data: string }): string {
  return (JSON.parse(fact.data) as { word: string }).word;
}

export interface ExampleOptions {
  readonly version?: number;
  readonly readableSince?: number;
  /** The words it cannot take. */
  readonly refuses?: ReadonlySet<string>;
}

/** Only writes: each word under its stream and position. The word `poison` it cannot take, unless told otherwise. */
export function wordsProjector(options: ExampleOptions = {}): Projector {
  const { version = 1, readableSince, refuses = new Set() } = options;
  return {
    name: 'words',
    version,
    readableSince,
    collections: ['words', 'last-word'],
    handles: (type) => type === 'said',
    project(fact, rows) {
      const word = wordOf(fact);
      rows.put('words', [fact.stream, fact.position], version === 1 ? word : `${word}/${version}`);
      if (refuses.has(word)) throw new Error(`cannot take ${word}`);
      rows.put('last-word', [fact.stream], word);
    },
  };
}

/** As `wordsProjector`, but `unsaid` takes a word back, of which the log forgets that. */
export function forgettingProjector(options?: ExampleOptions): Projector {
  const speaks = wordsProjector(options);
  return {
    ...speaks,
    handles: (type) => ['said', 'unsaid'].includes(type),
    isForgotten: (type) => type === 'unsaid',
    async project(fact, rows) {
      if (fact.type === 'said') return speaks.project(fact, rows);
      const word = wordOf(fact);
      for (const { key, value } of await rows.scan('words', { limit: 10_000 }))
        if (value.split('/')[0] === word) rows.delete('words', key);
    },
  };
}

/** Reads its own rows: how often each word was said, and the longest word so far of each stream by a scan. */
export function countsProjector(): Projector {
  return {
    name: 'counts',
    version: 1,
    collections: ['counts'],
    handles: (type) => type === 'said',
    async project(fact, rows) {
      const word = wordOf(fact);
      // The position beside the count: the same fact again changes nothing.
      const [count = '0', last = ''] = ((await rows.get('counts', ['word', word])) ?? '').split('@').filter(Boolean);
      if (last >= fact.position) return;
      rows.put('counts', ['word', word], `${Number(count) + 1}@${fact.position}`);
      const [longest] = await rows.scan('counts', { prefix: ['longest', fact.stream], reverse: true, limit: 1 });
      const length = String(word.length).padStart(5, '0');
      if (longest !== undefined && longest.key[2]! >= length) return;
      if (longest !== undefined) rows.delete('counts', longest.key);
      rows.put('counts', ['longest', fact.stream, length], word);
    },
  };
}
