import { type ExportFile, fileOfText } from './export-file.js';

/** A piece has little more than that many bytes: one record more. */
const PIECE_BYTES = 2_000_000;

/** A file of records, as the manifest names it. */
export interface JsonPiece {
  readonly path: string;
  readonly records: number;
  readonly bytes: number;
}

/** The records of one kind, in files of a bounded size. */
export class JsonPieces {
  readonly written: JsonPiece[] = [];
  #records: string[] = [];
  #bytes = 0;

  constructor(private readonly kind: string) {}

  /** Takes a record as JSON, and answers the piece that is full with it. */
  take(record: string): ExportFile | undefined {
    this.#records.push(record);
    this.#bytes += Buffer.byteLength(record);
    return this.#bytes < PIECE_BYTES ? undefined : this.end();
  }

  /** What is left, where there is anything. */
  end(): ExportFile | undefined {
    const { length } = this.#records;
    if (length === 0) return undefined;
    const piece = this.written.length + 1;
    const path = `json/${this.kind}-${String(piece).padStart(4, '0')}.json`;
    const head = JSON.stringify({ kind: this.kind, piece }).slice(0, -1);
    const file = fileOfText(path, `${head},"records":[\n${this.#records.join(',\n')}\n]}\n`);
    this.written.push({ path, records: length, bytes: file.bytes });
    this.#records = [];
    this.#bytes = 0;
    return file;
  }
}
