import type { UserId } from '#kernel/ids';
import { Turn } from '#projections/turn';
import { type ExportHead, indexPage } from '../pages/index-page.js';
import type { PersonalDataKind } from '../personal-data.js';
import { type ExportFile, fileOfText } from './export-file.js';
import { KindWriter } from './kind-writer.js';

/** What the manifest says that it is, and in which shape. */
const EXPORT_FORMAT = 'dev.annals.personal-data';
const FORMAT_VERSION = 1;

/**
 * All that this server has of a person, file by file; the manifest and the first page come last, for they name the others. PERF: a piece
 * of each is in memory, and everything else has its turn in between.
 */
export async function* exportFiles(
  kinds: readonly PersonalDataKind[],
  head: ExportHead & { readonly userId: UserId },
): AsyncGenerator<ExportFile, void> {
  const turn = new Turn();
  const written: KindWriter[] = [];
  for (const kind of kinds) {
    const writer = new KindWriter(kind);
    for await (const record of kind.read(head.userId)) {
      yield* writer.take(record);
      if (turn.isOver()) await turn.pass();
    }
    yield* writer.end();
    written.push(writer);
  }
  yield fileOfText('export.json', `${JSON.stringify(manifestOf(head, written), undefined, 2)}\n`);
  yield fileOfText('index.html', indexPage(head, written));
}

function manifestOf({ userId, serverName, madeAt }: ExportHead, kinds: readonly KindWriter[]): object {
  return {
    format: EXPORT_FORMAT,
    version: FORMAT_VERSION,
    user_id: userId,
    server_name: serverName,
    made_ts: madeAt,
    kinds: kinds.map(({ kind: { name, chapter, title, about }, records, files, pieces, pages, rooms }) => {
      return { name, chapter, title, about, records, files, pieces, pages, rooms };
    }),
  };
}
