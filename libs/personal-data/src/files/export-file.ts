/** A file of an export, one after another. */
export interface ExportFile {
  /** Within the folder: names that every file system takes, with `/` between them. */
  readonly path: string;
  readonly bytes: number;
  /** All of it at once; or what comes bit by bit, to be read before the next file is asked for. */
  readonly content: Uint8Array | AsyncIterable<Uint8Array>;
}

/** A piece of an export that is all in memory. */
export function fileOfText(path: string, text: string): ExportFile {
  const content = Buffer.from(text);
  return { path, bytes: content.length, content };
}

const FOREIGN = /[^\p{L}\p{N}._-]+/gu;
const MOST_BEFORE_DOT = 40;
const MOST_BEHIND_DOT = 12;

/**
 * The endings that a file keeps: of pictures, sounds, films, texts, documents and archives. What is opened from a disk is what its ending says, and a browser runs
 * what a page or an SVG picture has in it, as one that belongs to the files beside it; of what has no ending some guess.
 */
const HARMLESS: ReadonlySet<string> = new Set(
  [
    'apng avif bmp gif heic heif ico jpeg jpg png tif tiff webp',
    '3gp aac avi flac m4a m4v mkv mov mp3 mp4 mpeg mpg oga ogg ogv opus wav weba webm',
    'csv doc docx epub ics json log md odp ods odt pdf ppt pptx rtf tsv txt vcf xls xlsx',
    '7z bz2 gz rar tar tgz xz zip zst',
  ].flatMap((endings) => endings.split(' ')),
);
const OTHER = 'bin';

/** The name of the nth file that is somebody's own: theirs as far as it is a name on every file system that runs nothing, and no other's. */
export function nameOfFile(number: number, name: string | undefined): string {
  const plain = (name ?? '').normalize('NFC').replace(FOREIGN, '_').replace(/^\.+/, '');
  const dot = plain.lastIndexOf('.');
  const [before, behind] = dot < 0 ? [plain, ''] : [plain.slice(0, dot), plain.slice(dot + 1)];
  const digits = String(number).padStart(6, '0');
  const stem = [digits, shortened(before, MOST_BEFORE_DOT)].filter(Boolean).join('-');
  const ending = HARMLESS.has(behind.toLowerCase()) ? [behind] : [shortened(behind, MOST_BEHIND_DOT), OTHER];
  // Some file systems let go of dots at the end of a name.
  return [stem, ...ending].filter(Boolean).join('.');
}

/** By whole characters, of which a letter may have two units. */
function shortened(text: string, most: number): string {
  return [...text].slice(0, most).join('').replace(/\.+$/, '');
}
