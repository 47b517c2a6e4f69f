/** What could make a line look like another one, or end it: controls, and what turns the direction of text. */
const CONTROLS = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+/gu;

/** A name that somebody chose, as one line of at most so many characters. */
export function plainLine(text: string, most: number): string {
  return cut(text.replace(CONTROLS, ' ').replace(/\s+/g, ' ').trim(), most);
}

/** What somebody wrote, its lines kept, at most so many characters and lines of it. */
export function plainLines(text: string, most: number, mostLines: number): string {
  // PERF: nobody reads more of a message than that, however long it is.
  const lines = text.slice(0, most * 4).split(/\r\n|[\n\r\u2028\u2029]/);
  const kept = lines.slice(0, mostLines).map((line) => line.replace(CONTROLS, ' ').trimEnd());
  const whole = kept.join('\n').trim();
  return cut(lines.length > mostLines ? `${whole}\n…` : whole, most);
}

function cut(text: string, most: number): string {
  const letters = [...text];
  return letters.length <= most
    ? text
    : `${letters
        .slice(0, most - 1)
        .join('')
        .trimEnd()}…`;
}
