import { Inject, Injectable } from '@nestjs/common';
import { type ExtensionContext, SLIDING_EXTENSIONS, type SlidingExtension } from './extension-context.js';

/** All that is told besides rooms, by the keys under which it is. */
@Injectable()
export class SlidingExtensions {
  constructor(@Inject(SLIDING_EXTENSIONS) private readonly all: readonly SlidingExtension[]) {}

  async read(context: ExtensionContext): Promise<{ texts: ReadonlyMap<string, string>; isNews: boolean }> {
    const texts = new Map<string, string>();
    let isNews = false;
    for (const extension of this.all) {
      const part = await extension.read(context);
      if (part.json !== undefined) texts.set(extension.key, part.json);
      isNews ||= part.isNews;
    }
    return { texts, isNews };
  }
}
