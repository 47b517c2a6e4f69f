import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';

/** Where `@CommandHandler` and `@QueryHandler` note what a class handles: @nestjs/cqrs does not export the names. */
const HANDLER_METADATA = ['__commandHandler__', '__queryHandler__'];

/** What has a handler: the class of a command or a query. */
type Message = new (...parameters: never[]) => unknown;

/** Fails the start where a command or a query has two handlers: the buses would take the last one and say nothing. */
@Injectable()
export class HandlerCheck implements OnModuleInit {
  constructor(private readonly modules: ModulesContainer) {}

  onModuleInit(): void {
    const handlers = new Map<Message, string>();
    for (const [message, handler, module] of this.#registrations()) {
      const here = `${handler} in ${module}`;
      const other = handlers.get(message);
      if (other !== undefined) throw new Error(`${message.name} has two handlers: ${other}, and ${here}`);
      handlers.set(message, here);
    }
  }

  *#registrations(): Generator<[message: Message, handler: string, module: string]> {
    for (const module of this.modules.values()) {
      for (const { metatype } of module.providers.values()) {
        if (typeof metatype !== 'function') continue;
        for (const key of HANDLER_METADATA) {
          const message = Reflect.getMetadata(key, metatype) as Message | undefined;
          if (message !== undefined) yield [message, metatype.name, module.name];
        }
      }
    }
  }
}
