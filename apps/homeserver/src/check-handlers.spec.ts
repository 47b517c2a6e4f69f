import 'reflect-metadata';
import { Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Command, CommandHandler, type ICommandHandler, Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { describe, expect, it } from 'vitest';
import { HandlerCheck } from './check-handlers.js';

class Ring extends Command<void> {}
class Ask extends Query<string> {}

@CommandHandler(Ring)
class RingHandler implements ICommandHandler<Ring> {
  async execute(): Promise<void> {}
}

@CommandHandler(Ring)
class OtherRingHandler implements ICommandHandler<Ring> {
  async execute(): Promise<void> {}
}

@QueryHandler(Ask)
class AskHandler implements IQueryHandler<Ask> {
  async execute(): Promise<string> {
    return 'answer';
  }
}

@Module({ providers: [HandlerCheck, RingHandler, AskHandler] })
class GoodModule {}

@Module({ providers: [OtherRingHandler] })
class BellsModule {}

@Module({ imports: [BellsModule], providers: [HandlerCheck, RingHandler] })
class TwoHandlersModule {}

@Module({ imports: [GoodModule], providers: [AskHandler] })
class OneHandlerTwiceModule {}

async function start(module: Type<unknown>): Promise<void> {
  const app = await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
  await app.close();
}

describe('the start', () => {
  it('goes on where each command and query has one handler', async () => {
    await expect(start(GoodModule)).resolves.toBeUndefined();
  });

  it('fails where a command has two handlers, and names them', async () => {
    await expect(start(TwoHandlersModule)).rejects.toThrow(/^Ring has two handlers: .*RingHandler.*RingHandler/);
  });

  it('fails where two modules provide the same handler', async () => {
    await expect(start(OneHandlerTwiceModule)).rejects.toThrow(/^Ask has two handlers/);
  });
});
