import type { RoomId } from '#kernel/ids';
import { ListPages } from '../pages/list-pages.js';
import { renderRecord } from '../pages/render-record.js';
import type { PersonalDataKind, PersonalFile, PersonalRecord } from '../personal-data.js';
import { type ExportFile, nameOfFile } from './export-file.js';
import { JsonPieces } from './json-pieces.js';

/** The pages of a room, as the manifest names them. */
export interface RoomPages {
  readonly room_id: RoomId;
  readonly name: string;
  readonly records: number;
  readonly pages: readonly string[];
}

type Begun = { readonly room: PersonalRecord['room']; readonly pages: ListPages; records: number };

/** Writes the records of one kind: into pieces of JSON, pages, and the files that belong to them. */
export class KindWriter {
  readonly rooms: RoomPages[] = [];
  /** Of what stands in no room. */
  pages: readonly string[] = [];
  records = 0;
  files = 0;
  readonly #json: JsonPieces;
  #begun: Begun | undefined;

  constructor(readonly kind: PersonalDataKind) {
    this.#json = new JsonPieces(kind.name);
  }

  get pieces(): JsonPieces['written'] {
    return this.#json.written;
  }

  /** Answers the files that are complete with this record. */
  async *take(record: PersonalRecord): AsyncGenerator<ExportFile, void> {
    this.records++;
    if (this.#begun?.room?.id !== record.room?.id) yield* this.#endPages();
    const file = record.file && (yield* this.#keep(record.file));
    const text = record.file === undefined ? record.text : undefined;
    const piece = this.#json.take(
      text ?? JSON.stringify({ ...record.data, ...(record.file && { file: file ?? null }) }),
    );
    if (piece !== undefined) yield piece;
    const begun = (this.#begun ??= this.#begin(record.room));
    begun.records++;
    const page = begun.pages.take(renderRecord(record, file && `../${file}`));
    if (page !== undefined) yield page;
  }

  /** What is left. */
  *end(): Generator<ExportFile, void> {
    const piece = this.#json.end();
    if (piece !== undefined) yield piece;
    yield* this.#endPages();
  }

  #begin(room: PersonalRecord['room']): Begun {
    const { name, title, about } = this.kind;
    const head = { path: `pages/${name}`, title, about };
    if (room === undefined) return { room, pages: new ListPages(head), records: 0 };
    const number = String(this.rooms.length + 1).padStart(5, '0');
    return { room, pages: new ListPages({ path: `rooms/${name}-${number}`, title: room.name, about }), records: 0 };
  }

  *#endPages(): Generator<ExportFile, void> {
    if (this.#begun === undefined) return;
    const { room, pages, records } = this.#begun;
    this.#begun = undefined;
    const last = pages.end();
    if (last !== undefined) yield last;
    if (room === undefined) this.pages = pages.written;
    else this.rooms.push({ room_id: room.id, name: room.name, records, pages: pages.written });
  }

  /** The file of a record; answers where it is, or undefined where its content is not there. */
  async *#keep(file: PersonalFile): AsyncGenerator<ExportFile, string | undefined> {
    const content = await file.open();
    if (content === undefined) return undefined;
    const path = `files/${nameOfFile(++this.files, file.name)}`;
    try {
      yield { path, bytes: file.bytes, content };
    } finally {
      // Who reads no further would leave it open.
      content.destroy();
    }
    return path;
  }
}
