import { crc32, inflateRawSync } from 'node:zlib';

/** The files of a ZIP file by their paths, found by its directory as programs do. Throws where one is not as its checksum says. */
export function readZip(zip: Buffer): Map<string, Buffer> {
  const { offset, files } = directoryOf(zip);
  const found = new Map<string, Buffer>();
  let at = offset;
  for (let n = 0; n < files; n++) {
    if (zip.readUInt32LE(at) !== 0x02014b50) throw new Error(`no directory at ${at}`);
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((place) => zip.readUInt16LE(at + place));
    const name = zip.subarray(at + 46, at + 46 + nameLength!).toString();
    const extra = zip.subarray(at + 46 + nameLength!, at + 46 + nameLength! + extraLength!);
    let next = 4;
    const sizeAt = (place: number): number => {
      const inFour = zip.readUInt32LE(at + place);
      if (inFour !== 0xffffffff) return inFour;
      next += 8;
      return Number(extra.readBigUInt64LE(next - 8));
    };
    const [bytes, compressed, begin] = [sizeAt(24), sizeAt(20), sizeAt(42)];
    const content = begin + 30 + zip.readUInt16LE(begin + 26) + zip.readUInt16LE(begin + 28);
    const inflated = inflateRawSync(zip.subarray(content, content + compressed));
    if (inflated.length !== bytes || crc32(inflated) !== zip.readUInt32LE(at + 16))
      throw new Error(`${name} is damaged`);
    if (found.has(name)) throw new Error(`${name} is there twice`);
    found.set(name, inflated);
    at += 46 + nameLength! + extraLength! + commentLength!;
  }
  return found;
}

function directoryOf(zip: Buffer): { readonly offset: number; readonly files: number } {
  const end = zip.length - 22;
  if (zip.readUInt32LE(end) !== 0x06054b50) throw new Error('it does not end as a ZIP file does');
  const offset = zip.readUInt32LE(end + 16);
  const files = zip.readUInt16LE(end + 10);
  if (offset !== 0xffffffff && files !== 0xffff) return { offset, files };
  const large = Number(zip.readBigUInt64LE(end - 20 + 8));
  return { offset: Number(zip.readBigUInt64LE(large + 48)), files: Number(zip.readBigUInt64LE(large + 32)) };
}
