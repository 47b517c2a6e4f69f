interface Segment {
  readonly fixed: Map<string, Segment>;
  parameter: Segment | undefined;
  /** The methods of a route that ends here. */
  readonly methods: Set<string>;
  /** The methods of a wildcard route: whatever follows. */
  readonly rest: Set<string>;
}

function newSegment(): Segment {
  return { fixed: new Map(), parameter: undefined, methods: new Set(), rest: new Set() };
}

/** Which methods the known paths take: tells a wrong method (405) from an unknown path (404). Asked only when routing failed. */
export class RouteMethods {
  readonly #root = newSegment();

  /** Notes a route by its template, such as `/rooms/:roomId/state`. */
  add(template: string, methods: string | readonly string[]): void {
    let segment = this.#root;
    let target = (): Set<string> => segment.methods;
    for (const part of partsOf(template)) {
      if (part === '*') {
        target = (): Set<string> => segment.rest;
        break;
      }
      segment = part.startsWith(':') ? (segment.parameter ??= newSegment()) : childOf(segment, part);
    }
    for (const method of [methods].flat()) target().add(method);
  }

  /** The methods that the path of a URL takes; none where there is no such path. */
  find(url: string): ReadonlySet<string> {
    const end = url.search(/[?#;]/);
    const found = new Set<string>();
    collect(this.#root, partsOf(end < 0 ? url : url.slice(0, end)), 0, found);
    return found;
  }
}

function childOf(segment: Segment, part: string): Segment {
  let child = segment.fixed.get(part);
  if (child === undefined) segment.fixed.set(part, (child = newSegment()));
  return child;
}

function partsOf(path: string): string[] {
  return path.replace(/^\//, '').replace(/\/$/, '').split('/').slice(0, MAX_PARTS);
}

/** More parts than any route has: longer paths are unknown anyway, and the search stays short. */
const MAX_PARTS = 24;

function collect(segment: Segment, parts: readonly string[], index: number, found: Set<string>): void {
  for (const method of segment.rest) found.add(method);
  const part = parts[index];
  if (part === undefined) {
    for (const method of segment.methods) found.add(method);
    return;
  }
  const fixed = segment.fixed.get(decoded(part));
  if (fixed !== undefined) collect(fixed, parts, index + 1, found);
  if (segment.parameter !== undefined && part !== '') collect(segment.parameter, parts, index + 1, found);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
